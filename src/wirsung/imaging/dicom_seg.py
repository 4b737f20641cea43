"""DICOM SEG as masks on the grid of the image that it was drawn on.

Each frame says itself where it lies, so frames may come in any order, empty ones may be missing, and segments
may overlap. A frame is put where its own corners are; nothing is interpolated.

Source:
    DICOM PS3.3 A.51 and C.8.20 (segmentation), C.7.6.16 (functional groups).
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import Any, Literal, cast

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID

from wirsung.errors import GeometryError, ImageError, LabelError, WirsungError
from wirsung.imaging.arrays import Affine, Mask
from wirsung.imaging.dicom_headers import numbers, quietly, text
from wirsung.imaging.dicom_regions import LABEL_MAP, SEGMENTATION, Region, coded, damaged
from wirsung.imaging.frame_placing import place_of
from wirsung.imaging.volume import Volume

Form = Literal["BINARY", "FRACTIONAL", "LABELMAP"]
Plane = NDArray[np.bool_]

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_FORMS = ("BINARY", "FRACTIONAL", "LABELMAP")
_TOLERANCE_MM = 0.01


@dataclass(frozen=True)
class Frame:
    """Where one frame lies and what it shows."""

    segment: int
    """Its number; 0 in a label map, whose values are the numbers."""
    affine: Affine
    """Column, row and a step of 1 mm along the normal to RAS+ mm."""


@dataclass(frozen=True)
class Segmentation:
    """A SEG that was read."""

    where: str
    """For messages."""
    form: Form
    regions: tuple[Region, ...]
    frames: tuple[Frame, ...]
    shape: tuple[int, int]
    """Columns and rows of a frame."""
    half: float
    """From this stored value on, a voxel of a FRACTIONAL one is inside: half of the largest it allows."""
    stored: Callable[[int], NDArray[Any]] = field(repr=False)
    """The values of a frame by its number: row, column."""


def read_segmentation(path: Path, *, where: str = "") -> Segmentation:
    """The segments and frames of a SEG.

    Args:
        path: A file of any transfer syntax that pydicom's plug-ins read.
        where: For messages; the file's name by default.

    Raises:
        ImageError: It is cut, damaged, compressed in an unknown way, or says not where its frames lie.
    """
    where = where or path.name
    try:
        with quietly():
            return _parsed(pydicom.dcmread(path, force=True), where)
    except WirsungError:
        raise
    except Exception:  # pydicom's own texts quote the header
        raise damaged(where, "it is cut or damaged") from None


def segment_mask(found: Segmentation, segments: Sequence[int], image: Volume) -> Mask:
    """The voxels of one or more segments on the image's grid, together.

    A voxel of a FRACTIONAL segmentation is inside from half of MaximumFractionalValue on.

    Args:
        found: From `read_segmentation`.
        segments: Their numbers.
        image: In any order of axes.

    Raises:
        GeometryError: A frame lies beside the image's voxels; the message gives the distance in mm.
        LabelError: A frame shows a voxel that the image does not have.
    """
    mask = np.zeros(image.shape, dtype=bool)
    for frame, inside in planes_of(found, segments):
        place = place_of(frame.affine, found.shape, image)
        if place.distance_mm > _TOLERANCE_MM:
            raise _beside(found.where, place.distance_mm)
        outside = place.put(inside.T, mask)
        if outside:
            msg = f"{found.where} marks {outside} voxels beyond the image. Take the one of this series."
            raise LabelError(msg)
    return mask


def segment_volume(found: Segmentation, segments: Sequence[int]) -> Volume:
    """The voxels of one or more segments on the segmentation's own grid; frames that are missing are empty.

    Raises:
        GeometryError: Its frames lie on no regular grid, or there is only one.
    """
    first = found.frames[0].affine
    heights = np.array([frame.affine[:3, 3] @ first[:3, 2] for frame in found.frames])
    planes = np.unique(heights.round(3))
    if len(planes) == 1:
        msg = f"{found.where} has one plane, so it can't be resampled: nobody knows how thick it is."
        raise GeometryError(msg)
    step_mm = float(np.diff(planes).min())
    rows = np.rint((heights - heights.min()) / step_mm).astype(int)
    affine = first.copy()
    affine[:3, 3] = found.frames[int(heights.argmin())].affine[:3, 3]
    affine[:3, 2] *= step_mm
    voxels = np.zeros((*found.shape, int(rows.max()) + 1), dtype=bool)
    for frame, inside in planes_of(found, segments):
        k = int(np.rint((frame.affine[:3, 3] @ first[:3, 2] - heights.min()) / step_mm))
        meant = affine[:3, 3] + k * affine[:3, 2]
        off_mm = float(np.linalg.norm(frame.affine[:3, 3] - meant))
        if off_mm > _TOLERANCE_MM or not np.allclose(frame.affine[:3, :3], first[:3, :3], atol=1e-6):
            raise _beside(found.where, off_mm)
        voxels[..., k] |= inside.T
    return Volume(voxels, affine)


def planes_of(found: Segmentation, segments: Sequence[int]) -> Iterator[tuple[Frame, Plane]]:
    """Each frame with a voxel of the segments, and where it has them: row, column."""
    for number, frame in enumerate(found.frames):
        if found.form == "LABELMAP":
            inside = np.isin(found.stored(number), segments)
        elif frame.segment in segments:
            inside = found.stored(number) >= (found.half if found.form == "FRACTIONAL" else 1)
        else:
            continue
        if inside.any():
            yield frame, inside


def _parsed(header: Dataset, where: str) -> Segmentation:
    if text(header.get("SOPClassUID")) not in (SEGMENTATION, LABEL_MAP):
        msg = f"{where} is no DICOM SEG. Name a segmentation."
        raise ImageError(msg)
    form = text(header.get("SegmentationType")).upper()
    if form not in _FORMS:
        raise damaged(where, "its SegmentationType is none of BINARY, FRACTIONAL and LABELMAP")
    frames = _frames(header, where, is_map=form == "LABELMAP")
    regions = tuple(_region(item) for item in header.SegmentSequence)
    _check_numbers(regions, frames, where)
    return Segmentation(
        where=where,
        form=cast(Form, form),
        regions=regions,
        frames=frames,
        shape=(int(header.Columns), int(header.Rows)),
        half=float(header.get("MaximumFractionalValue") or 255) / 2,
        stored=_stored(header, len(frames), where),
    )


def _region(item: Dataset) -> Region:
    code, side = coded(item, "SegmentedPropertyTypeCodeSequence", "SegmentedPropertyTypeModifierCodeSequence")
    for kind in item.get("SegmentedPropertyTypeCodeSequence") or ():
        side = side or coded(kind, "", "SegmentedPropertyTypeModifierCodeSequence")[1]
    return Region(int(item.SegmentNumber), text(item.get("SegmentLabel")), code, side)


def _check_numbers(regions: Sequence[Region], frames: Sequence[Frame], where: str) -> None:
    known = [region.number for region in regions]
    if len(set(known)) != len(known):
        raise damaged(where, "two of its segments have one number")
    if any(frame.segment not in known for frame in frames if frame.segment):
        raise damaged(where, "a frame shows a segment that it doesn't describe")


def _frames(header: Dataset, where: str, *, is_map: bool) -> tuple[Frame, ...]:
    groups = list(header.get("PerFrameFunctionalGroupsSequence") or [])
    if len(groups) != int(header.NumberOfFrames) or not groups:
        raise damaged(where, "it doesn't describe each of its frames")
    shared = next(iter(header.get("SharedFunctionalGroupsSequence") or []), Dataset())
    return tuple(_frame(group, shared, where, is_map=is_map) for group in groups)


def _frame(group: Dataset, shared: Dataset, where: str, *, is_map: bool) -> Frame:
    def told(sequence: str, name: str, count: int) -> NDArray[np.float64]:
        for place in (group, shared):
            for item in place.get(sequence) or ():
                found = numbers(item.get(name), count)
                if found is not None and np.isfinite(found).all():
                    return np.array(found)
        raise damaged(where, f"a frame has no {name}, so it has no place")

    row, column = told("PlaneOrientationSequence", "ImageOrientationPatient", 6).reshape(2, 3)
    between_rows, between_columns = told("PixelMeasuresSequence", "PixelSpacing", 2)
    affine = np.eye(4)
    affine[:3, 0] = _LPS_TO_RAS * row * between_columns
    affine[:3, 1] = _LPS_TO_RAS * column * between_rows
    affine[:3, 2] = _LPS_TO_RAS * np.cross(row, column)
    affine[:3, 3] = _LPS_TO_RAS * told("PlanePositionSequence", "ImagePositionPatient", 3)
    if is_map:
        return Frame(0, affine)
    items = group.get("SegmentIdentificationSequence") or shared.get("SegmentIdentificationSequence") or []
    if not items:
        raise damaged(where, "a frame doesn't say which segment it shows")
    return Frame(int(items[0].ReferencedSegmentNumber), affine)


def _stored(header: Dataset, count: int, where: str) -> Callable[[int], NDArray[Any]]:
    """The values of a frame by its number; bits stay packed until they are asked for."""
    syntax = UID(text(header.file_meta.TransferSyntaxUID))
    rows, columns, bits = int(header.Rows), int(header.Columns), int(header.BitsAllocated)
    if not syntax.is_encapsulated:
        expected = (rows * columns * count * bits + 7) // 8
        if not expected <= len(header.get("PixelData") or b"") <= expected + expected % 2:
            raise damaged(where, "its pixels are cut short, or are more than its frames hold")
        if bits == 1:
            packed = np.frombuffer(header.PixelData, dtype=np.uint8)
            return partial(_unpacked, packed, (rows, columns))
    try:
        decoder = get_decoder(syntax)
        is_known = not syntax.is_encapsulated or bool(decoder.available_plugins)
    except NotImplementedError:
        is_known = False
    if not is_known:
        msg = f"{where}: NO_DECODER, nothing here reads its compression. Have it sent without compression."
        raise ImageError(msg)
    array, _ = decoder.as_array(header, raw=True)
    frames = array.reshape(-1, rows, columns)
    if len(frames) != count:
        raise damaged(where, "it has other frames than it describes")
    return partial(np.take, frames, axis=0)


def _unpacked(packed: NDArray[np.uint8], shape: tuple[int, int], number: int) -> NDArray[np.uint8]:
    size = shape[0] * shape[1]
    first = number * size
    stretch = packed[first // 8 : (first + size + 7) // 8]
    return np.unpackbits(stretch, bitorder="little")[first % 8 :][:size].reshape(shape)


def _beside(where: str, distance_mm: float) -> GeometryError:
    how = f"{distance_mm:.3g} mm beside the image's voxels"
    if not np.isfinite(distance_mm):
        how = "on pixels of another size or direction than the image's voxels"
    msg = (
        f"{where} lies {how}, but {_TOLERANCE_MM} mm is allowed. Resample it, or take the one of this series."
    )
    return GeometryError(msg)
