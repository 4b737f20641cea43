"""Masks read as runs, held against nibabel and numpy."""

import gzip

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis.extra.numpy import arrays

from wirsung.errors import WirsungError
from wirsung.imaging.nifti import read_mask
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.run_reading import header_of_mask, read_runs
from wirsung.imaging.volume import Volume

AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.8, 0, -70], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
SHAPE = (61, 53, 30)
GRID = np.moveaxis(np.indices(SHAPE), 0, -1)
BALL = ((GRID - (30, 25, 15)) ** 2).sum(axis=-1) < 12**2


@pytest.mark.parametrize("level", [1, 6, 9])
@pytest.mark.parametrize("mask", [BALL, ~BALL, BALL & False, BALL | True], ids=["in", "out", "none", "all"])
def test_a_mask_that_nibabel_wrote_is_read_as_it_is(tmp_path, monkeypatch, mask, level):
    monkeypatch.setattr(nibabel.openers.Opener, "default_compresslevel", level)
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(mask.astype(np.uint8), AFFINE), path)
    found = read_runs(path)
    assert np.array_equal(found.volume().voxels, mask)
    assert np.allclose(found.affine, AFFINE, atol=1e-5)


@given(arrays(np.bool_, (7, 5, 3)))
def test_any_mask_comes_back_from_the_encoder(tmp_path_factory, mask):
    path = tmp_path_factory.mktemp("masks") / "mask.nii.gz"
    write_nifti(path, Volume(mask, AFFINE))
    found = read_runs(path).volume()
    assert np.array_equal(found.voxels, mask)
    assert np.array_equal(found.affine, read_mask(path).affine)


@pytest.mark.parametrize(
    "voxels",
    [
        BALL * np.uint8(255),
        BALL.astype(np.int16),
        BALL.astype(np.float32),
        BALL * np.uint8(2),
        np.random.default_rng(1).integers(0, 2, SHAPE, dtype=np.uint8) * np.uint8(1),
    ],
    ids=["255", "int16", "float32", "label 2", "noise"],
)
def test_what_is_no_plain_mask_is_left_to_the_other_reader(tmp_path, voxels):
    path = tmp_path / "mask.nii.gz"
    nibabel.save(nibabel.Nifti1Image(voxels, AFFINE), path)
    found = read_runs(path)
    assert found is None or np.array_equal(found.volume().voxels, voxels == 1)
    if voxels.dtype != np.uint8 or voxels.max() > 1:
        assert found is None


def test_a_file_without_compression_or_without_bytes_is_left_to_the_other_reader(tmp_path):
    nibabel.save(nibabel.Nifti1Image(BALL.astype(np.uint8), AFFINE), tmp_path / "mask.nii")
    (tmp_path / "empty.nii.gz").touch()
    assert read_runs(tmp_path / "mask.nii") is None
    assert read_runs(tmp_path / "empty.nii.gz") is None
    assert read_runs(tmp_path / "missing.nii.gz") is None


@pytest.mark.parametrize("writer", ["ours", "nibabel"])
def test_no_cut_and_no_flipped_bit_is_read_as_another_mask(tmp_path, writer):
    path, hurt = tmp_path / "mask.nii.gz", tmp_path / "hurt.nii.gz"
    if writer == "ours":
        write_nifti(path, Volume(BALL, AFFINE))
    else:
        nibabel.save(nibabel.Nifti1Image(BALL.astype(np.uint8), AFFINE), path)
    whole = path.read_bytes()
    for count in np.linspace(0, len(whole) - 1, 60).astype(int):
        hurt.write_bytes(whole[:count])
        assert not _is_read(hurt), f"cut after {count} bytes"
    for bit in np.random.default_rng(2).integers(80, 8 * len(whole), 300):  # of the stream and its checks
        flipped = bytearray(whole)
        flipped[bit // 8] ^= 1 << int(bit % 8)
        hurt.write_bytes(flipped)
        if _is_read(hurt):
            assert np.array_equal(read_runs(hurt).volume().voxels, BALL), f"bit {bit}"


def test_bytes_behind_the_member_are_not_passed_over(tmp_path):
    path = tmp_path / "mask.nii.gz"
    write_nifti(path, Volume(BALL, AFFINE))
    whole = path.read_bytes()
    path.write_bytes(whole + bytes(8))  # as tapes leave them
    assert np.array_equal(read_runs(path).volume().voxels, BALL)
    path.write_bytes(whole + b"more")
    assert read_runs(path) is None


def test_the_header_of_a_mask_is_told_and_of_an_image_is_not(tmp_path):
    path = tmp_path / "mask.nii.gz"
    write_nifti(path, Volume(BALL, AFFINE))
    assert header_of_mask(path.read_bytes()) == gzip.decompress(path.read_bytes())[:352]
    write_nifti(path, Volume(BALL * np.int16(70), AFFINE))
    assert header_of_mask(path.read_bytes()) is None
    assert header_of_mask(b"no gzip") is None
    assert header_of_mask(gzip.compress(bytes(1000))) is None


def _is_read(path):
    try:
        return read_runs(path) is not None
    except WirsungError:
        return False
