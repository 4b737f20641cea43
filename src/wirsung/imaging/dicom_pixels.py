"""The pixels of a stack as meant values: HU for CT, scaled or stored values for MR.

Each slice has its own slope and intercept; values are rounded once and never cut off. MONOCHROME1 says how to
show an image, not what its values mean, so it changes nothing.
"""

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from pathlib import Path
from typing import Any

import numpy as np
import pydicom
from pydicom.dataset import Dataset
from pydicom.pixels.decoders.base import get_decoder
from pydicom.uid import UID, ExplicitVRBigEndian, ImplicitVRLittleEndian, JPEGExtended12Bit, RLELossless

from wirsung.errors import MissingDependencyError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.dicom_headers import SliceHeader, quietly
from wirsung.imaging.dicom_parsing import ParsedFiles
from wirsung.imaging.dicom_stacks import Problem

AIR_HU = -1000
_CT_NUMBERS_HU = (-1024, 3071)
"""What 12 bits hold; a padding value outside stands for no tissue."""
_LARGEST_SLOPE, _LARGEST_INTERCEPT = 1 << 14, 1 << 29
"""With which int32 holds every value made of 16 stored bits."""
_HU_TYPES = ("", "HU", "US", "HU_MOD")
"""Rescale types of a CT; US means unspecified, HU_MOD a monochromatic or otherwise changed HU."""


_PLUGINS = ("pydicom", "pylibjpeg", "pyjpegls", "gdcm")
"""In the order of trust; gdcm comes last, as it passes over damage that the others refuse."""


class UnreadablePixels(Exception):  # noqa: N818 - becomes the problem of a stack
    """The pixels of a stack are damaged, missing or of unknown meaning."""

    def __init__(self, *, code: str, sentence: str, file: Path | None = None) -> None:
        super().__init__(code)
        self.problem = Problem(code, sentence, file)


def read_voxels(slices: Sequence[SliceHeader], parsed: ParsedFiles | None = None) -> tuple[Voxels, bool]:
    """Voxels in order column, row, slice, and whether padding was set to air.

    CT: int16, or int32 where a value needs it. MR: the same, or float32 where the scaling is not whole.

    Args:
        slices: Of one stack, in order.
        parsed: The files whose headers were read before.

    Raises:
        UnreadablePixels: Damaged, cut, or no HU can be had from them.
        MissingDependencyError: No decoder for this compression is installed.
    """
    is_ct = slices[0].modality == "CT"
    _check_rescale(slices, is_ct=is_ct)
    rows, columns = slices[0].shape
    keeps_fractions = not is_ct and not all(_is_whole(item) for item in slices)
    voxels = np.empty((len(slices), rows, columns), dtype=np.float32 if keeps_fractions else np.int16)
    mapped = False
    for number, (item, stored, padding) in enumerate(_stored_slices(slices, parsed or ParsedFiles())):
        values = _meant(item, stored, keeps_fractions=keeps_fractions)
        if is_ct and padding is not None and padding.any() and not _is_tissue(values[padding]):
            values[padding] = AIR_HU
            mapped = True
        if not keeps_fractions:
            voxels = _widened(voxels, values)
        voxels[number] = values
    if is_ct and slices[0].slope is None:
        _check_looks_like_hu(voxels)
    return voxels.transpose(2, 1, 0), mapped


def same_content(first: SliceHeader, second: SliceHeader) -> bool:
    """Whether two slices have the same place, scaling and pixels.

    Raises:
        UnreadablePixels: One of them is damaged.
        MissingDependencyError: No decoder for this compression is installed.
    """
    keys = [
        (item.position, item.orientation, item.spacing, item.shape, item.slope, item.intercept)
        for item in (first, second)
    ]
    if keys[0] != keys[1]:
        return False
    (_, one, _), (_, other, _) = _stored_slices([first, second], ParsedFiles())
    return np.array_equal(one, other)


