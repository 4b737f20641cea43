import dataclasses
import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.anatomy.schemes import scheme
from wirsung.evaluation.case import CaseName, Pair, mask_of, score_case
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.surface import surface_distances, surfel_distances
from wirsung.evaluation.views import views
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
