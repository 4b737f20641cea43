"""The NIfTI inputs that other readers are known to stumble over: read right, mended with a flag, or refused.

Images hold the value of a plane wave front at each voxel's true place; masks are true on one side of a plane.
"""

import gzip
import itertools
import struct
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import nibabel
import numpy as np
import pytest

from wirsung.errors import WirsungError
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.nifti import read_header, read_image, read_label_map, read_mask

SHAPE = (9, 8, 7)
AFFINE = np.array([[-0.8, 0, 0, 30], [0, -0.7, 0, -20], [0, 0, 2.5, -100], [0, 0, 0, 1.0]])


def places(affine, shape=SHAPE):
    return np.moveaxis(np.indices(shape), 0, -1) @ affine[:3, :3].T + affine[:3, 3]


def wave(affine, shape=SHAPE):
    return np.rint(places(affine, shape) @ [11, 17, 29] + 3000).astype(np.int16)


def half(affine):
    """A mask whose every flip differs from it."""
    return (places(affine) @ [1.0, 2.0, 0.5] < -75).astype(np.uint8)


@dataclass
class Folder:
    """Writes one image or mask, with nibabel and by hand where nibabel won't."""

    root: Path

    @property
    def path(self) -> Path:
        return self.root / "input.nii.gz"

    def save(self, voxels, affine=AFFINE, kind=nibabel.Nifti1Image, edit=None, **options):
        """sform and qform of code 1, in mm, unless `edit` says otherwise."""
        image = kind(voxels, affine, **options)
        image.set_sform(affine, 1)
        image.set_qform(affine, 1)
        image.header.set_xyzt_units("mm")
        if edit:
            edit(image.header)
        nibabel.save(image, self.path)
        return self.path

    def patch(self, voxels, *fields, affine=AFFINE):
        """Bytes of the header changed after writing: pairs of place and float32 values, or int16 ones."""
        content = bytearray(gzip.decompress(self.save(voxels, affine).read_bytes()))
        for place, form, *values in fields:
            struct.pack_into(f"<{len(values)}{form}", content, place, *values)
        self.path.write_bytes(gzip.compress(bytes(content)))
        return self.path


@pytest.fixture
def folder(tmp_path):
    return Folder(tmp_path)


QFORM_CODE, SFORM_CODE, PIXDIM, SLOPE, UNITS, SROW = 252, 254, 76, 112, 123, 280
NO_QFORM = (QFORM_CODE, "h", 0)


def sheared(amount):
    affine = AFFINE.copy()
    affine[0, 1] += amount * 0.7
    return affine


def with_values(*values):
    """The wave, its first voxels replaced."""
    voxels = wave(AFFINE).astype(np.float32)
    voxels.ravel()[: len(values)] = values
    return voxels


def in_metres(folder):
    affine = AFFINE.copy()
    affine[:3] /= 1000
    return folder.save(wave(AFFINE), affine, edit=lambda header: header.set_xyzt_units("meter"))


def scaled(slope, intercept, stored):
    return lambda folder: folder.patch(stored, (SLOPE, "f", slope, intercept))


def plain_in_gz(folder):
    content = gzip.decompress(folder.save(wave(AFFINE)).read_bytes())
    folder.path.write_bytes(content)
    return folder.path


def big_endian(folder):
    header = nibabel.Nifti1Header(endianness=">")
    return folder.save(wave(AFFINE).astype(">i2"), header=header, dtype=np.dtype(">i2"))


def broken(change):
    """A file of some hundred kilobytes, which no reader takes in at once, with its bytes changed."""

    def write(folder):
        noise = np.random.default_rng(0).integers(-1000, 1000, (60, 60, 60)).astype(np.int16)
        content = bytearray(folder.save(noise).read_bytes())
        folder.path.write_bytes(bytes(change(content)))
        return folder.path

    return write


def flipped(content, place):
    content[place] ^= 0x10
    return content


