"""What the header of a NIfTI file says about grid, number type and scaling, checked as it is read."""

from dataclasses import dataclass
from pathlib import Path

import numpy as np
from nibabel.nifti1 import Nifti1Header
from nibabel.nifti2 import Nifti2Header
from nibabel.spatialimages import HeaderDataError

from wirsung.errors import GeometryError, ImageError
from wirsung.imaging.arrays import Affine
from wirsung.imaging.geometry import grid_corners_mm

LONGEST_HEADER = 540
_MAGIC = {348: b"n+1", 540: b"n+2"}
_NOT_NIFTI = "is not a NIfTI file, whatever its name says. Convert it with its own software first."
_UNIT_MM = {0: 1.0, 1: 1000.0, 2: 1.0, 3: 0.001}
"""Factor to mm by NIfTI's unit code; no unit is taken as mm, as every reader does."""
_LARGEST_DISAGREEMENT_VOXELS = 0.05
_ORTHONORMAL = 1e-5
_REPAIRABLE = 1e-3


@dataclass(frozen=True)
class NiftiHeader:
    """A header that passed every check that needs no voxels."""

    shape: tuple[int, int, int]
    dtype: np.dtype
    """As stored, with its byte order."""
    offset: int
    """Byte at which the voxels begin."""
    slope: float
    intercept: float
    affine: Affine
    """Voxel index to RAS+ mm, orthogonal."""
    affine_shift_mm: float
    """How far the farthest corner moved where a slight shear was repaired, else 0."""

    @property
    def is_scaled(self) -> bool:
        """Whether stored values differ from meant ones."""
        return (self.slope, self.intercept) != (1.0, 0.0)

    @property
    def file_bytes(self) -> int:
        """Exact length of the file, inflated."""
        return self.offset + int(np.prod(self.shape, dtype=np.int64)) * self.dtype.itemsize


def parse_header(content: bytes, path: Path) -> NiftiHeader:
    """The header at the beginning of `content`.

    Raises:
        ImageError: Not a NIfTI file, or one that can't hold a scalar volume.
        GeometryError: The header puts the voxels nowhere, or at two places.
    """
    raw = _raw_header(content, path)
    shape = _shape(raw, path)
    affine, shift_mm = orthogonal_affine(_placed(raw, shape, path), shape, path)
    slope, intercept = _scaling(raw, path)
    return NiftiHeader(shape, _dtype(raw, path), _offset(raw, path), slope, intercept, affine, shift_mm)


def orthogonal_affine(affine: Affine, shape: tuple[int, int, int], path: Path) -> tuple[Affine, float]:
    """The affine with right angles, and how far in mm its farthest corner moved for that.

    Angles off by up to 1e-3 come from rounded headers and are mended by the nearest rotation; the first voxel
    stays where it is.

    Raises:
        GeometryError: The axes are not at right angles, or an axis has no length.
    """
    lengths = np.linalg.norm(affine[:3, :3], axis=0)
    if not np.isfinite(affine).all() or (lengths == 0).any():
        msg = f"{path}: its affine is degenerate or not finite, so its voxels have no place. Export it again."
        raise GeometryError(msg)
    directions = affine[:3, :3] / lengths
    deviation = float(np.abs(directions.T @ directions - np.eye(3)).max())
    if deviation <= _ORTHONORMAL:
        return affine, 0.0
    if deviation > _REPAIRABLE:
        msg = (
            f"{path}: its axes are not at right angles (their cosines reach {deviation:.2g}, and up to"
            f" {_REPAIRABLE:g} is mended). Resample it to a grid without shear, or convert it again."
        )
        raise GeometryError(msg)
    left, _, right = np.linalg.svd(directions)
    mended = affine.copy()
    mended[:3, :3] = left @ right * lengths
    corners_mm = grid_corners_mm(shape, mended) - grid_corners_mm(shape, affine)
    return mended, float(np.linalg.norm(corners_mm, axis=1).max())


def _raw_header(content: bytes, path: Path) -> Nifti1Header:
    size, order = _size_and_order(content)
    if size not in _MAGIC or len(content) < size:
        msg = f"{path} {_NOT_NIFTI}"
        raise ImageError(msg)
    kind = Nifti1Header if size == 348 else Nifti2Header
    raw = kind(content[:size], order, check=False)
    magic = bytes(raw["magic"].tobytes())[:3]
    if magic in (b"ni1", b"ni2"):
        msg = f"{path} is half of a pair of .hdr and .img files. Convert the pair to one .nii.gz file."
        raise ImageError(msg)
    if magic != _MAGIC[size]:
        msg = f"{path} {_NOT_NIFTI}"
        raise ImageError(msg)
    return raw


def _size_and_order(content: bytes) -> tuple[int, str]:
    for order, name in (("<", "little"), (">", "big")):
        size = int.from_bytes(content[:4], "little" if name == "little" else "big")
        if size in _MAGIC:
            return size, order
    return 0, "<"


def _shape(raw: Nifti1Header, path: Path) -> tuple[int, int, int]:
    axes = int(raw["dim"][0])
    lengths = [int(length) for length in raw["dim"][1 : axes + 1]] if 1 <= axes <= 7 else []
    if len(lengths) < 3 or min(lengths) < 1 or max([1, *lengths[3:]]) > 1:
        shown = " x ".join(map(str, lengths)) or "none"
        remedy = (
            "Extract one volume first" if len(lengths) > 2 else "Save a slice with a third axis of length 1"
        )
        msg = f"{path}: one volume of three axes is needed, but its axes are {shown}. {remedy}."
        raise ImageError(msg)
    return lengths[0], lengths[1], lengths[2]