def _check_rescale(slices: Sequence[SliceHeader], *, is_ct: bool) -> None:
    given = {(item.slope is not None) + (item.intercept is not None) for item in slices}
    if given != {0} and given != {2}:
        raise UnreadablePixels(
            code="NO_RESCALE", sentence="some slices lack RescaleSlope or RescaleIntercept"
        )
    if given == {2}:
        pairs = np.array([(item.slope, item.intercept) for item in slices], dtype=float)
        if not np.isfinite(pairs).all() or (pairs[:, 0] == 0).any():
            raise UnreadablePixels(code="SLOPE_ZERO", sentence="a RescaleSlope is 0 or not finite")
        if np.ptp(np.sign(pairs[:, 0])):
            raise UnreadablePixels(
                code="SLOPE_MIXED", sentence="the sign of RescaleSlope changes between slices"
            )
    if any(item.has_lookup_table for item in slices):
        raise UnreadablePixels(code="LOOKUP_TABLE", sentence="values are behind a modality lookup table")
    if is_ct and any(item.rescale_type not in _HU_TYPES for item in slices):
        raise UnreadablePixels(
            code="NOT_HU", sentence="RescaleType says that the values are no Hounsfield units"
        )


def _is_whole(item: SliceHeader) -> bool:
    return float(item.slope or 1).is_integer() and float(item.intercept or 0).is_integer()


def _meant(item: SliceHeader, stored: Voxels, *, keeps_fractions: bool) -> Voxels:
    slope, intercept = item.slope or 1.0, item.intercept or 0.0
    if _is_whole(item) and not keeps_fractions:
        if abs(slope) > _LARGEST_SLOPE or abs(intercept) > _LARGEST_INTERCEPT:
            stored = stored.astype(np.int64)
        scaled = stored if slope == 1 else stored * int(slope)
        return scaled + int(intercept)
    values = stored * slope + intercept
    return values if keeps_fractions else np.rint(values)


def _is_tissue(values: Voxels) -> bool:
    return bool(values.min() >= _CT_NUMBERS_HU[0] and values.max() <= _CT_NUMBERS_HU[1])


def _widened(voxels: Voxels, values: Voxels) -> Voxels:
    """The array with an integer type that holds the new values too."""
    low, high = float(values.min()), float(values.max())
    for dtype in (voxels.dtype, np.dtype(np.int32)):
        limits = np.iinfo(dtype)
        if limits.min <= low and high <= limits.max:
            return voxels.astype(dtype, copy=False)
    raise UnreadablePixels(
        code="VALUE_RANGE", sentence=f"values from {low:g} to {high:g} are no image values"
    )


def _check_looks_like_hu(voxels: Voxels) -> None:
    """Without a rescale, stored values are HU only if air is where HU has it, and soft tissue too."""
    air = np.count_nonzero((voxels >= -1100) & (voxels <= -800))
    soft = np.count_nonzero((voxels >= -200) & (voxels <= 300))
    if min(air, soft) < voxels.size / 1000:
        sentence = "RescaleSlope and RescaleIntercept are missing, and the stored values don't look like HU"
        raise UnreadablePixels(code="NO_RESCALE", sentence=sentence)


def _stored_slices(
    slices: Sequence[SliceHeader], parsed: ParsedFiles
) -> Iterator[tuple[SliceHeader, Voxels, Voxels | None]]:
    """Each slice with its stored values, and where they are padding, if any is; a file is decoded once."""
    for path, members in groupby(slices, key=lambda item: item.path):
        with quietly():
            try:
                header = parsed.whole(path)
                frames = _decoded(header, path)
                low, high = _padding(header)
            except (UnreadablePixels, MissingDependencyError):
                raise
            except Exception:  # pydicom's own texts quote the header
                raise UnreadablePixels(
                    code="PIXELS_DAMAGED", sentence="{file} can't be decoded", file=path
                ) from None
        for item in members:
            if item.frame >= len(frames) or frames[item.frame].shape != item.shape:
                raise UnreadablePixels(
                    code="PIXELS_DAMAGED",
                    sentence="{file} has other rows and columns than it says",
                    file=path,
                )
            stored = frames[item.frame]
            yield item, stored, (stored >= low) & (stored <= high) if low <= high else None


def _decoded(header: Dataset, path: Path) -> Voxels:
    """All frames of a file in int32, or int64 where they need it, shape (frame, row, column)."""
    if "PixelData" not in header:
        raise UnreadablePixels(code="PIXELS_TRUNCATED", sentence="{file} ends before its pixels", file=path)
    syntax = _transfer_syntax(header)
    if syntax.is_encapsulated:
        _check_streams(header, path)
    else:
        _check_length(header, path)
    if syntax == JPEGExtended12Bit and int(header.BitsStored) > 8:
        sentence = "{file} is compressed as lossy JPEG of 12 bits, which no decoder here reads"
        raise UnreadablePixels(code="NO_DECODER", sentence=sentence, file=path)
    plugin = _plugin(syntax)
    if plugin is None:
        msg = f"A DICOM file is compressed as {syntax.name}. Run pip install pyjpegls python-gdcm."
        raise MissingDependencyError(msg)
    native = not syntax.is_encapsulated or syntax == RLELossless
    options: dict[str, Any] = {"raw": True, "correct_unused_bits": not native, "decoding_plugin": plugin}
    array, _ = get_decoder(syntax).as_array(header, **options)
    frames = array.reshape(-1, *array.shape[-2:])
    return _unpacked(frames, header) if native else frames.astype(_integer(frames))


