"""Whether an image may have text burned in, by what its headers say and by what its pixels look like.

A suspicion stops the case until a person has looked at it. Nothing is ever painted over: text that a program
missed once, it would miss again.
"""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from itertools import pairwise

import numpy as np
from pydicom.dataset import Dataset
from scipy import ndimage

from wirsung.errors import ImageError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.dicom_headers import IMAGES, quietly, text
from wirsung.imaging.volume import Volume

CODE = "BURNED_IN_SUSPECTED"

_SLICES = 24
"""As many are looked at, evenly spread; text that is on fewer than half of them is not looked for."""
_CONTRAST_HU = 500
_CONTRAST_FRACTION = 0.4
_BODY_FRACTION = 0.1
"""In MR, organs may be as far below the brightest as air is below them."""
_MARGIN_PIXELS = 3
_STRIDE = 3
_COARSE = 128
"""Pixels across that are enough to see a body."""
_CORNERS = np.ones((3, 3), dtype=bool)
_HEIGHTS = (4, 40)
_LEAST_AREA = 4
_LINE = 4
"""Glyphs side by side that make a text."""
_MANY = 12
"""Glyphs that make a text wherever they are."""
_STAYS = 0.8
"""Part of the slices on which a pixel keeps its value; noise never does so."""


@dataclass(frozen=True)
class _Glyphs:
    """Small bright spots of one slice."""

    boxes: np.ndarray
    """One row each: first and last index along i, then along j."""

    def look_like_text(self) -> bool:
        """Whether several of one height stand in a line, or very many are there."""
        return len(self.boxes) >= _MANY or any(self._has_line(axis) for axis in (0, 1))

    def _has_line(self, axis: int) -> bool:
        """Whether glyphs of like size along one axis have their middles at one place along it."""
        if len(self.boxes) < _LINE:
            return False
        first, last = self.boxes[:, 2 * axis], self.boxes[:, 2 * axis + 1]
        size, middle = last - first, (first + last) / 2
        for own_size, own_middle in zip(size, middle, strict=True):
            like = (np.abs(size - own_size) <= 0.3 * own_size) & (
                np.abs(middle - own_middle) <= 0.3 * own_size
            )
            if own_size >= _HEIGHTS[0] and like.sum() >= _LINE and _are_close(self.boxes[like], 1 - axis):
                return True
        return False


def suspected_by_headers(headers: Iterable[Dataset]) -> str | None:
    """Why the headers of a series make one suspect text in its images; None where they don't.

    Source:
        DICOM PS3.3 C.7.6.1.1.5 (BurnedInAnnotation) and C.7.6.1.1.2 (ImageType).

    Example:
        >>> header = Dataset()
        >>> header.BurnedInAnnotation = "YES"
        >>> suspected_by_headers([header])
        'BurnedInAnnotation says YES'
    """
    with quietly():
        return next((reason for header in headers for reason in _reasons(header)), None)


def suspected_by_pixels(voxels: Voxels, *, is_ct: bool) -> str | None:
    """Why the pixels make one suspect text; None where they don't.

    Looked for are glyphs in a line that keep their exact values from slice to slice, wherever they are, and
    glyphs in a line outside the body on half of the slices. Text in the body that changes with the slice, and
    text fainter than 500 HU, is not found.

    Args:
        voxels: As read, before any clipping; the slices are along k.
        is_ct: Whether the values are HU; else the contrast is judged by their range.
    """
    count = voxels.shape[2]
    picked = np.unique(np.linspace(0, count - 1, min(count, _SLICES)).round().astype(int))
    slices = [np.asarray(voxels[:, :, number], dtype=np.float32) for number in picked]
    low, high = np.percentile([plane[::_STRIDE, ::_STRIDE] for plane in slices], (1, 99.9))
    limit = low + (_CONTRAST_HU if is_ct else _CONTRAST_FRACTION * (high - low))
    body_limit = limit if is_ct else low + _BODY_FRACTION * (high - low)
    if len(slices) > 2 and _glyphs(_staying(slices, limit)).look_like_text():
        return "small bright shapes in a line are the same on most slices"
    outside = sum(_glyphs((plane > limit) & ~_body(plane > body_limit)).look_like_text() for plane in slices)
    if 2 * outside >= len(slices):
        return "small bright shapes stand in a line beside the body on most slices"
    return None


