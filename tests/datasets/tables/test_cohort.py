import numpy as np
import pyarrow as pa
import pytest

from wirsung.datasets.tables.cohort import cohort, cohorts_by, slice_axis


def test_a_cohort_is_told_case_by_case(tables):
    found = cohort("ours", *tables)
    assert found.cases == 4
    np.testing.assert_array_equal(found.numbers["age_years"], [60, 70, np.nan, 50])
    np.testing.assert_array_equal(found.numbers["in_plane_spacing_mm"], [0.8] * 4)
    np.testing.assert_array_equal(found.numbers["slice_thickness_mm"], [2.5] * 4)
    np.testing.assert_array_equal(found.numbers["tumour_volume_mm3"], [2000, np.nan, np.nan, 4000])
    np.testing.assert_array_equal(found.numbers["tumours_per_positive_ct"], [1, np.nan, np.nan, 3])
    np.testing.assert_array_equal(found.numbers["tumour_hu"], [60, np.nan, np.nan, 40])
    np.testing.assert_array_equal(found.numbers["pancreas_volume_mm3"], [80000, 70000, np.nan, np.nan])
    assert found.words["tumour"] == ["yes", "no", "no", "yes"]
    assert "dilated_duct" not in found.words


def test_without_measured_masks_there_are_no_volumes(tables):
    assert "tumour_hu" not in cohort("ours", tables[0]).numbers


@pytest.mark.parametrize(
    ("spacing", "axis"),
    [
        ((0.625, 0.625, 0.8), 2),
        ((5.0, 0.80, 0.80), 0),
        ((0.7, 3.0, 0.7), 1),
        ((1.5, 1.5, 1.5), 2),
        ((0.7, 0.8, 0.9), 2),
        ((0.98, 0.98, 0.5), 2),
    ],
)
def test_slices_lie_across_the_odd_spacing(spacing, axis):
    assert slice_axis(np.array([spacing])).tolist() == [axis]


def test_a_dilated_duct_is_told_where_the_manifest_knows(tables):
    manifest = tables[0].append_column("dilated_duct", pa.array([True, None, False, True]))
    assert cohort("ours", manifest).words["dilated_duct"] == ["yes", None, "no", "yes"]


def test_an_image_that_is_no_ct_has_no_hu(tables):
    manifest = tables[0].set_column(
        tables[0].column_names.index("modality"), "modality", pa.array(["t1", "ct", "ct", "ct"])
    )
    found = cohort("ours", manifest, tables[1]).numbers
    np.testing.assert_array_equal(found["tumour_hu"], [np.nan, np.nan, np.nan, 40])
    np.testing.assert_array_equal(found["pancreas_hu"], [np.nan, 90, np.nan, np.nan])
    np.testing.assert_array_equal(found["tumour_volume_mm3"], [2000, np.nan, np.nan, 4000])


def test_the_parts_of_a_cohort_hold_each_case_with_a_level_once(tables):
    whole = cohort("ours", *tables)
    parts = cohorts_by(whole, whole.words["sex"])
    assert [(part.name, part.cases) for part in parts] == [("F", 2), ("M", 1)]
    np.testing.assert_array_equal(parts[0].numbers["age_years"], [60, 50])
    assert parts[0].words["phase"] == ["venous", "venous"]
