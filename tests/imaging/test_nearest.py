import numpy as np
import pytest
import SimpleITK

from wirsung.imaging.nearest import nearest_on
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume


def _turned(seed, spacing, origin):
    affine = np.eye(4)
    turn = np.linalg.qr(np.random.default_rng(seed).normal(size=(3, 3)))[0]
    affine[:3, :3] = turn * np.sign(np.linalg.det(turn)) * spacing
    affine[:3, 3] = origin
    return affine


def _itk(volume):
    image = SimpleITK.GetImageFromArray(volume.voxels.transpose(2, 1, 0))
    lps = np.diag([-1.0, -1, 1]) @ volume.affine[:3]
    image.SetSpacing(volume.spacing_mm)
    image.SetOrigin(lps[:, 3].tolist())
    image.SetDirection((lps[:, :3] / volume.spacing_mm).ravel().tolist())
    return image


@pytest.mark.parametrize("seed", range(4))
def test_oblique_grids_agree_with_simpleitk(seed):
    rng = np.random.default_rng(seed)
    volume = Volume(
        rng.integers(1, 250, (14, 12, 10)).astype(np.uint8), _turned(seed, (1.1, 1.3, 2), (3, 4, 5))
    )
    other = Volume(np.zeros((16, 15, 14), dtype=np.uint8), _turned(seed + 9, (0.9, 1.7, 1.2), (1, -4, 2)))
    ours, far_mm = nearest_on(volume, other)
    resampled = SimpleITK.Resample(
        _itk(volume), _itk(other), SimpleITK.Transform(), SimpleITK.sitkNearestNeighbor, 0
    )
    theirs = SimpleITK.GetArrayFromImage(resampled).transpose(2, 1, 0)
    assert (ours > 0).sum() > 100
    assert (ours != theirs).mean() < 1e-3  # a centre within rounding of the outermost edge
    assert 0 < far_mm <= np.linalg.norm(volume.spacing_mm) / 2


@pytest.mark.parametrize("codes", ALL_CODES[::7])
def test_another_axis_order_changes_nothing_and_comes_from_nowhere_else(codes):
    volume = Volume(np.random.default_rng(1).integers(0, 9, (5, 4, 3)), _turned(2, (1, 1.5, 3), (0, 0, 9)))
    values, far_mm = nearest_on(reorient(volume, codes), volume)
    assert np.array_equal(values, volume.voxels)
    assert far_mm < 1e-9


def test_grids_that_share_nothing_give_nothing():
    volume = Volume(np.ones((3, 3, 3)), np.eye(4))
    values, far_mm = nearest_on(volume, Volume(np.ones((3, 3, 3)), np.diag([1.0, 1, 1, 1]) + _shift(50)))
    assert not values.any()
    assert far_mm == 0


def _shift(mm):
    matrix = np.zeros((4, 4))
    matrix[:3, 3] = mm
    return matrix
