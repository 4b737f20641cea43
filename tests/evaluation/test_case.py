import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.anatomy.schemes import scheme
from wirsung.evaluation.case import CaseName, Pair, mask_of, score_case
from wirsung.evaluation.protocol import METRICS, protocol
from wirsung.evaluation.surface import surface_distances, surfel_distances
from wirsung.evaluation.views import views
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.volume import Volume

PANTS = protocol("pants")
NAME = CaseName("case", "method", PANTS)
VIEWS = views(scheme("pants-2"), scheme("pants-2"))


def random_pair(seed: int, *, fortran: bool) -> tuple[Volume, Volume]:
    generator = np.random.default_rng(seed)
    shape = tuple(generator.integers(2, 9, 3))
    affine = np.diag([*generator.choice([0.5, 0.8, 1.25, 3.0], 3), 1.0])
    made = []
    for _ in range(2):
        voxels = np.zeros(shape, np.uint8)
        low = [generator.integers(0, size) for size in shape]
        box = tuple(
            slice(start, generator.integers(start, size) + 1) for start, size in zip(low, shape, strict=True)
        )
        voxels[box] = generator.integers(0, 3, voxels[box].shape)
        made.append(Volume(np.asfortranarray(voxels) if fortran else voxels, affine))
    return made[0], made[1]


@given(st.integers(0, 2**32 - 1), st.booleans())
def test_scores_equal_those_of_the_whole_uncropped_masks(seed, fortran):
    reference, prediction = random_pair(seed, fortran=fortran)
    rows = {(row.structure, row.metric): row for row in score_case(NAME, Pair(reference, prediction), VIEWS)}
    for view in VIEWS:
        one, other = (np.isin(volume.voxels, view.reference_values) for volume in (reference, prediction))
        dsc, hd = rows[view.structure, "dsc"], rows[view.structure, "hd"]
        if not one.any():
            assert dsc.reason == ("reference_empty" if other.any() else "both_empty")
        elif not other.any():
            assert (dsc.value, hd.reason) == (0.0, "prediction_empty")
        else:
            assert dsc.value == 2 * (one & other).sum() / (one.sum() + other.sum())
            distances = surface_distances(one, other, reference.spacing_mm)
            assert hd.value == distances.hd
            assert rows[view.structure, "nsd_2mm"].value == distances.nsd(2.0, strict=True)
            assert rows[view.structure, "assd"].value == distances.assd


def test_every_metric_has_a_row_and_every_nan_a_reason():
    reference, prediction = random_pair(1, fortran=False)
    empty = prediction.with_voxels(np.zeros_like(prediction.voxels))
    for pair in ((reference, prediction), (reference, empty), (empty, prediction), (empty, empty)):
        rows = score_case(NAME, Pair(*pair), VIEWS)
        assert [row.metric for row in rows] == [*PANTS.metric_names] * len(VIEWS)
        assert all(math.isnan(row.value) == (row.reason is not None) for row in rows)


def test_a_structure_without_annotation_is_not_scored():
    reference, prediction = random_pair(1, fortran=False)
    rows = score_case(NAME, Pair(reference, prediction), VIEWS, annotated={"pancreas"})
    assert {row.reason for row in rows if row.structure == "pancreatic_lesion"} == {"not_annotated"}
    assert "not_annotated" not in {row.reason for row in rows if row.structure == "pancreas"}


def test_volumes_come_from_the_affine():
    voxels = np.ones((10, 10, 10), np.uint8)
    sheared = np.array([[2.0, 1, 0, 0], [0, 3, 0, 0], [0, 0, 0.5, 0], [0, 0, 0, 1]])
    volume = Volume(voxels, sheared)
    rows = {(row.structure, row.metric): row.value for row in score_case(NAME, Pair(volume, volume), VIEWS)}
    assert rows["pancreas", "volume_ml"] == pytest.approx(1000 * 3 / 1000)


def test_the_protocol_decides_what_the_boundary_is():
    reference, prediction = random_pair(1, fortran=False)
    by_area = CaseName("case", "method", dataclasses.replace(PANTS, surfels=True))
    rows = {
        (row.structure, row.metric): row for row in score_case(by_area, Pair(reference, prediction), VIEWS)
    }
    masks = [np.isin(volume.voxels, VIEWS[0].reference_values) for volume in (reference, prediction)]
    expected = surfel_distances(*masks, reference.spacing_mm)
    assert rows["pancreas", "nsd_2mm"].value == expected.nsd(2.0, strict=True)
    assert rows["pancreas", "hd95"].value == expected.hd95


def test_the_values_present_are_known():
    reference, prediction = (
        Volume(np.array(values, np.uint8).reshape(1, 1, 3), np.eye(4)) for values in ([0, 1, 1], [0, 0, 5])
    )
    assert Pair(reference, prediction).values == ((0, 1), (0, 5))


def test_a_mask_is_where_any_of_the_values_is():
    assert mask_of(np.array([[[3, 0, 9]]]), (3, 9)).tolist() == [[[True, False, True]]]


