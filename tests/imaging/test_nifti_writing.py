import errno
import os

import nibabel
import numpy as np
import pytest
import SimpleITK
from scipy.spatial.transform import Rotation

from wirsung.errors import ConfigError, GeometryError, ImageError, StorageError
from wirsung.imaging import slab_writing
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

OBLIQUE = np.eye(4)
OBLIQUE[:3, :3] = Rotation.from_euler("xyz", [170, 12, -30], degrees=True).as_matrix() @ np.diag(
    [0.7, 0.8, -2.5]
)
OBLIQUE[:3, 3] = -120.5, 88.25, 300


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out" / "image.nii.gz"


@pytest.mark.parametrize("dtype", ["u1", "i1", "u2", "i2", "u4", "i4", "u8", "i8", "f4", "f8", ">i2"])
def test_nibabel_and_simpleitk_read_the_same_voxels_and_places(dtype, path):
    voxels = np.random.default_rng(0).integers(0, 100, (4, 5, 33)).astype(dtype)
    write_nifti(path, Volume(voxels, OBLIQUE))
    image = nibabel.load(path)
    np.testing.assert_array_equal(np.asanyarray(image.dataobj), voxels)
    for affine in (image.affine, image.get_qform(), image.get_sform()):
        np.testing.assert_allclose(affine, OBLIQUE, atol=1e-4)
    foreign = SimpleITK.ReadImage(str(path))
    np.testing.assert_array_equal(SimpleITK.GetArrayFromImage(foreign).T, voxels)
    lps = foreign.TransformIndexToPhysicalPoint((3, 4, 32))
    np.testing.assert_allclose(np.array(lps) * [-1, -1, 1], (OBLIQUE @ [3, 4, 32, 1])[:3], atol=1e-4)


def test_the_header_holds_codes_units_and_no_text(path):
    write_nifti(path, Volume(np.ones((2, 2, 2), bool), OBLIQUE))
    header = nibabel.load(path).header
    assert (header["qform_code"], header["sform_code"]) == (1, 1)
    assert header.get_xyzt_units() == ("mm", "unknown")
    assert header.get_data_dtype() == np.uint8
    for name in ("descrip", "aux_file", "intent_name", "db_name", "data_type"):
        assert header[name].tobytes().strip(b"\0") == b"", name
    assert not header.extensions


def test_the_gzip_header_holds_no_time_and_no_name(path):
    write_nifti(path, Volume(np.ones((2, 2, 2), np.int16), np.eye(4)))
    content = path.read_bytes()
    assert content[:2] == b"\x1f\x8b"
    assert content[3] == 4  # an extra field, the index of slabs; no name, no comment
    assert content[4:8] == bytes(4)  # no time


@pytest.mark.parametrize("name", ["image.nii", "image.nii.gz"])
def test_equal_volumes_give_equal_files(name, tmp_path):
    voxels = np.random.default_rng(0).normal(size=(7, 6, 40)).astype(np.float32)
    write_nifti(tmp_path / "a" / name, Volume(voxels, OBLIQUE))
    turned = np.ascontiguousarray(voxels.T).T  # same values, another order in memory
    write_nifti(tmp_path / "b" / name, Volume(turned, OBLIQUE))
    assert (tmp_path / "a" / name).read_bytes() == (tmp_path / "b" / name).read_bytes()


@pytest.mark.parametrize("voxels", [np.ones((2, 2, 2), complex), np.ones((2, 2, 2), np.float16)])
def test_number_types_that_nifti_lacks_are_refused(voxels, path):
    with pytest.raises(ImageError, match="no number type for"):
        write_nifti(path, Volume(voxels, np.eye(4)))


def test_nan_is_refused(path):
    with pytest.raises(ImageError, match="8 voxels are NaN or infinite, so it was not written"):
        write_nifti(path, Volume(np.full((2, 2, 2), np.nan), np.eye(4)))
    assert not path.exists()


def test_an_axis_longer_than_nifti_allows_is_refused(path):
    with pytest.raises(ImageError, match="32767 voxels"):
        write_nifti(path, Volume(np.zeros((40000, 1, 1), np.uint8), np.eye(4)))


def test_a_sheared_grid_is_refused(path):
    affine = np.eye(4)
    affine[0, 2] = 0.3
    with pytest.raises(GeometryError, match="right angles"):
        write_nifti(path, Volume(np.zeros((2, 2, 2), np.uint8), affine))


def test_other_names_are_refused(tmp_path):
    with pytest.raises(ConfigError, match=r"is named \.nii\.gz or \.nii"):
        write_nifti(tmp_path / "image.mha", Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4)))


CONTENTS = slab_writing._contents


def noise():
    return Volume(np.random.default_rng(0).integers(0, 2**15, (128, 128, 64)).astype(np.int16), np.eye(4))


def fills_up(*inputs):
    """The third piece meets a full disk, as the operating system would say it."""
    pieces = CONTENTS(*inputs)
    yield next(pieces)
    yield next(pieces)
    raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))


def test_a_disk_that_fills_while_writing_leaves_no_file(path, monkeypatch):
    monkeypatch.setattr("wirsung.imaging.slab_writing._contents", fills_up)
    with pytest.raises(StorageError, match="the disk is full"):
        write_nifti(path, noise())
    assert list(path.parent.iterdir()) == []


def test_a_disk_that_fills_leaves_the_earlier_file_whole(path, monkeypatch):
    write_nifti(path, Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4)))
    earlier = path.read_bytes()
    monkeypatch.setattr("wirsung.imaging.slab_writing._contents", fills_up)
    with pytest.raises(StorageError):
        write_nifti(path, noise())
    assert path.read_bytes() == earlier
    assert [item.name for item in path.parent.iterdir()] == [path.name]


def test_a_real_full_disk_leaves_no_file(small_disk):
    disk = small_disk(1024)
    with pytest.raises(StorageError, match="the disk is full"):
        write_nifti(disk / "image.nii.gz", noise())
    assert list(disk.iterdir()) == []
