import gzip
import hashlib

import nibabel
import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from skimage.measure import label

from wirsung.datasets.measure import bounding_box, measure, sha256_of_mask, sha256_of_voxels
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume

_MASKS = hnp.arrays(bool, st.tuples(*[st.integers(1, 6)] * 3))


@settings(deadline=None)
@given(_MASKS)
def test_a_bounding_box_is_the_range_of_the_masks_indices(mask):
    box = bounding_box(mask)
    if not mask.any():
        assert box is None
        return
    places = np.argwhere(mask)
    assert [part.start for part in box] == places.min(axis=0).tolist()
    assert [part.stop for part in box] == (places.max(axis=0) + 1).tolist()


@settings(deadline=None)
@given(_MASKS, st.integers(0, 100))
def test_measurements_agree_with_numpy_and_skimage(mask, seed):
    image = np.random.default_rng(seed).integers(-1000, 1000, mask.shape, dtype=np.int16)
    affine = np.diag([0.8, 0.7, 2.5, 1.0])
    row = measure("a", "liver", mask, Volume(image, affine))
    assert row.volume_ml == pytest.approx(mask.sum() * 0.8 * 0.7 * 2.5 / 1000)
    assert row.components == label(mask, connectivity=3).max()
    if mask.any():
        assert row.hu_mean == pytest.approx(image[mask].mean())
        assert row.hu_sd == pytest.approx(image[mask].std())
        places = np.argwhere(mask)
        on_face = (places == 0) | (places == np.array(mask.shape) - 1)
        assert row.touches_border == on_face.any()
    else:
        assert (row.hu_mean, row.hu_sd, row.box_i0, row.touches_border) == (None, None, None, False)


def test_volume_is_right_on_an_oblique_grid():
    angle = np.deg2rad(20)
    turn = np.array([[np.cos(angle), -np.sin(angle), 0], [np.sin(angle), np.cos(angle), 0], [0, 0, 1]])
    affine = np.eye(4)
    affine[:3, :3] = turn * [1.0, 2.0, 3.0]
    mask = np.ones((2, 2, 2), dtype=bool)
    assert measure("a", "liver", mask, Volume(np.zeros((2, 2, 2)), affine)).volume_ml == pytest.approx(0.048)


@pytest.mark.parametrize("dtype", [np.int16, np.uint8, np.float32, bool])
def test_the_checksum_is_that_of_the_files_data_section(tmp_path, dtype):
    voxels = np.random.default_rng(1).integers(0, 2, (5, 4, 3)).astype(dtype)
    path = tmp_path / "a.nii.gz"
    write_nifti(path, Volume(voxels, np.eye(4)))
    offset = int(nibabel.load(path).dataobj.offset)
    stored = gzip.decompress(path.read_bytes())[offset:]
    assert sha256_of_voxels(voxels) == hashlib.sha256(stored).hexdigest()


def test_the_checksum_does_not_depend_on_the_order_in_memory():
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    other = np.asfortranarray(voxels)
    swapped = voxels.astype(">i2")
    turned = voxels[::-1].copy()[::-1]
    assert len({sha256_of_voxels(item) for item in (voxels, other, swapped, turned)}) == 1


@given(_MASKS)
def test_the_checksum_of_a_mask_is_that_of_its_shape_and_the_edges_that_numpy_finds(mask):
    """As docs/concepts/dataset-layout.md tells everybody to compute it."""
    edges = np.flatnonzero(np.diff(mask.ravel(order="F").view(np.uint8), prepend=0, append=0))
    stored = np.concatenate([mask.shape, edges]).astype("<i8").tobytes()
    expected = hashlib.sha256(stored).hexdigest()
    assert sha256_of_mask(mask) == sha256_of_mask(mask.astype(np.uint8)) == expected
    assert measure("a", "liver", mask, Volume(np.zeros(mask.shape), np.eye(4))).runs_sha256 == expected
