"""The way from voxels to the standard anatomy and back."""

import numpy as np
import pytest
from scipy.ndimage import map_coordinates

from wirsung.phantom.frame import Frame, Pose, interpolate
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient


@pytest.mark.parametrize("seed", range(6))
def test_the_way_to_the_patient_and_back_is_the_identity(seed):
    pose = Pose(draw_patient(np.random.default_rng(seed)))
    points = np.random.default_rng(1).uniform(-150, 150, (500, 3))
    assert pose.to_standard(pose.to_patient(points)) == pytest.approx(points, abs=1e-6)


@pytest.mark.parametrize("seed", range(6))
def test_the_deformation_never_folds(seed):
    pose = Pose(draw_patient(np.random.default_rng(seed)))
    points = np.random.default_rng(2).uniform(-170, 170, (2000, 3))
    columns = [
        (pose.to_standard(points + 0.01 * axis) - pose.to_standard(points)) / 0.01 for axis in np.eye(3)
    ]
    determinants = np.linalg.det(np.stack(columns, axis=-1))
    assert determinants.min() > 0.35
    assert determinants.max() < 2.5


@pytest.mark.parametrize("oblique", [0.0, 17.0])
def test_lattices_agree_with_the_exact_map(oblique):
    patient = draw_patient(np.random.default_rng(3))
    grid = Grid.centred((60, 50, 40), (4.0, 4.0, 6.0), oblique_deg=oblique)
    frame = Frame(patient, grid)
    for step in (0.0, 9.0):
        at = frame.whole(step)
        world = np.stack([np.broadcast_to(a, at.x.shape) for a in frame.ras_mm(at)], axis=-1).reshape(-1, 3)
        exact = Pose(patient).to_standard(world.astype(float))
        assert np.abs(exact - np.stack([at.x, at.y, at.z], axis=-1).reshape(-1, 3)).max() < 0.6


def test_indices_find_points_of_the_standard_anatomy():
    frame = Frame(draw_patient(np.random.default_rng(3)), Grid.centred((60, 50, 40), (4.0, 4.0, 6.0)))
    at = frame.whole(0.0)
    found = frame.indices(np.array([[at.x[20, 30, 10], at.y[20, 30, 10], at.z[20, 30, 10]]], dtype=float))
    assert found[0] == pytest.approx([20, 30, 10], abs=0.15)


def test_interpolation_is_that_of_scipy():
    rng = np.random.default_rng(0)
    values = rng.normal(size=(5, 6, 4)).astype(np.float32)
    source = tuple(np.arange(n, dtype=np.float32) * 2 for n in values.shape)
    target = tuple(np.sort(rng.uniform(0, 2 * (n - 1), 7)).astype(np.float32) for n in values.shape)
    places = np.stack(np.meshgrid(*(axis / 2 for axis in target), indexing="ij"))
    expected = map_coordinates(values, places, order=1, mode="nearest")
    assert interpolate(values, source, target) == pytest.approx(expected, abs=1e-5)