NAN = math.nan
ALL = dataclasses.replace(
    PANTS, metrics=tuple(METRICS), tolerances_mm=(1.0,), headline=("dsc",), strict=False
)
# A volume of 4 x 3 x 2 voxels of 1 x 2 x 5 mm, 0.01 ml each. Reference and prediction are boxes along i, from
# the first voxel to the last + 1, or nothing; a box of n is 6 n voxels, all of them boundary.
BY_HAND = {
    # Reference 0..2, prediction 1..4: 6 shared of 12 and 18. Of the reference, plane 0 is 1 mm off; of the
    # prediction, planes 2 and 3 are 1 and 2 mm off.
    "both": (
        (0, 2),
        (1, 4),
        {
            "dsc": 12 / 30,
            "iou": 6 / 24,
            "sensitivity": 6 / 12,
            "specificity": 0.0,
            "precision": 6 / 18,
            "kappa": 2 * (6 * 0 - 6 * 12) / (12 * 6 + 18 * 12),
            "nsd_1mm": 24 / 30,
            "hd": 2.0,
            "hd95": 2.0,
            "assd": 24 / 30,
            "masd": 0.75,
            "volume_ml": 0.18,
            "reference_volume_ml": 0.12,
            "volume_difference_ml": 0.06,
            "volume_difference": 0.5,
        },
    ),
    "prediction_empty": (
        (0, 2),
        None,
        {
            "dsc": 0.0,
            "iou": 0.0,
            "sensitivity": 0.0,
            "specificity": 1.0,
            "precision": NAN,
            "kappa": 0.0,
            "nsd_1mm": 0.0,
            "hd": NAN,
            "hd95": NAN,
            "assd": NAN,
            "masd": NAN,
            "volume_ml": 0.0,
            "reference_volume_ml": 0.12,
            "volume_difference_ml": -0.12,
            "volume_difference": -1.0,
        },
    ),
    "reference_empty": (
        None,
        (1, 4),
        {
            "dsc": NAN,
            "iou": NAN,
            "sensitivity": NAN,
            "specificity": 0.25,
            "precision": NAN,
            "kappa": NAN,
            "nsd_1mm": NAN,
            "hd": NAN,
            "hd95": NAN,
            "assd": NAN,
            "masd": NAN,
            "volume_ml": 0.18,
            "reference_volume_ml": 0.0,
            "volume_difference_ml": 0.18,
            "volume_difference": NAN,
        },
    ),
    "both_empty": (
        None,
        None,
        {
            "dsc": NAN,
            "iou": NAN,
            "sensitivity": NAN,
            "specificity": 1.0,
            "precision": NAN,
            "kappa": NAN,
            "nsd_1mm": NAN,
            "hd": NAN,
            "hd95": NAN,
            "assd": NAN,
            "masd": NAN,
            "volume_ml": 0.0,
            "reference_volume_ml": 0.0,
            "volume_difference_ml": 0.0,
            "volume_difference": NAN,
        },
    ),
    "no_background": (
        (0, 4),
        (0, 4),
        {
            "dsc": 1.0,
            "iou": 1.0,
            "sensitivity": 1.0,
            "specificity": NAN,
            "precision": 1.0,
            "kappa": NAN,
            "nsd_1mm": 1.0,
            "hd": 0.0,
            "hd95": 0.0,
            "assd": 0.0,
            "masd": 0.0,
            "volume_ml": 0.24,
            "reference_volume_ml": 0.24,
            "volume_difference_ml": 0.0,
            "volume_difference": 0.0,
        },
    ),
}


@pytest.mark.parametrize("row", BY_HAND)
def test_each_row_of_the_undefined_table_is_as_computed_by_hand(row):
    *boxes, expected = BY_HAND[row]
    volumes = []
    for box in boxes:
        voxels = np.zeros((4, 3, 2), np.uint8)
        if box:
            voxels[box[0] : box[1]] = 1
        volumes.append(Volume(voxels, np.diag([1.0, 2.0, 5.0, 1.0])))
    found = score_case(CaseName("case", "method", ALL), Pair(*volumes), VIEWS[:1])
    assert [item.metric for item in found] == [*expected]
    for item in found:
        assert item.value == pytest.approx(expected[item.metric], rel=1e-12, nan_ok=True)
        assert item.reason == (row if math.isnan(expected[item.metric]) else None)


def test_a_prediction_without_a_mask_of_the_structure_is_missing():
    reference, prediction = random_pair(1, fortran=False)
    rows = score_case(NAME, Pair(reference, prediction), VIEWS, predicted={"pancreas"})
    assert {row.reason for row in rows if row.structure == "pancreatic_lesion"} == {"prediction_missing"}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
def test_the_decathlons_scores_of_a_real_prediction_are_those_of_its_own_library(shared_data):
    peer = pytest.importorskip("surface_distance", reason="surface-distance-based-measures isn't installed")
    folder = shared_data / "pancreas_predictions"
    volumes = [read_label_map(folder / name / "040.nii.gz") for name in ("reference", "CE")]
    chosen = views(scheme("pancreas"), scheme("pancreas"), by_class=True)
    rows = score_case(CaseName("040", "CE", protocol("msd")), Pair(*volumes), chosen)
    found = {row.metric: row.value for row in rows}
    masks = [np.asarray(volume.voxels == 1) for volume in volumes]
    theirs = peer.compute_surface_distances(*masks, volumes[0].spacing_mm)
    assert found["nsd_5mm"] == pytest.approx(peer.compute_surface_dice_at_tolerance(theirs, 5.0), rel=1e-9)
    assert found["hd95"] == pytest.approx(peer.compute_robust_hausdorff(theirs, 95), rel=1e-9)
    assert found["dsc"] == pytest.approx(peer.compute_dice_coefficient(*masks), rel=1e-12)
