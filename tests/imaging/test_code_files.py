"""Codes, masks and CT on disk, read back by Wirsung and by everything else that is at hand."""

import gzip
import hashlib
import json
import shutil
import subprocess

import nibabel
import numpy as np
import pytest
import SimpleITK
from isal import isal_zlib

from wirsung.errors import ConfigError, GeometryError, ImageError, LabelError
from wirsung.imaging.code_files import read_codes, write_codes, write_mask, write_masks
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.nifti import read_image, read_mask
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.slab_reading import read_slab
from wirsung.imaging.slab_writing import write_slabs
from wirsung.imaging.volume import Volume

AFFINE = np.array([[-0.8, 0, 0, 90], [0, 0.8, 0, -70], [0, 0, 2.5, 10], [0, 0, 0, 1.0]])
SHAPE = (97, 83, 41)
DECOMPRESSION_STREAM = """
const fs = require("fs"), { createHash } = require("crypto");
(async () => {
  for (const path of process.argv.slice(1)) {
    const stream = new Blob([fs.readFileSync(path)]).stream().pipeThrough(new DecompressionStream("gzip"));
    const content = Buffer.from(await new Response(stream).arrayBuffer());
    console.log(createHash("sha256").update(content).digest("hex"));
  }
})();
"""


def ball(centre, radius):
    grid = np.moveaxis(np.indices(SHAPE), 0, -1)
    return ((grid - centre) ** 2).sum(axis=-1) < radius**2


MASKS = {
    "liver": ball((30, 40, 20), 28),
    "pancreas": ball((60, 45, 22), 17),
    "pancreas_head": ball((66, 45, 22), 9),
    "pancreatic_lesion": ball((70, 45, 22), 1),
    "spleen": np.zeros(SHAPE, dtype=bool),
    "everything": np.ones(SHAPE, dtype=bool),
    "checkerboard": np.indices(SHAPE).sum(axis=0) % 2 == 0,
}


@pytest.fixture(scope="module")
def expected():
    """What each file holds."""
    ct = np.random.default_rng(4).normal(40, 12, SHAPE).astype(np.int16)
    return {"ct": ct} | {name: mask.astype(np.uint8) for name, mask in MASKS.items()}


@pytest.fixture(scope="module")
def codes():
    return merge_masks((name, Volume(mask, AFFINE)) for name, mask in MASKS.items())


@pytest.fixture(scope="module")
def folder(tmp_path_factory, codes, expected):
    folder = tmp_path_factory.mktemp("case")
    write_slabs(folder / "ct.nii.gz", Volume(expected["ct"], AFFINE))
    write_masks(folder, codes)
    write_codes(folder, codes)
    return folder


def test_codes_come_back_and_so_does_every_mask(folder, codes):
    found = read_codes(folder)
    assert (found.patterns, found.structures) == (codes.patterns, codes.structures)
    assert np.array_equal(found.volume.voxels, codes.volume.voxels)
    assert all(np.array_equal(found.mask(name).voxels, mask) for name, mask in MASKS.items())


def test_a_slab_of_codes_can_be_read(folder, codes):
    assert np.array_equal(read_slab(folder / "labels.nii.gz", 5, 9).voxels, codes.volume.voxels[:, :, 5:9])


def test_two_byte_codes_come_back(tmp_path):
    numbers = np.arange(1024).reshape(16, 16, 4)
    codes = merge_masks((f"bit_{bit}", Volume(numbers >> bit & 1 == 1, AFFINE)) for bit in range(10))
    write_codes(tmp_path, codes)
    assert np.array_equal(read_codes(tmp_path).volume.voxels, numbers)


def test_masks_are_what_write_nifti_writes_inflated(folder, tmp_path):
    for name, mask in MASKS.items():
        write_nifti(tmp_path / "plain.nii", Volume(mask, AFFINE))
        inflated = gzip.decompress((folder / f"{name}.nii.gz").read_bytes())
        assert inflated == (tmp_path / "plain.nii").read_bytes()


def test_a_single_mask_is_the_same_file(folder, tmp_path):
    for name, mask in MASKS.items():
        write_mask(tmp_path / "mask.nii.gz", Volume(mask, AFFINE))
        assert (tmp_path / "mask.nii.gz").read_bytes() == (folder / f"{name}.nii.gz").read_bytes()