def _integer(frames: Voxels) -> type[np.signedinteger[Any]]:
    """A type in which no stored value overflows: half as wide is twice as fast."""
    return np.int32 if frames.dtype.itemsize <= 2 else np.int64


def _plugin(syntax: UID) -> str | None:
    """The decoder that is always taken where there are several, so that no installation changes a value.

    None where one is needed and not installed; the empty text where none is needed.
    """
    if not syntax.is_encapsulated:
        return ""
    available = get_decoder(syntax).available_plugins
    return next((name for name in _PLUGINS if name in available), None)


def _transfer_syntax(header: Dataset) -> UID:
    """As the file says, else as a file without preamble is written."""
    meta = getattr(header, "file_meta", None)
    if meta is None or "TransferSyntaxUID" not in meta:
        implicit, little = header.original_encoding
        header.file_meta = meta or pydicom.dataset.FileMetaDataset()
        explicit = UID("1.2.840.10008.1.2.1") if little else ExplicitVRBigEndian
        header.file_meta.TransferSyntaxUID = ImplicitVRLittleEndian if implicit else explicit
    return UID(header.file_meta.TransferSyntaxUID)


def _check_length(header: Dataset, path: Path) -> None:
    frames = int(header.get("NumberOfFrames") or 1)
    bits = int(header.Rows) * int(header.Columns) * frames * int(header.BitsAllocated)
    expected = (bits + 7) // 8
    if len(header.PixelData) < expected:
        sentence = "the pixels of {file} are cut short"
        raise UnreadablePixels(code="PIXELS_TRUNCATED", sentence=sentence, file=path)
    if len(header.PixelData) > expected + expected % 2:
        raise UnreadablePixels(
            code="PIXELS_DAMAGED", sentence="{file} has more pixels than rows and columns", file=path
        )


def _check_streams(header: Dataset, path: Path) -> None:
    """A cut JPEG stream lacks its end mark, which some decoders don't miss."""
    content = header.PixelData
    syntax = str(header.file_meta.TransferSyntaxUID)
    is_jpeg = re.match(r"1\.2\.840\.10008\.1\.2\.4\.(5|7|8|9|20)", syntax) is not None
    if is_jpeg and content.count(b"\xff\xd9") < int(header.get("NumberOfFrames") or 1):
        sentence = "the pixels of {file} are cut short"
        raise UnreadablePixels(code="PIXELS_TRUNCATED", sentence=sentence, file=path)


def _unpacked(frames: Voxels, header: Dataset) -> Voxels:
    """Stored values without the bits above or below them, which old files use for overlays."""
    native = frames.astype(frames.dtype.newbyteorder("="), copy=False)
    unsigned = native.view(f"u{frames.dtype.itemsize}").astype(_integer(frames))
    bits = int(header.BitsStored)
    lowest = int(header.get("HighBit", bits - 1)) - bits + 1
    if lowest > 0:
        unsigned >>= lowest
    return np.asarray(_with_sign(unsigned, header))


def _with_sign(values: Any, header: Dataset) -> Any:  # noqa: ANN401 - an array or a number
    """The stored bits as a signed or unsigned number; an array is changed in place, for speed."""
    bits = int(header.BitsStored)
    sign = 1 << (bits - 1) if int(header.get("PixelRepresentation", 0)) else 0
    values &= (1 << bits) - 1
    if sign:
        values ^= sign
        values -= sign
    return values


def _padding(header: Dataset) -> tuple[int, int]:
    """The stored values that stand for no tissue, smallest and largest; an empty range for none."""
    value = header.get("PixelPaddingValue")
    if value is None:
        return 1, 0
    limit = header.get("PixelPaddingRangeLimit", value)
    low, high = sorted(int(_with_sign(int(number), header)) for number in (value, limit))
    return low, high
