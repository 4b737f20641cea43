"""Slabs, held against the same slices of the whole volume."""

import gzip

import nibabel
import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirsung.errors import ConfigError, ImageError
from wirsung.imaging.gzip_members import read_index
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.slab_reading import read_slab
from wirsung.imaging.slab_writing import write_slabs
from wirsung.imaging.volume import Volume

AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.8, 0, -70], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
VOXELS = np.random.default_rng(5).normal(40, 25, (128, 100, 30)).astype(np.int16)  # 11 slices a slab


@pytest.fixture(scope="module")
def path(tmp_path_factory):
    path = tmp_path_factory.mktemp("slabs") / "ct.nii.gz"
    write_slabs(path, Volume(VOXELS, AFFINE))
    return path


@given(st.data())
@settings(suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_any_slab_is_the_slices_of_the_volume_at_their_place(path, data):
    first = data.draw(st.integers(0, 29))
    stop = data.draw(st.integers(first + 1, 30))
    slab = read_slab(path, first, stop)
    assert slab.voxels.dtype == np.int16
    assert np.array_equal(slab.voxels, VOXELS[:, :, first:stop])
    np.testing.assert_allclose(
        slab.affine @ [3, 2, 0, 1], AFFINE @ [3, 2, first, 1], atol=1e-5
    )  # the header holds float32


@pytest.mark.parametrize("name", ["plain.nii", "unindexed.nii.gz"])
def test_a_file_without_index_is_read_all_the_same(name, tmp_path):
    write_nifti(tmp_path / name, Volume(VOXELS, AFFINE))
    slab = read_slab(tmp_path / name, 7, 19)
    assert np.array_equal(slab.voxels, VOXELS[:, :, 7:19])


def test_slabs_before_and_after_are_not_looked_at(path, tmp_path):
    content = bytearray(path.read_bytes())
    index, start = read_index(content)
    first = start + index.pieces[0].stored_bytes
    second = first + index.pieces[1].stored_bytes
    content[first:second] = bytes(second - first)
    damaged = tmp_path / "ct.nii.gz"
    damaged.write_bytes(content)
    assert np.array_equal(read_slab(damaged, 11, 30).voxels, VOXELS[:, :, 11:])
    with pytest.raises(ImageError, match="fails its own check"):
        read_slab(damaged, 10, 12)


def test_no_flipped_bit_changes_a_voxel_unnoticed(path, tmp_path):
    whole = path.read_bytes()
    damaged = tmp_path / "ct.nii.gz"
    refused = 0
    for place in [*range(0, 900, 7), *np.random.default_rng(2).integers(900, 8 * len(whole), 100)]:
        content = bytearray(whole)
        content[place // 8] ^= 1 << place % 8
        damaged.write_bytes(content)
        try:
            slab = read_slab(damaged, 0, 30)
        except ImageError:
            refused += 1
            continue
        assert np.array_equal(slab.voxels, VOXELS)
    assert refused > 100


@pytest.mark.parametrize("kept", [0, 5, 20, 200, 0.5, 0.9])
def test_a_file_cut_short_is_refused(kept, path, tmp_path):
    whole = path.read_bytes()
    damaged = tmp_path / "ct.nii.gz"
    damaged.write_bytes(whole[: kept if isinstance(kept, int) else int(kept * len(whole))])
    with pytest.raises(ImageError):
        read_slab(damaged, 20, 30)


def test_an_index_of_another_volume_is_refused(path, tmp_path):
    write_slabs(tmp_path / "short.nii.gz", Volume(VOXELS[:, :, :11], AFFINE))
    short = (tmp_path / "short.nii.gz").read_bytes()
    whole = path.read_bytes()
    (_, start), (other, other_start) = read_index(whole), read_index(short)
    header = other_start + other.pieces[0].stored_bytes
    (tmp_path / "mixed.nii.gz").write_bytes(short[:header] + whole[start:])
    with pytest.raises(ImageError, match="damaged"):
        read_slab(tmp_path / "mixed.nii.gz", 0, 5)


@pytest.mark.parametrize(("first", "stop"), [(-1, 3), (3, 3), (4, 2), (29, 31)])
def test_slices_that_are_not_there_are_refused(first, stop, path):
    with pytest.raises(ConfigError, match=r"has slices 0 to 29"):
        read_slab(path, first, stop)


def test_scaled_values_and_missing_files_are_refused(tmp_path):
    image = nibabel.Nifti1Image(VOXELS, AFFINE)
    image.header.set_slope_inter(2, -1000)
    image.to_filename(tmp_path / "scaled.nii.gz")
    with pytest.raises(ImageError, match="values are scaled"):
        read_slab(tmp_path / "scaled.nii.gz", 0, 3)
    with pytest.raises(ImageError, match="can't be read"):
        read_slab(tmp_path / "absent.nii.gz", 0, 3)
    (tmp_path / "text.nii.gz").write_bytes(gzip.compress(b"text"))
    with pytest.raises(ImageError, match="not a NIfTI file"):
        read_slab(tmp_path / "text.nii.gz", 0, 3)
