import gzip

import numpy as np
import pytest

from wirsung.errors import ImageError
from wirsung.imaging.nifti_content import read_content, read_header
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

VOXELS = np.arange(24, dtype=np.int16).reshape(2, 3, 4)


@pytest.fixture
def content(tmp_path):
    """A whole file, inflated."""
    write_nifti(tmp_path / "whole.nii", Volume(VOXELS, np.eye(4)))
    return (tmp_path / "whole.nii").read_bytes()


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.nii.gz"


def test_voxels_come_flat_and_in_file_order(content, path):
    path.write_bytes(gzip.compress(content))
    header, raw = read_content(path)
    assert header.shape == (2, 3, 4)
    np.testing.assert_array_equal(raw, VOXELS.ravel(order="F"))


@pytest.mark.parametrize("name", ["plain.nii.gz", "plain.nii", "packed.nii", "packed.nii.gz"])
def test_content_decides_whether_it_is_compressed(name, content, tmp_path):
    path = tmp_path / name
    path.write_bytes(gzip.compress(content) if name.startswith("packed") else content)
    np.testing.assert_array_equal(read_content(path)[1], VOXELS.ravel(order="F"))
    assert read_header(path).shape == (2, 3, 4)


def test_several_gzip_streams_and_zeros_after_them_are_one_file(content, path):
    packed = b"".join(gzip.compress(content[start : start + 100]) for start in range(0, len(content), 100))
    path.write_bytes(packed + bytes(512))
    np.testing.assert_array_equal(read_content(path)[1], VOXELS.ravel(order="F"))
    assert read_header(path).shape == (2, 3, 4)


@pytest.mark.parametrize("packed", [False, True])
def test_a_byte_too_many_or_too_few_is_refused(packed, content, path):
    for changed, found in ((content + b"\0", "more"), (content[:-1], f"only {len(content) - 1}")):
        path.write_bytes(gzip.compress(changed) if packed else changed)
        with pytest.raises(ImageError, match=f"promises {len(content)} bytes, but there are {found}"):
            read_content(path)


@pytest.mark.parametrize("place", [-1, -4, -5, -8], ids=["length", "length low", "checksum", "checksum low"])
def test_a_wrong_trailer_is_refused(place, content, path):
    packed = bytearray(gzip.compress(content))
    packed[place] ^= 1
    path.write_bytes(packed)
    with pytest.raises(ImageError, match="fails its own check"):
        read_content(path)


def test_text_after_the_gzip_stream_is_refused(content, path):
    path.write_bytes(gzip.compress(content) + b"and more")
    with pytest.raises(ImageError, match="fails its own check"):
        read_content(path)


def test_a_huge_stream_is_not_inflated_beyond_what_the_header_promises(content, path):
    path.write_bytes(gzip.compress(content + bytes(200_000_000), 1))
    with pytest.raises(ImageError, match="but there are more"):
        read_content(path)


def test_missing_and_empty_files_and_folders_are_refused(tmp_path, path):
    with pytest.raises(ImageError, match="can't be read"):
        read_content(path)
    with pytest.raises(ImageError, match="can't be read"):
        read_content(tmp_path)
    path.touch()
    with pytest.raises(ImageError, match="is empty"):
        read_content(path)


def test_something_else_in_gzip_is_no_nifti(path):
    path.write_bytes(gzip.compress(b"text " * 1000))
    with pytest.raises(ImageError, match="is not a NIfTI file"):
        read_content(path)
