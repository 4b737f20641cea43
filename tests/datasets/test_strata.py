from collections import Counter

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.strata import dealing_order, mixed_order, strata
from wirsung.errors import ConfigError

PATIENTS = st.text("abcdefgh", min_size=1)
STRATA = st.dictionaries(PATIENTS, st.tuples(st.sampled_from("xyz")), min_size=1, max_size=60)


@given(STRATA, st.integers(0, 3))
def test_both_orders_hold_every_patient_once(stratum_of, seed):
    assert sorted(dealing_order(stratum_of, seed)) == sorted(stratum_of)
    assert sorted(mixed_order(stratum_of, seed)) == sorted(stratum_of)


@given(STRATA, st.integers(0, 3))
def test_any_first_part_holds_every_stratum_in_proportion(stratum_of, seed):
    order = mixed_order(stratum_of, seed)
    sizes = Counter(stratum_of.values())
    for count in range(1, len(order) + 1):
        found = Counter(stratum_of[patient] for patient in order[:count])
        for stratum, size in sizes.items():
            assert abs(found[stratum] - size * count / len(order)) <= len(sizes)


def test_the_order_depends_on_the_seed_and_not_on_the_order_of_the_patients():
    stratum_of = {f"p{number}": ("x",) for number in range(20)}
    backwards = dict(reversed(stratum_of.items()))
    assert dealing_order(stratum_of, 0) == dealing_order(backwards, 0) != dealing_order(stratum_of, 1)


def test_a_patient_has_a_tumour_where_any_scan_has_one():
    rows = [ManifestRow("b", "p", tumour=True, phase="venous"), ManifestRow("a", "p", phase="arterial")]
    assert strata(rows, ("tumour", "phase")) == {"p": ("0 yes", "arterial")}
    assert strata(rows[1:], ("tumour", "sex")) == {"p": ("2 unknown", "")}


def test_a_patient_is_of_every_modality_that_the_scans_have():
    rows = [ManifestRow("b", "p", modality="t1"), ManifestRow("a", "p", modality="t2"), ManifestRow("c", "q")]
    assert strata(rows, ("modality",)) == {"p": ("t1+t2",), "q": ("ct",)}


def test_an_unknown_column_names_the_near_one():
    with pytest.raises(ConfigError, match="Did you mean phase"):
        strata([], ["phse"])