def test_the_strict_reader_takes_them(folder, expected):
    assert np.array_equal(read_image(folder / "ct.nii.gz").voxels, expected["ct"])
    for name, mask in MASKS.items():
        found = read_mask(folder / f"{name}.nii.gz")
        assert np.array_equal(found.voxels, mask)
        np.testing.assert_allclose(found.affine, AFFINE, atol=1e-5)


def test_nibabel_reads_them(folder, expected):
    for name, voxels in expected.items():
        image = nibabel.load(folder / f"{name}.nii.gz")
        assert image.get_data_dtype() == voxels.dtype
        assert np.array_equal(np.asanyarray(image.dataobj), voxels)


def test_simpleitk_reads_them(folder, expected):
    for name, voxels in expected.items():
        image = SimpleITK.ReadImage(str(folder / f"{name}.nii.gz"))
        assert np.array_equal(SimpleITK.GetArrayFromImage(image).transpose(2, 1, 0), voxels)
        np.testing.assert_allclose(image.GetSpacing(), (0.8, 0.8, 2.5), rtol=1e-6)


def test_isal_reads_them(folder, expected):
    for name, voxels in expected.items():
        inflated = isal_zlib.decompress((folder / f"{name}.nii.gz").read_bytes(), wbits=31)
        assert inflated[352:] == voxels.tobytes(order="F")


@pytest.mark.skipif(shutil.which("gzip") is None, reason="gzip is not installed")
def test_gzip_finds_them_whole(folder):
    done = subprocess.run(
        ["gzip", "-t", *sorted(folder.glob("*.gz"))], capture_output=True, text=True, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(shutil.which("node") is None, reason="node is not installed")
def test_the_stream_of_browsers_reads_them(folder):
    paths = sorted(folder.glob("*.gz"))
    command = ["node", "-e", DECOMPRESSION_STREAM, *paths]
    done = subprocess.run(command, capture_output=True, text=True, check=True)
    contents = [gzip.decompress(path.read_bytes()) for path in paths]
    assert done.stdout.split() == [hashlib.sha256(content).hexdigest() for content in contents]


def test_a_table_of_other_codes_is_refused(folder, codes, tmp_path):
    write_codes(tmp_path, codes)
    other = codes.volume.voxels.copy()
    other[0, 0, 0] ^= 1
    write_slabs(tmp_path / "labels.nii.gz", Volume(other, AFFINE))
    with pytest.raises(LabelError, match="does not belong to the labels"):
        read_codes(tmp_path)


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("schema", 2),
        ("structures", [1, 2, 3]),
        ("structures", None),
        ("patterns", [[], [99]]),
        ("patterns", [[], [-1]]),
        ("patterns", [0, 1]),
        ("more", 1),
    ],
)
def test_a_damaged_table_is_refused(key, value, codes, tmp_path):
    write_codes(tmp_path, codes)
    table = json.loads((tmp_path / "labels.json").read_text()) | {key: value}
    (tmp_path / "labels.json").write_text(json.dumps(table))
    with pytest.raises(LabelError, match="no table of codes"):
        read_codes(tmp_path)


def test_a_table_that_is_missing_or_no_json_is_refused(codes, tmp_path):
    with pytest.raises(ImageError, match="can't be read"):
        read_codes(tmp_path)
    write_codes(tmp_path, codes)
    (tmp_path / "labels.json").write_text("{")
    with pytest.raises(LabelError, match="missing or is no table"):
        read_codes(tmp_path)
    (tmp_path / "labels.json").unlink()
    with pytest.raises(LabelError, match="missing or is no table"):
        read_codes(tmp_path)


def test_what_is_no_mask_is_not_written(tmp_path):
    mask = np.ones((3, 3, 3), dtype=bool)
    sheared = AFFINE.copy()
    sheared[0, 1] = 0.3
    with pytest.raises(ConfigError, match=r"named \.nii\.gz"):
        write_mask(tmp_path / "mask.nii", Volume(mask, AFFINE))
    with pytest.raises(LabelError, match="these are uint8"):
        write_mask(tmp_path / "mask.nii.gz", Volume(mask.astype(np.uint8), AFFINE))
    with pytest.raises(GeometryError, match="right angles"):
        write_mask(tmp_path / "mask.nii.gz", Volume(mask, sheared))
    assert list(tmp_path.iterdir()) == []
