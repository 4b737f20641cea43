"""What headers say that names somebody: collected only to be searched for in what was written.

Nothing in here is ever shown, logged or stored; an object tells its size and nothing else.
"""

import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path

import pydicom
from pydicom.datadict import dictionary_has_tag, dictionary_VR, keyword_for_tag
from pydicom.dataelem import DataElement, RawDataElement
from pydicom.dataset import Dataset, FileDataset

from wirsung.imaging.dicom_headers import quietly
from wirsung.imaging.dicom_parsing import ParsedFiles

LEAST_LENGTH = 4
"""Shorter values occur everywhere by chance."""

_NAMES = frozenset({"PN"})
_DATES = frozenset({"DA", "DT"})
_UIDS = frozenset({"UI"})
_TEXTS = frozenset({"LO", "SH", "LT", "ST", "UT", "UC", "AE", "UR"})
_UNKNOWN = frozenset({"UN", "OB"})
_REGISTERED = "1.2.840.10008."
_TOLD = _NAMES | _DATES | _UIDS | _TEXTS | _UNKNOWN | {"SQ"}
_RUNS = re.compile(rb"[\x20-\x7e]{6,}")
_LOOKS_UID = re.compile(rb"[0-9]+(\.[0-9]+)*")
_DATE = re.compile(r"(\d{4})\.?(\d{2})\.?(\d{2})")
_SEPARATORS = re.compile(r"[\^=\s,;/]+")
_LONGEST_UNKNOWN = 1024
"""Bytes of a raw value that is taken for text; larger ones are tables and images."""


@dataclass(frozen=True)
class Originals:
    """Attribute to its values in lower case, as they must not be found anywhere."""

    values: Mapping[str, frozenset[str]] = field(repr=False)

    def without(self, allowed: Iterable[str]) -> "Originals":
        """Without the texts that are released on purpose or are words of our own."""
        words = {text.lower() for text in allowed}
        kept = {name: frozenset(values - words) for name, values in self.values.items()}
        return Originals({name: values for name, values in kept.items() if values})

    def without_parts_of(self, codes: Iterable[str]) -> "Originals":
        """Without what is part of a code that the user has given.

        Example:
            >>> found = Originals({"PatientName": frozenset({"phantom", "erika"})})
            >>> found.without_parts_of(["phantom_1"]).values
            {'PatientName': frozenset({'erika'})}
        """
        given = [code.lower() for code in codes]
        found = {value for values in self.values.values() for value in values}
        return self.without(value for value in found if any(value in code for code in given))


def read_originals(paths: Iterable[Path]) -> Originals:
    """All that DICOM files say of persons, places, dates and identity, in sequences of any depth too.

    Example:
        >>> read_originals([]).values
        {}
    """
    collector = Collector()
    for path in paths:
        collector.add_file(path)
    return collector.originals()


class Collector:
    """Gathers values; what many slices share is looked at once."""

    def __init__(self, parsed: ParsedFiles | None = None) -> None:
        self._parsed = parsed
        self._values: dict[str, set[str]] = {}
        self._seen: set[tuple[int, bytes]] = set()

    def originals(self) -> Originals:
        """What was gathered so far."""
        return Originals({name: frozenset(values) for name, values in self._values.items()})

    def add_file(self, path: Path) -> Dataset | None:
        """Header, file meta information and preamble; None where the file can't be read as DICOM."""
        try:
            with quietly():
                header = self._header(path)
                self.add(header)
                self.add(header.file_meta)
                self._add_raw("preamble", header.preamble or b"")
        except Exception:  # the file is refused elsewhere; a message of pydicom would quote it
            return None
        return header

    def _header(self, path: Path) -> FileDataset:
        if self._parsed is not None:
            return self._parsed.header(path)
        return pydicom.dcmread(path, force=True, stop_before_pixels=True)

    def add(self, header: Dataset) -> None:
        """One header or one item of a sequence."""
        for element in list(header.values()):
            if not self._is_known(element):
                self._add_element(header, element)

    def _is_known(self, element: DataElement | RawDataElement) -> bool:
        """Whether the same bytes under the same tag were looked at before."""
        if not isinstance(element, RawDataElement) or not isinstance(element.value, bytes):
            return False
        mark = (int(element.tag), element.value)
        if mark in self._seen:
            return True
        self._seen.add(mark)
        return False

    def _add_element(self, header: Dataset, element: DataElement | RawDataElement) -> None:
        name, vr = _name(int(element.tag)), _vr(element)
        if vr not in _TOLD:
            return
        if isinstance(element, RawDataElement) and isinstance(element.value, bytes) and vr != "SQ":
            self._add_raw(name, element.value)  # as it stands, whatever its character set is
        if vr not in _UNKNOWN:
            try:
                self._add_decoded(name, header[element.tag])
            except Exception:  # a value that can't be decoded was added as it stands
                return

    def _add_decoded(self, name: str, element: DataElement) -> None:
        if element.VR == "SQ":
            for item in element.value or ():
                self.add(item)
        elif element.VR in _TOLD:
            for value in element.value if element.VM > 1 else [element.value]:
                self._add(name, element.VR, str(value))

    def _add(self, name: str, vr: str, value: str) -> None:
        kept = self._values.setdefault(name, set())
        kept |= {text for text in _variants(vr, value.lower()) if len(text) >= LEAST_LENGTH}

    def _add_raw(self, name: str, content: bytes) -> None:
        """The texts in some bytes: the whole, where it is one text, else the runs of letters."""
        stripped = content.strip(b"\0 ")
        if not stripped or len(stripped) > _LONGEST_UNKNOWN:
            return
        is_text = min(stripped) >= 0x20
        for part in stripped.split(b"\\") if is_text else _RUNS.findall(stripped):
            self._add(name, "UI" if _LOOKS_UID.fullmatch(part) else "LO", part.decode("latin-1"))


def _variants(vr: str, value: str) -> Iterator[str]:
    """A value in the forms in which it may turn up."""
    text = value.strip().strip("\0").strip()
    if vr in _UIDS and (text.startswith(_REGISTERED) or "." not in text):
        return
    match = _DATE.match(text) if vr in _DATES else None
    if match:
        year, month, day = match.groups()
        yield from (f"{year}{month}{day}", f"{year}-{month}-{day}", f"{day}.{month}.{year}")
        yield from (f"{month}/{day}/{year}", f"{day}/{month}/{year}")
        return
    yield text
    if vr in _NAMES:
        parts = [part for part in _SEPARATORS.split(text) if part]
        yield from parts
        yield from (" ".join(parts), "_".join(parts), ", ".join(parts[:2]), " ".join(reversed(parts[:2])))


def _name(tag: int) -> str:
    """What to call an attribute in a message: a private one has no name of the standard's."""
    if (tag >> 16) % 2:
        return "a private attribute"
    return keyword_for_tag(tag) or f"the unknown attribute {tag >> 16:04x},{tag & 0xFFFF:04x}"


def _vr(element: DataElement | RawDataElement) -> str:
    """The kind of value; implicit files say it in the dictionary only."""
    if element.VR:
        return str(element.VR)
    return dictionary_VR(element.tag) if dictionary_has_tag(element.tag) else "UN"
