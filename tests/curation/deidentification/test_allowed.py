import re

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.curation.deidentification.allowed import ALLOWED, DATES, UIDS, keyed_checks, own_words

KEY = bytes(range(32))
CHECKS = {**ALLOWED, **keyed_checks(KEY, "4711")}
NAMES = st.text(
    alphabet="abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZäöüß^ '-", min_size=4, max_size=40
)
OURS = {word.lower() for word in own_words()} | {"none", "mtc", "trss", "osp", "skip"}


@given(NAMES)
def test_no_attribute_lets_a_name_through(name):
    for keyword, check in CHECKS.items():
        told = check((name,))
        parts = told if isinstance(told, list) else [told]
        for part in parts:
            is_ours = str(part).lower() in OURS or part in ("GE", "UIH")
            assert part is None or is_ours, keyword


@given(st.integers(10**6 + 1, 10**12))
def test_no_attribute_lets_a_record_number_through(number):
    for keyword, check in CHECKS.items():
        if keyword not in UIDS:
            told = check((str(number),))
            assert told is None or str(number) not in str(told), keyword


@pytest.mark.parametrize(
    "kernel",
    ["B30f", "B31s", "Br38f", "Bv40d", "Qr40", "I30f", "FC08", "STANDARD", "BONEPLUS", "B", "YA", "B_SOFT_B"],
)
def test_kernels_of_the_vendors_are_released_as_written(kernel):
    assert ALLOWED["ConvolutionKernel"]((kernel, "3")) == kernel


@pytest.mark.parametrize("kernel", ["MUELLER4", "ERIKA", "FC081961", "19610312", "Dr. B30f", "b30f x"])
def test_what_only_looks_like_a_kernel_is_not(kernel):
    assert ALLOWED["ConvolutionKernel"]((kernel,)) is None


def test_what_depends_on_the_key_is_made_anew():
    checks = keyed_checks(KEY, "4711")
    assert set(checks) == {*UIDS, *DATES}
    assert re.fullmatch(r"2\.25\.\d+", checks["StudyInstanceUID"](("1.2.276.4711",)))
    moved = checks["StudyDate"](("20240229",))
    assert re.fullmatch(r"\d{8}", moved)
    assert moved < "20230301"
    other = keyed_checks(bytes(32), "4711")
    assert other["StudyInstanceUID"](("1.2.276.4711",)) != checks["StudyInstanceUID"](("1.2.276.4711",))
