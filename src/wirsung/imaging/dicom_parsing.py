"""Each DICOM file of a series parsed once, up to its pixels, for all who ask about it.

Whatever is out of the ordinary (sequences of undefined length, a deflated file, an error) is not kept but
read anew each time, so that every answer is the one that pydicom gives when it is asked for that file alone.
"""

from collections.abc import Container, Iterable
from dataclasses import dataclass, field
from functools import cache
from io import BytesIO
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import FileDataset, FileMetaDataset
from pydicom.filereader import data_element_generator
from pydicom.tag import BaseTag
from pydicom.uid import DeflatedExplicitVRLittleEndian
from pydicom.valuerep import AMBIGUOUS_VR, VR

Elements = dict[BaseTag, RawDataElement | DataElement]
_Mark = tuple[str, BaseTag, str | None, bytes | None, bool, bool]
"""Character set, tag, kind, bytes and encoding: all that a value is made of."""

_CHARACTER_SET = 0x00080005
_PIXELS = (0x7FE00008, 0x7FE00009, 0x7FE00010)
_IMAGE_TAGS = frozenset(
    {
        *(0x00280002, 0x00280004, 0x00280006, 0x00280008, 0x00280010, 0x00280011),
        *(0x00280100, 0x00280101, 0x00280102, 0x00280103, 0x00280120),
    }
)
"""What says how pixels are stored, from SamplesPerPixel to PixelPaddingValue."""
_DELIMITERS = (b"\xfe\xff\x0d\xe0", b"\xff\xfe\xe0\x0d")
"""The end of an item, in either byte order."""
_DELIMITER_BYTES = 8
_MOST_BYTES = 1 << 24
"""Of headers that are kept, as in some ten thousand slices; parsed, they take up to twenty times as much."""


@dataclass(frozen=True)
class _Parsed:
    """A header as it stands in its file."""

    header: FileDataset = field(repr=False)
    """Never handed out, for whoever looks a value up changes it."""
    elements: Elements = field(repr=False)
    pixels_at: int
    """Bytes from the beginning of the file to its pixels, or to its end."""

    def copy(self, elements: Elements) -> FileDataset:
        """The same header with these elements."""
        whole = self.header
        implicit, little = whole.original_encoding
        meta = FileMetaDataset(dict(whole.file_meta.items()))
        is_implicit, is_little = whole.file_meta.original_encoding
        meta.set_original_encoding(is_implicit, is_little, whole.file_meta.original_character_set)
        found = FileDataset(
            BytesIO(),
            elements,
            whole.preamble,
            meta,
            is_implicit_VR=bool(implicit),
            is_little_endian=bool(little),
        )
        found.set_original_encoding(implicit, little, whole.original_character_set)
        return found


class ParsedFiles:
    """The headers of some files; what many of them share is made a value of once."""

    def __init__(self) -> None:
        self._parsed: dict[Path, _Parsed | None] = {}
        self._values: dict[_Mark, DataElement] = {}
        self._bytes = 0

    def header(self, path: Path) -> FileDataset:
        """All elements before the pixels, to be changed at will.

        Raises:
            Exception: Whatever pydicom raises.
        """
        parsed = self._find(path)
        if parsed is None:
            return pydicom.dcmread(path, force=True, stop_before_pixels=True)
        return parsed.copy(dict(parsed.elements))

    def chosen(self, path: Path, tags: Iterable[int]) -> FileDataset:
        """The elements of these tags that come before the pixels, and the character set; only to be read.

        Raises:
            Exception: Whatever pydicom raises.
        """
        parsed = self._find(path)
        if parsed is None:
            return pydicom.dcmread(path, force=True, stop_before_pixels=True, specific_tags=list(tags))
        wanted = {_CHARACTER_SET, *tags}
        return self._with_values(
            parsed, {tag: raw for tag, raw in parsed.elements.items() if tag in wanted}, wanted
        )

    def whole(self, path: Path) -> FileDataset:
        """All elements with the pixels, which are never kept; only to be read.

        Raises:
            Exception: Whatever pydicom raises.
        """
        parsed = self._parsed.get(path)
        rest = _rest(path, parsed) if parsed else None
        if parsed is None or not rest:
            return pydicom.dcmread(path, force=True)
        return self._with_values(parsed, parsed.elements | rest, _IMAGE_TAGS)

    def _with_values(self, parsed: _Parsed, elements: Elements, tags: Container[int]) -> FileDataset:
        """The header with the values of these elements, made of the same bytes once."""
        charset = str(parsed.header.original_character_set)
        new: dict[BaseTag, _Mark] = {}
        for tag, raw in elements.items():
            if tag in tags and isinstance(raw, RawDataElement) and _stands_alone(tag, raw.VR):
                mark = (charset, tag, raw.VR, raw.value, raw.is_implicit_VR, raw.is_little_endian)
                known = self._values.get(mark)
                if known is None:
                    new[tag] = mark
                else:
                    elements[tag] = known
        header = parsed.copy(elements)
        for tag, mark in new.items():
            try:
                self._values[mark] = header[tag]
            except Exception:  # whoever asks for the value is told
                continue
        return header

    def _find(self, path: Path) -> _Parsed | None:
        """None where the file has to be read anew."""
        if path not in self._parsed:
            parsed = _parse(path) if self._bytes < _MOST_BYTES else None
            self._parsed[path] = parsed
            self._bytes += parsed.pixels_at if parsed else 0
        return self._parsed[path]


@cache
def _stands_alone(tag: int, vr: str | None) -> bool:
    """Whether the element's bytes alone say its value, which nobody can change by looking into it."""
    known = vr or (dictionary_VR(tag) if dictionary_has_tag(tag) else VR.UN)
    return known not in (VR.SQ, VR.UN, *AMBIGUOUS_VR)


def _parse(path: Path) -> _Parsed | None:
    """None where the header is out of the ordinary."""
    try:
        with path.open("rb") as file:
            header = pydicom.dcmread(file, force=True, stop_before_pixels=True)
            pixels_at = file.tell()
    except Exception:  # whoever reads it anew says what is wrong with it
        return None
    is_deflated = header.file_meta.get("TransferSyntaxUID") == DeflatedExplicitVRLittleEndian
    elements: Elements = dict(header.items())
    # Items of a sequence that pydicom has read already would be changed for all by whoever looks into one.
    is_plain = all(isinstance(raw, RawDataElement) or tag == _CHARACTER_SET for tag, raw in elements.items())
    return _Parsed(header, elements, pixels_at) if elements and is_plain and not is_deflated else None


def _rest(path: Path, parsed: _Parsed) -> Elements | None:
    """What comes from the pixels on; None where that has to be read with the header."""
    first = next((raw for raw in parsed.elements.values() if isinstance(raw, RawDataElement)), None)
    if first is None:
        return None
    try:
        with path.open("rb") as file:
            file.seek(parsed.pixels_at - _DELIMITER_BYTES)
            if file.read(_DELIMITER_BYTES).startswith(_DELIMITERS):
                return None  # at which pydicom ends a file
            found = data_element_generator(file, first.is_implicit_VR, first.is_little_endian)
            rest: Elements = {element.tag: element for element in found}
    except Exception:  # as above
        return None
    return rest if next(iter(rest), None) in _PIXELS else None
