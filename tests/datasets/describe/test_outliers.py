import math
from dataclasses import replace

import numpy as np
import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy import stats

from wirsung.datasets.describe.outliers import find_outliers, robust_z


@given(st.lists(st.integers(-1000, 1000), min_size=3, max_size=30))
def test_the_robust_z_is_that_of_scipy(values):
    numbers = np.array(values, dtype=float)
    scale = stats.median_abs_deviation(numbers, scale="normal")
    if scale > 0:
        expected = (numbers - np.median(numbers)) / scale
        np.testing.assert_allclose(robust_z(numbers), expected, rtol=1e-12, atol=1e-12)


def test_where_most_values_are_equal_the_mean_deviation_is_the_scale():
    # Deviations 0, 0, 0, 0, 5: mean 1, times sqrt(pi / 2).
    numbers = np.array([2.0, 2.0, 2.0, 2.0, 7.0])
    assert robust_z(numbers)[-1] == pytest.approx(5 / math.sqrt(math.pi / 2), rel=1e-12)


def test_nothing_is_far_out_where_nothing_varies_or_is_known():
    assert np.isnan(robust_z(np.array([3.0, 3.0]))).all()
    assert np.isnan(robust_z(np.array([np.nan]))).all()


def test_the_huge_liver_is_found_with_its_reason(contents):
    (found,) = find_outliers(contents)
    assert (found.case, found.structure, found.quantity) == ("first-07", "liver", "volume")
    # 8 x 8 x 3 voxels of 0.02 ml; the others have 48 to 50.
    assert (found.value, found.median) == (pytest.approx(3.84), pytest.approx(0.98))
    assert found.reason.startswith(
        "liver: volume 3.84 ml is far above the median of 0.98 ml of 15 cases (robust z +"
    )


def test_a_higher_threshold_lets_it_pass(contents):
    (found,) = find_outliers(contents)
    assert not find_outliers(contents, abs(found.robust_z) + 0.1)


def test_of_few_cases_nothing_is_unusual(small_dataset):
    from wirsung.datasets.contents import contents_of

    assert not find_outliers(contents_of(small_dataset(cases=9, huge=(7,))))


def changed(contents, **columns):
    table = contents.manifest
    for name, values in columns.items():
        place = table.column_names.index(name)
        table = table.set_column(place, name, pa.array(values))
    return replace(contents, manifest=table)


def test_a_spacing_that_many_share_is_a_habit_and_that_of_one_case_is_not(contents):
    usual = [5.0 + 0.01 * (number % 3) for number in range(15)]
    alone = find_outliers(changed(contents, spacing_k_mm=[*usual[:-1], 40.0]))
    assert [item.case for item in alone if item.quantity == "slice thickness"] == ["first-14"]
    shared = find_outliers(changed(contents, spacing_k_mm=[*usual[:-5], *[40.0] * 5]))
    assert not [item for item in shared if item.quantity == "slice thickness"]


def test_hu_are_compared_within_a_contrast_phase(contents):
    # HU are 40 to 54 by case: in one group of fifteen 54 is usual; here it is the only one of its phase.
    table = contents.structures
    mean = [
        None if value is None else 500.0 if case == "first-14" else value
        for case, value in zip(table["case"].to_pylist(), table["hu_mean"].to_pylist(), strict=True)
    ]
    place = table.column_names.index("hu_mean")
    odd = replace(contents, structures=table.set_column(place, "hu_mean", pa.array(mean)))
    all_venous = changed(odd, phase=["venous"] * 15)
    found = [item for item in find_outliers(all_venous) if item.quantity == "mean"]
    assert {item.case for item in found} == {"first-14"}
    assert found[0].compared == "15 cases in the venous phase"
    one_arterial = changed(odd, phase=["venous"] * 14 + ["arterial"])
    assert not [item for item in find_outliers(one_arterial) if item.quantity == "mean"]


def test_ct_and_mr_are_never_compared(contents):
    mixed = changed(contents, modality=["ct"] * 7 + ["t1"] * 8)
    assert not find_outliers(mixed)
