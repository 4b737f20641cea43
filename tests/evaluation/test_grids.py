import itertools

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.errors import GeometryError
from wirsung.evaluation.grids import nearest, on_grid_of
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume


def oblique(generator: np.random.Generator) -> np.ndarray:
    """Right angles, turned any way, with a spacing and an origin."""
    turn, _ = np.linalg.qr(generator.standard_normal((3, 3)))
    affine = np.eye(4)
    affine[:3, :3] = turn * generator.uniform(0.5, 3, 3)
    affine[:3, 3] = generator.uniform(-5, 5, 3)
    return affine


def brute_force(volume: Volume, reference: Volume) -> tuple[np.ndarray, np.ndarray]:
    """The value of the voxel that holds each centre, voxel by voxel; and how sure the choice is."""
    found, sure = np.zeros(reference.shape, np.uint8), np.ones(reference.shape, bool)
    for place in itertools.product(*map(range, reference.shape)):
        world = reference.affine @ [*place, 1]
        index = np.linalg.solve(volume.affine, world)[:3]
        whole = np.floor(index + 0.5).astype(int)
        sure[place] = (np.abs(index + 0.5 - np.rint(index + 0.5)) > 1e-6).all()
        if (whole >= 0).all() and (whole < volume.shape).all():
            found[place] = volume.voxels[tuple(whole)]
    return found, sure


@settings(max_examples=40)
@given(st.integers(0, 2**32 - 1))
def test_each_voxel_takes_the_value_of_the_voxel_that_holds_it(seed):
    generator = np.random.default_rng(seed)
    volume = Volume(generator.integers(0, 255, generator.integers(2, 8, 3), np.uint8), oblique(generator))
    reference = Volume(np.zeros(generator.integers(2, 8, 3), np.uint8), oblique(generator))
    expected, sure = brute_force(volume, reference)
    found = nearest(volume, reference)
    assert (found.voxels[sure] == expected[sure]).all()
    assert (found.affine == reference.affine).all()


def test_half_as_many_voxels_twice_as_large_come_back_as_blocks():
    fine = Volume(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    affine = np.diag([2.0, 2, 2, 1])
    affine[:3, 3] = 0.5
    coarse = Volume(np.arange(8, dtype=np.uint8).reshape(2, 2, 2), affine)
    expected = coarse.voxels.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    assert (nearest(coarse, fine).voxels == expected).all()


def test_the_same_grid_and_turned_axes_need_no_note():
    reference = Volume(np.arange(24, dtype=np.uint8).reshape(2, 3, 4), np.diag([1.0, 2, 3, 1]))
    for prediction in (reference, reorient(reference, "SLP")):
        found, note = on_grid_of(reference, prediction, case="a")
        assert (found.voxels == reference.voxels).all()
        assert note == ""


def test_another_grid_is_refused_with_the_distance_and_resampled_on_request():
    reference = Volume(np.zeros((4, 4, 4), np.uint8), np.eye(4))
    prediction = Volume(np.ones((2, 2, 2), np.uint8), np.diag([2.0, 2, 2, 1]))
    # The corners are at -0.5 and 3.5, and at -1 and 3 along each axis: half a millimetre, three times.
    words = r"0\.866 mm away .* \(2 x 2 x 2 voxels of 2 x 2 x 2 mm, the reference 4 x 4 x 4 voxels of 1"
    with pytest.raises(GeometryError, match=rf"Case a: the prediction lies {words}.*--resample"):
        on_grid_of(reference, prediction, case="a")
    found, note = on_grid_of(reference, prediction, case="a", resample=True)
    assert note.startswith("resampled: the prediction lies 0.866 mm away")
    assert found.shape == reference.shape


def test_turned_axes_do_not_count_as_distance():
    reference = Volume(np.zeros((4, 5, 6), np.uint8), np.eye(4))
    moved = np.eye(4)
    moved[0, 3] = 7
    with pytest.raises(GeometryError, match="lies 7 mm away"):
        on_grid_of(reference, reorient(Volume(reference.voxels, moved), "ILA"), case="a")