def _dtype(raw: Nifti1Header, path: Path) -> np.dtype:
    try:
        dtype: np.dtype = raw.get_data_dtype()
    except (HeaderDataError, KeyError):
        dtype = np.dtype(object)
    if dtype.kind not in "iuf" or dtype.itemsize > 8 or dtype.itemsize * 8 != int(raw["bitpix"]):
        code, bits = int(raw["datatype"]), int(raw["bitpix"])
        msg = (
            f"{path}: its number type (NIfTI code {code}, {bits} bits) is not an integer or a float of at"
            " most 64 bits. Colour and complex images can't be used."
        )
        raise ImageError(msg)
    return dtype


def _offset(raw: Nifti1Header, path: Path) -> int:
    offset = float(raw["vox_offset"])
    least = int(raw["sizeof_hdr"]) + 4
    if not (np.isfinite(offset) and offset >= least and offset == int(offset)):
        msg = f"{path}: its voxels begin at byte {offset:g}, but {least} is the least. The header is damaged."
        raise ImageError(msg)
    return int(offset)


def _scaling(raw: Nifti1Header, path: Path) -> tuple[float, float]:
    """Slope and intercept; a slope of 0 or NaN means none of both, as the standard says."""
    slope, intercept = float(raw["scl_slope"]), float(raw["scl_inter"])
    if slope == 0 or np.isnan(slope):
        return 1.0, 0.0
    if not (np.isfinite(slope) and np.isfinite(intercept)):
        msg = (
            f"{path}: its scaling (slope {slope:g}, intercept {intercept:g}) is not finite. Export it again."
        )
        raise ImageError(msg)
    return slope, intercept


def _placed(raw: Nifti1Header, shape: tuple[int, int, int], path: Path) -> Affine:
    """The affine in mm from sform, else qform; both only where they agree."""
    sform = _checked(np.asarray(raw.get_sform(), dtype=np.float64), path) if raw["sform_code"] > 0 else None
    qform = _qform(raw, path) if raw["qform_code"] > 0 else None
    if sform is None and qform is None:
        msg = f"{path}: it does not say where its voxels are (sform and qform codes are 0). Export it again."
        raise GeometryError(msg)
    placed = sform if sform is not None else qform
    if sform is not None and qform is not None:
        _check_agreement(sform, qform, shape, path)
    elif sform is not None:
        _check_spacing(raw, sform, shape, path)
    code = int(raw["xyzt_units"]) & 0x07
    if code not in _UNIT_MM or placed is None:
        msg = (
            f"{path}: its unit of length has code {code}, which NIfTI does not define. Its header is damaged."
        )
        raise ImageError(msg)
    return np.diag([*[_UNIT_MM[code]] * 3, 1.0]) @ placed


def _qform(raw: Nifti1Header, path: Path) -> Affine:
    header = raw.copy()
    if header["pixdim"][0] == 0:
        header["pixdim"][0] = 1  # The standard: 0 means 1.
    try:
        return _checked(np.asarray(header.get_qform(), dtype=np.float64), path)
    except (HeaderDataError, ValueError) as error:
        msg = f"{path}: its qform is not a rotation with positive spacing. Export it again."
        raise GeometryError(msg) from error


def _checked(affine: Affine, path: Path) -> Affine:
    directions = affine[:3, :3]
    if not np.isfinite(affine).all() or (np.linalg.norm(directions, axis=0) == 0).any():
        msg = f"{path}: its affine is degenerate or not finite, so its voxels have no place. Export it again."
        raise GeometryError(msg)
    if np.linalg.matrix_rank(directions / np.linalg.norm(directions, axis=0), tol=1e-3) < 3:
        msg = f"{path}: two axes of its affine are parallel, so its voxels have no place. Export it again."
        raise GeometryError(msg)
    return affine


def _check_spacing(raw: Nifti1Header, sform: Affine, shape: tuple[int, int, int], path: Path) -> None:
    """The spacing field against an sform that stands alone; some readers take one, some the other."""
    given = np.abs(np.asarray(raw["pixdim"][1:4], dtype=np.float64))
    spacing = np.linalg.norm(sform[:3, :3], axis=0)
    off = np.abs(given - spacing) * np.array(shape) > _LARGEST_DISAGREEMENT_VOXELS * spacing
    if (off & (given > 0) & np.isfinite(given)).any():
        shown = [", ".join(f"{value:.5g}" for value in values) for values in (given, spacing)]
        msg = (
            f"{path}: its pixdim says ({shown[0]}) mm for the spacing, but its sform ({shown[1]}) mm."
            " Find out which one is right, and write it into both."
        )
        raise GeometryError(msg)


def _check_agreement(sform: Affine, qform: Affine, shape: tuple[int, int, int], path: Path) -> None:
    corners_mm = grid_corners_mm(shape, sform) - grid_corners_mm(shape, qform)
    apart_mm = float(np.linalg.norm(corners_mm, axis=1).max())
    apart_voxels = float(np.linalg.norm(np.linalg.solve(sform[:3, :3], corners_mm.T), axis=0).max())
    if apart_voxels > _LARGEST_DISAGREEMENT_VOXELS:
        msg = (
            f"{path}: its sform and qform put a corner of the grid {apart_mm:.3g} mm apart, so its place is"
            " unsure. Find out which one is right, and write it into both."
        )
        raise GeometryError(msg)