IMAGES_READ: dict[str, Callable] = {
    "pixdim[1] negative, sform valid": lambda folder: folder.patch(
        wave(AFFINE), NO_QFORM, (PIXDIM + 4, "f", -0.8)
    ),
    "slope 0 with an intercept means no scaling": scaled(0, -1024, wave(AFFINE)),
    "slope NaN means no scaling": scaled(np.nan, -1024, wave(AFFINE)),
    "slope 2 and an intercept": scaled(2, -1000, ((wave(AFFINE) // 2 * 2 + 1000) // 2).astype(np.int16)),
    "metres": in_metres,
    "an axis of length one more": lambda folder: folder.save(wave(AFFINE)[..., None]),
    "plain content named .gz": plain_in_gz,
    "big endian": big_endian,
    "int64": lambda folder: folder.save(wave(AFFINE).astype(np.int64), dtype=np.int64),
    "only a qform": lambda folder: folder.patch(wave(AFFINE), (SFORM_CODE, "h", 0)),
    "only an sform": lambda folder: folder.patch(wave(AFFINE), NO_QFORM),
    "NIfTI-2": lambda folder: folder.save(wave(AFFINE), kind=nibabel.Nifti2Image),
}

IMAGES_MENDED = {"a shear of .0005": 5e-4, "a shear of -.0009": -9e-4}

IMAGES_REFUSED: dict[str, tuple[str, Callable]] = {
    "NaN voxels": ("2 voxels are NaN", lambda folder: folder.save(with_values(np.nan, np.nan))),
    "infinite voxels": ("1 voxel is NaN or inf", lambda folder: folder.save(with_values(-np.inf))),
    "a shear of .05": (
        "not at right angles",
        lambda folder: folder.patch(wave(AFFINE), NO_QFORM, (SROW, "f", *sheared(0.05)[:3].ravel())),
    ),
    "an affine of zeros": (
        "degenerate",
        lambda folder: folder.patch(wave(AFFINE), NO_QFORM, (SROW, "f", *[0.0] * 12)),
    ),
    "NaN in the sform": ("not finite", lambda folder: folder.patch(wave(AFFINE), (SROW + 8, "f", np.nan))),
    "qform and sform differ": (
        "put a corner of the grid 3 mm apart",
        lambda folder: folder.patch(wave(AFFINE), (SROW + 12, "f", 33.0)),
    ),
    "both codes are 0": (
        "codes are 0",
        lambda folder: folder.patch(wave(AFFINE), NO_QFORM, (SFORM_CODE, "h", 0)),
    ),
    "pixdim and sform differ": (
        "its pixdim says",
        lambda folder: folder.patch(wave(AFFINE), NO_QFORM, (PIXDIM + 4, "f", 1.0)),
    ),
    "an unknown unit": ("unit of length", lambda folder: folder.patch(wave(AFFINE), (UNITS, "b", 5))),
    "four axes, one-hot": (
        "one volume of three axes",
        lambda folder: folder.save(np.zeros((*SHAPE, 3), np.uint8)),
    ),
    "two axes": ("one volume of three axes", lambda folder: folder.save(np.zeros((9, 8), np.int16))),
    "RGB24": (
        "Colour and complex images",
        lambda folder: folder.save(np.zeros(SHAPE, [("R", "u1"), ("G", "u1"), ("B", "u1")])),
    ),
    "cut to a half": ("ends too early", broken(lambda content: content[: len(content) // 2])),
    "cut by a byte": ("ends too early", broken(lambda content: content[:-1])),
    "a flipped bit": ("is damaged", broken(lambda content: flipped(content, len(content) // 2))),
    "a wrong checksum": ("is damaged", broken(lambda content: flipped(content, -8))),
    "a wrong length": ("is damaged", broken(lambda content: flipped(content, -3))),
    "bytes after the voxels": ("there are more", broken(lambda content: content + gzip.compress(b"more"))),
}

MASKS_READ: dict[str, Callable] = {
    "0 and 255": lambda folder: folder.save(half(AFFINE) * 255),
    "0 and .9999": lambda folder: folder.save(half(AFFINE) * np.float32(0.9999)),
    "0 and 1 as floats": lambda folder: folder.save(half(AFFINE).astype(np.float64)),
    "0 and 1 as int64": lambda folder: folder.save(half(AFFINE).astype(np.int64), dtype=np.int64),
    "the origin .001 mm off": lambda folder: folder.save(half(AFFINE), AFFINE + np.eye(4, k=3) * 1e-3),
}

MASKS_REFUSED: dict[str, tuple[str, Callable]] = {
    "probabilities": ("threshold them", lambda folder: folder.save(half(AFFINE) * np.float32(0.7))),
    "-1": ("such as -1", lambda folder: folder.save(-half(AFFINE).astype(np.int16))),
    "NaN": ("such as nan", lambda folder: folder.save(np.where(half(AFFINE), np.float32(np.nan), 0))),
    "the x axis negated in place": (
        "lies 13.6 mm away",
        lambda folder: folder.save(half(AFFINE), AFFINE * np.array([-1, 1, 1, 1])),
    ),
    "the origin 3 mm off": (
        "lies 3 mm away",
        lambda folder: folder.save(half(AFFINE), AFFINE + np.eye(4, k=3) * 3),
    ),
    "another shape": ("has shape", lambda folder: folder.save(half(AFFINE)[:-1])),
    "another spacing": (
        "mm away",
        lambda folder: folder.save(half(AFFINE), AFFINE @ np.diag([1.01, 1, 1, 1])),
    ),
    "an identity affine": ("mm away", lambda folder: folder.save(half(AFFINE), np.eye(4))),
}


def on_the_image(path, read=read_mask):
    """The mask as a case would use it: on the image's grid or not at all."""
    reference = nibabel.Nifti1Image(wave(AFFINE), AFFINE)
    volume = read(path)
    image = type(volume)(np.asarray(reference.dataobj), reference.affine)
    return same_grid_as(volume, image, case="case", names=("ct.nii.gz", path.name))


def test_there_are_at_least_thirty_eight():
    groups = (IMAGES_READ, IMAGES_MENDED, IMAGES_REFUSED, MASKS_READ, MASKS_REFUSED)
    assert sum(map(len, groups)) + 2 >= 38  # the flipped and the empty mask have tests of their own


@pytest.mark.parametrize("name", IMAGES_READ)
def test_an_image_is_read_right_in_every_voxel(name, folder):
    volume = read_image(IMAGES_READ[name](folder))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)
    assert np.abs(volume.voxels - wave(AFFINE)).max() <= (1 if "slope 2" in name else 0)


@pytest.mark.parametrize("name", IMAGES_MENDED)
def test_a_slight_shear_is_mended_and_said(name, folder):
    affine = sheared(IMAGES_MENDED[name])
    path = folder.patch(wave(affine), NO_QFORM, (SROW, "f", *affine[:3].ravel()))
    volume, header = read_image(path), read_header(path)
    directions = volume.affine[:3, :3] / volume.spacing_mm
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-9)
    assert 0 < header.affine_shift_mm < 0.01
    corners = np.array([*itertools.product(*[(-0.5, length - 0.5) for length in SHAPE])])
    moved_mm = corners @ (volume.affine - affine)[:3, :3].T + (volume.affine - affine)[:3, 3]
    assert np.linalg.norm(moved_mm, axis=1).max() == pytest.approx(header.affine_shift_mm, rel=0.01)


@pytest.mark.parametrize("name", IMAGES_REFUSED)
def test_an_image_that_cannot_be_right_is_refused_clearly(name, folder):
    reason, write = IMAGES_REFUSED[name]
    with pytest.raises(WirsungError, match=reason) as refusal:
        read_image(write(folder))
    assert str(refusal.value).startswith(str(folder.path))


@pytest.mark.parametrize("name", MASKS_READ)
def test_a_mask_is_read_right_in_every_voxel(name, folder):
    np.testing.assert_array_equal(on_the_image(MASKS_READ[name](folder)).voxels, half(AFFINE))


@pytest.mark.parametrize("name", MASKS_REFUSED)
def test_a_mask_that_cannot_be_right_is_refused_clearly(name, folder):
    reason, write = MASKS_REFUSED[name]
    path = write(folder)
    with pytest.raises(WirsungError, match=reason):
        on_the_image(path)


@pytest.mark.parametrize("flip", list(itertools.product([1, -1], repeat=3)))
def test_a_mask_stored_in_another_direction_is_turned_exactly(flip, folder):
    turned = AFFINE @ np.diag([*flip, 1.0])
    for axis, sign in enumerate(flip):
        if sign < 0:
            turned[:3, 3] += AFFINE[:3, axis] * (SHAPE[axis] - 1)
    np.testing.assert_array_equal(on_the_image(folder.save(half(turned), turned)).voxels, half(AFFINE))


@pytest.mark.parametrize("read", [read_mask, read_label_map])
def test_an_empty_mask_is_empty(read, folder):
    assert not on_the_image(folder.save(np.zeros(SHAPE, np.uint8)), read).voxels.any()


TYPES = ("u1", "i1", "<i2", ">i2", "<u2", "<i4", ">i4", "<u4", "<i8", "<f4", ">f4", "<f8")
ORIENTATIONS = tuple(
    itertools.product(itertools.permutations(range(3)), itertools.product([1, -1], repeat=3))
)


@pytest.mark.parametrize("codes", [(1, 1), (2, 0), (0, 1), (4, 4), (1, 2), (0, 3)])
@pytest.mark.parametrize("oblique", [False, True], ids=["straight", "oblique"])
def test_no_clean_file_is_refused(oblique, codes, folder):
    """All 48 orientations, every number type and byte order, and six pairs of codes: 576 files."""
    turn = np.eye(4)
    if oblique:
        cosine, sine = np.cos(0.3), np.sin(0.3)
        turn[:3, :3] = [[cosine, -sine, 0], [sine, cosine, 0], [0, 0, 1]]
    for number, (axes, signs) in enumerate(ORIENTATIONS):
        affine = np.eye(4)
        affine[:3, :3] = np.eye(3)[:, axes] * signs * [0.78, 0.91, 2.5]
        affine[:3, 3] = [-120.5, 80.25, -300]
        affine = turn @ affine
        dtype = np.dtype(TYPES[number % len(TYPES)])
        voxels = np.random.default_rng(number).integers(0, 100, (4, 3, 5)).astype(dtype)
        order = ">" if dtype.byteorder == ">" else "<"
        image = nibabel.Nifti1Image(voxels, affine, nibabel.Nifti1Header(endianness=order), dtype=dtype)
        image.set_sform(affine, codes[0])
        image.set_qform(affine, codes[1])
        image.header.set_xyzt_units("mm" if number % 2 else "unknown")
        path = folder.root / ("clean.nii" if number % 3 == 0 else "clean.nii.gz")
        nibabel.save(image, path)
        volume = read_image(path)
        np.testing.assert_array_equal(volume.voxels, voxels)
        np.testing.assert_allclose(volume.affine, affine, atol=2e-4)
        assert read_header(path).affine_shift_mm < 1e-3
