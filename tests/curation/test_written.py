"""What is written is read back; a disk that keeps something else is noticed."""

import gzip
import json

import nibabel
import numpy as np
import pytest
import SimpleITK

from wirsung.curation import written
from wirsung.curation.outputs import Staging
from wirsung.curation.written import write_image, write_labels
from wirsung.errors import StorageError
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.volume import Volume

SHAPE = (9, 8, 7)
AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.8, 0, -70], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
VALUES = {"liver": 14, "pancreas": 17, "pancreas_head": 19}


def _mask(*places):
    mask = np.zeros(SHAPE, dtype=bool, order="F")
    mask[places] = True
    return Volume(mask, AFFINE)


CODES = merge_masks(
    [
        ("liver", _mask(slice(0, 3))),
        ("pancreas", _mask(slice(2, 6), slice(1, 5))),
        ("pancreas_head", _mask(slice(4, 6), slice(1, 5))),
    ]
)


@pytest.fixture
def staging(tmp_path):
    (tmp_path / "image").mkdir()
    return Staging(tmp_path / "image", tmp_path / "labels")


def test_every_file_opens_elsewhere_and_says_the_same(staging):
    label_map = write_labels(staging, CODES, VALUES)
    for name in CODES.structures:
        path = staging.mask_path(name)
        assert np.array_equal(np.asarray(nibabel.load(path).dataobj), CODES.mask(name).voxels)
        read = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(path))).transpose(2, 1, 0)
        assert np.array_equal(read, CODES.mask(name).voxels)
    combined = np.asarray(nibabel.load(staging.combined_path).dataobj)
    expected = np.zeros(SHAPE, dtype=np.uint8)
    for name, value in VALUES.items():  # later ones cover those before
        expected[CODES.mask(name).voxels] = value
    assert np.array_equal(combined, expected)
    assert np.array_equal(label_map, expected)


def test_the_table_says_the_merge_order_and_what_it_loses(staging):
    write_labels(staging, CODES, VALUES)
    table = json.loads((staging.label_folder / "labels.json").read_text())
    shared = int((CODES.mask("liver").voxels & CODES.mask("pancreas").voxels).sum())
    head = int(CODES.mask("pancreas_head").voxels.sum())
    assert table["combined"] == [
        {"structure": "liver", "value": 14, "covered_voxels": shared},
        {"structure": "pancreas", "value": 17, "covered_voxels": head},
        {"structure": "pancreas_head", "value": 19, "covered_voxels": 0},
    ]


def _write_then(change, function):
    """The function, after which a disk changes the file."""

    def changed(path, *arguments):
        function(path, *arguments)
        change(path)

    return changed


@pytest.mark.parametrize("damage", ["cut", "other voxels", "elsewhere"])
def test_an_image_that_reads_back_as_something_else_is_refused(staging, monkeypatch, damage):
    def change(path):
        content = bytearray(gzip.decompress(path.read_bytes()))
        if damage == "other voxels":
            content[400] ^= 1
        elif damage == "elsewhere":  # the origin in the sform and the qform
            for place in (268, 292):
                content[place : place + 4] = np.float32(5).tobytes()
        stored = gzip.compress(bytes(content))
        path.write_bytes(stored[:-9] if damage == "cut" else stored)

    monkeypatch.setattr(written, "write_nifti", _write_then(change, written.write_nifti))
    image = Volume(np.arange(504, dtype=np.int16).reshape(SHAPE), AFFINE)
    with pytest.raises(StorageError, match="reads back as something else"):
        write_image(staging.image_folder / "ct.nii.gz", image)


def test_a_mask_that_reads_back_as_something_else_is_refused(staging, monkeypatch):
    def change(folder):
        path = folder / "pancreas.nii.gz"
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[-1] ^= 1
        path.write_bytes(gzip.compress(bytes(content)))

    monkeypatch.setattr(written, "write_masks", _write_then(change, written.write_masks))
    with pytest.raises(StorageError, match="pancreas was written"):
        write_labels(staging, CODES, VALUES)


def test_codes_that_read_back_as_something_else_are_refused(staging, monkeypatch):
    def change(folder):
        path = folder / "labels.json"
        table = json.loads(path.read_text())
        table["structures"].reverse()
        path.write_text(json.dumps(table))

    monkeypatch.setattr(written, "write_codes", _write_then(change, written.write_codes))
    with pytest.raises(StorageError, match="labels was written"):
        write_labels(staging, CODES, VALUES)
