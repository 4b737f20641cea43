"""Files in slabs: the bytes of `write_nifti`, inflated, in one gzip member."""

import gzip
import zlib

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirsung.errors import ConfigError, GeometryError, ImageError
from wirsung.imaging.gzip_members import read_index
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.slab_writing import write_slabs
from wirsung.imaging.volume import Volume

AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.8, 0, -70], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
TYPES = ["bool", "uint8", "int8", "uint16", "int16", "int32", "float32", "float64", ">i2"]


def noise(shape, dtype="int16"):
    values = np.random.default_rng(7).normal(40, 25, shape)
    return (values > 40) if dtype == "bool" else np.clip(values, 0, 120).astype(dtype)


@settings(suppress_health_check=[HealthCheck.function_scoped_fixture], max_examples=40)
@given(
    shape=st.tuples(*[st.integers(1, 40)] * 3),
    dtype=st.sampled_from(TYPES),
    order=st.sampled_from(["C", "F"]),
)
def test_it_inflates_to_what_write_nifti_writes(shape, dtype, order, tmp_path):
    volume = Volume(np.asarray(noise(shape, dtype), order=order), AFFINE)
    crc32 = write_slabs(tmp_path / "slabs.nii.gz", volume)
    write_nifti(tmp_path / "plain.nii", volume)
    content = gzip.decompress((tmp_path / "slabs.nii.gz").read_bytes())
    assert content == (tmp_path / "plain.nii").read_bytes()
    assert crc32 == zlib.crc32(content)


@pytest.mark.parametrize("order", ["C", "F"])
def test_slabs_of_large_slices_and_of_many_batches_are_complete(order, tmp_path):
    voxels = np.asarray(noise((300, 310, 101), "float32"), order=order)  # 372 kB a slice, 37.6 MB in all
    write_slabs(tmp_path / "ct.nii.gz", Volume(voxels, AFFINE))
    index, _ = read_index((tmp_path / "ct.nii.gz").read_bytes())
    assert (index.slices, len(index.pieces)) == (1, 102)
    assert np.array_equal(np.asanyarray(nibabel.load(tmp_path / "ct.nii.gz").dataobj), voxels)


def test_small_slices_share_a_slab(tmp_path):
    write_slabs(tmp_path / "ct.nii.gz", Volume(noise((64, 64, 100)), AFFINE))
    index, _ = read_index((tmp_path / "ct.nii.gz").read_bytes())
    assert (index.slices, len(index.pieces)) == (32, 5)  # 8 kB a slice, 256 kB a slab


def test_there_is_one_member_and_nothing_after_it(tmp_path):
    write_slabs(tmp_path / "ct.nii.gz", Volume(noise((30, 30, 30)), AFFINE))
    stream = zlib.decompressobj(31)
    stream.decompress((tmp_path / "ct.nii.gz").read_bytes())
    assert (stream.eof, stream.unused_data) == (True, b"")


def test_equal_volumes_give_equal_files_without_name_or_time(tmp_path):
    for name in ("a", "b"):
        write_slabs(tmp_path / f"{name}.nii.gz", Volume(noise((30, 30, 30)), AFFINE))
    content = (tmp_path / "a.nii.gz").read_bytes()
    assert content == (tmp_path / "b.nii.gz").read_bytes()
    assert content[3:10] == b"\x04\0\0\0\0\0\xff"  # only an extra field, no time, no system


def test_what_nifti_cannot_hold_is_refused(tmp_path):
    path = tmp_path / "ct.nii.gz"
    good = noise((4, 4, 4), "float32")
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.3
    with pytest.raises(ConfigError, match=r"named \.nii\.gz"):
        write_slabs(tmp_path / "ct.nii", Volume(good, AFFINE))
    with pytest.raises(ImageError, match="no number type for float16"):
        write_slabs(path, Volume(good.astype(np.float16), AFFINE))
    with pytest.raises(ImageError, match="32767 voxels along an axis"):
        write_slabs(path, Volume(np.zeros((40_000, 1, 1), np.uint8), AFFINE))
    with pytest.raises(ImageError, match="1 voxel is NaN"):
        write_slabs(path, Volume(np.where(np.arange(64).reshape(4, 4, 4) == 5, np.nan, good), AFFINE))
    with pytest.raises(GeometryError, match="right angles"):
        write_slabs(path, Volume(good, sheared))
    assert list(tmp_path.iterdir()) == []