def refuse_burned_in(headers: Iterable[Dataset], volume: Volume, *, is_ct: bool) -> None:
    """Stop a series that may have text burned in, for a person to look at it.

    Raises:
        ImageError: There is a suspicion.
    """
    reason = suspected_by_headers(headers) or suspected_by_pixels(volume.voxels, is_ct=is_ct)
    if reason:
        msg = (
            f"{CODE}: {reason}, so the images may show a name. Look at them; if they show none, list the "
            "case with --no-burned-in-text."
        )
        raise ImageError(msg)


def _reasons(header: Dataset) -> Iterator[str]:
    kinds = text(header.get("ImageType")).upper().split("\\")
    photometric = text(header.get("PhotometricInterpretation")).upper()
    if text(header.get("BurnedInAnnotation")).upper() == "YES":
        yield "BurnedInAnnotation says YES"
    if "SCREEN SAVE" in kinds:
        yield "ImageType says SCREEN SAVE"
    if kinds[:2] == ["DERIVED", "SECONDARY"]:
        yield "ImageType says DERIVED and SECONDARY"
    if photometric not in ("MONOCHROME1", "MONOCHROME2", "") or text(header.get("SamplesPerPixel")) == "3":
        yield "PhotometricInterpretation says colour"
    if text(header.get("SOPClassUID")) not in IMAGES:
        yield "SOPClassUID says neither CT nor MR"


def _staying(slices: list[np.ndarray], limit: float) -> np.ndarray:
    """Bright pixels that keep their exact value from each slice to the next, almost always."""
    kept = np.zeros(slices[0].shape, dtype=np.int32)
    for before, after in pairwise(slices):
        kept += (after == before) & (after > limit)
    staying: np.ndarray = kept >= _STAYS * (len(slices) - 1)
    return staying


def _body(bright: np.ndarray) -> np.ndarray:
    """The largest bright thing, what it encloses and a margin, to a few pixels."""
    step = max(1, min(bright.shape) // _COARSE)
    coarse = bright[::step, ::step]
    labels, count = ndimage.label(coarse, structure=_CORNERS)
    if count == 0:
        return bright
    largest = labels == 1 + np.argmax(np.bincount(labels.ravel())[1:])
    filled = ndimage.binary_fill_holes(largest)
    margin = -(-_MARGIN_PIXELS // step)
    body = ndimage.binary_dilation(filled, _CORNERS, iterations=margin)
    fine: np.ndarray = body.repeat(step, axis=0).repeat(step, axis=1)
    return fine[: bright.shape[0], : bright.shape[1]]


def _glyphs(bright: np.ndarray) -> _Glyphs:
    """The connected shapes that are as large as a letter."""
    labels, _ = ndimage.label(bright, structure=_CORNERS)
    areas = np.bincount(labels.ravel())[1:]
    boxes = [
        (i.start, i.stop, j.start, j.stop)
        for area, (i, j) in zip(areas, ndimage.find_objects(labels), strict=True)
        if area >= _LEAST_AREA and _is_letter(i.stop - i.start, j.stop - j.start)
    ]
    return _Glyphs(np.array(boxes, dtype=np.int64).reshape(-1, 4))


def _is_letter(width: int, height: int) -> bool:
    return _HEIGHTS[0] <= max(width, height) <= _HEIGHTS[1]


def _are_close(boxes: np.ndarray, axis: int) -> bool:
    """Whether enough of the boxes follow each other along the axis with gaps no wider than two letters."""
    ordered = boxes[np.argsort(boxes[:, 2 * axis])]
    size = np.maximum(boxes[:, 1] - boxes[:, 0], boxes[:, 3] - boxes[:, 2]).max()
    gaps = ordered[1:, 2 * axis] - ordered[:-1, 2 * axis + 1]
    run = longest = 1
    for gap in gaps:
        run = run + 1 if 0 <= gap <= 2 * size else 1
        longest = max(longest, run)
    return longest >= _LINE
