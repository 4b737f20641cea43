"""The last check of a case: every byte that was written is searched for what the headers said.

The release is built so that nothing can come along; this holds it against the originals all the same. A
finding fails the case, and nothing of it stays.
"""

import html
import json
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache
from itertools import chain
from pathlib import Path
from typing import cast
from urllib.parse import unquote

import numpy as np
from isal import isal_zlib

from wirsung import __version__
from wirsung.anatomy.structures import structures
from wirsung.curation.deidentification.allowed import own_words
from wirsung.curation.deidentification.originals import Originals
from wirsung.errors import ImageError, StorageError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.gzip_members import inflate_start
from wirsung.imaging.run_reading import header_of_mask

GLUED_LENGTH = 8
"""Values from here on are found inside of longer words too, and among voxels; shorter ones as words only, for
any four digits occur in a checksum."""

_HEADER_BYTES = 352
_ERROR = cast(type[Exception], isal_zlib.error)
_GZIP = b"\x1f\x8b"
_NIFTI = (b"n+1\0", b"n+2\0")
_CHUNK = 1 << 20
_QUARTER = 4
_WORDS = (
    *("wirsung", "dicom", "nifti", "masks", "label map", "train", "test", "image", "none", "true", "false"),
    *("case", "scan", "study", "series", "patient", "subject", "phantom", "anonymous", "anonymized", "json"),
    *("non-contrast", "native", "arterial", "pancreatic", "venous", "portal", "delayed", "abdomen"),
)


@dataclass(frozen=True)
class ReadBack:
    """A .nii.gz file that was inflated and found to hold a header and just these voxels."""

    path: Path
    voxels: Voxels
    """Contiguous in file order; searched in place of the file, which need not be inflated again."""


Outputs = Mapping[str, bytes | Path | ReadBack]
"""Name relative to the dataset to the file, or to its content where it is not written yet."""


@dataclass(frozen=True)
class Leak:
    """One file that holds what a header said."""

    file: str
    attribute: str
    """Where the header said it; never what."""


def find_leaks(outputs: Outputs, originals: Originals) -> list[Leak]:
    """Where the outputs, or their names, hold an original value.

    Args:
        outputs: What is searched.
        originals: What must not be found; words of our own are left out.

    Raises:
        StorageError: An output can't be read.
    """
    needles = _Needles(originals.without(_own_words()))
    leaks: list[Leak] = []
    for name, output in outputs.items():
        found = needles.within(name.lower())
        if isinstance(output, ReadBack):
            found |= needles.within_read_back(output)
        else:
            found |= needles.within_file(name, output if isinstance(output, bytes) else _read(output))
        leaks += [Leak(name, attribute) for attribute in sorted(found)]
    return leaks


def refuse_leaks(case: str, outputs: Outputs, originals: Originals) -> None:
    """Stop a case whose outputs hold what its headers said; the caller removes the outputs.

    Raises:
        ImageError: There is a leak; the message names attributes and files, never values.
        StorageError: An output can't be read.
    """
    leaks = find_leaks(outputs, originals)
    if leaks:
        attributes = ", ".join(sorted({leak.attribute for leak in leaks}))
        files = sorted({leak.file for leak in leaks})
        more = f" and {len(files) - 3} more" if len(files) > 3 else ""
        msg = (
            f"Case {case}: IDENTITY_LEFT, what its headers say under {attributes} was found in "
            f"{', '.join(files[:3])}{more}, so nothing of the case was kept. Rename a folder that is named "
            "after a patient, or list the case in metadata.csv if its name is a code; else please report it."
        )
        raise ImageError(msg)


class _Needles:
    """The values to search for, sorted by how they may be found."""

    def __init__(self, originals: Originals) -> None:
        pairs = [(text, name) for name, texts in originals.values.items() for text in texts]
        self._glued = [(text, name) for text, name in pairs if len(text) >= GLUED_LENGTH]
        self._words = [(text, name) for text, name in pairs if len(text) < GLUED_LENGTH]

    def within(self, text: str) -> set[str]:
        """The attributes whose values occur in a text of lower case."""
        short = {name for value, name in self._words if value in text and _is_word(value, text)}
        return short | self.long_within(text)

    def long_within(self, text: str) -> set[str]:
        """The same of values that don't occur by chance."""
        return {name for value, name in self._glued if value in text}

    def within_file(self, name: str, content: bytes) -> set[str]:
        """The attributes whose values occur in a file."""
        if name.endswith((".json", ".jsonl")):
            return self._within_json(content)
        if content[:2] != _GZIP:
            return self._within_views(content)
        found = self._within_views(content[:_HEADER_BYTES])
        header = header_of_mask(content)
        if header is not None:  # and voxels of 0 and 1, which spell nothing
            return found | self._within_views(header)
        try:
            return found.union(*(self._within_voxels(part) for part in _inflated(content)))
        except _ERROR:  # not gzip, whatever it begins with
            return self._within_views(content)

    def within_read_back(self, output: ReadBack) -> set[str]:
        """The attributes whose values occur in the headers of gzip and NIfTI, or among the voxels."""
        stored = _read(output.path)
        head = inflate_start(stored, _HEADER_BYTES, output.path)
        voxels = in_file_order(output.voxels).data.cast("B")
        found = self._within_views(stored[:_HEADER_BYTES]) | self._within_views(head)
        return found | self.long_within("\n".join(_printable(voxels)).lower())

    def _within_json(self, content: bytes) -> set[str]:
        """All of its texts; in names of fields and in numbers, which are our own, long values only."""
        found = set(chain.from_iterable(self.long_within(view) for view in _views(content)))
        for line in content.splitlines() if content.count(b"\n{") else [content]:
            try:
                texts = "\n".join(_strings(json.loads(line)))
            except ValueError:
                found |= self._within_views(line)
            else:
                found |= self.within(texts.lower())
        return found

    def _within_views(self, content: bytes) -> set[str]:
        return set(chain.from_iterable(self.within(view) for view in _views(content)))

    def _within_voxels(self, part: bytes) -> set[str]:
        """A header as text; among voxels long values only, for any four bytes occur by chance."""
        found: set[str] = set()
        voxels = memoryview(part)  # no copy: it may be large
        if part[344:348] in _NIFTI or part[4:8] in _NIFTI:
            offset = int(np.frombuffer(part[108:112], "<f4")[0]) if part[344:348] in _NIFTI else 544
            first = max(offset, _HEADER_BYTES)
            found |= self._within_views(part[:first])
            voxels = voxels[first:]
        text = "\n".join(_printable(voxels)).lower()
        return found | self.long_within(text)


def _views(content: bytes) -> Iterator[str]:
    """A content as text in lower case, in the encodings in which a name may have been written."""
    plain = content.decode("utf-8", "replace").lower()
    yield plain
    yield content.decode("latin-1").lower()
    if b"\0" in content:  # UTF-16 and UTF-32 of western letters are those letters and zeros
        yield content.replace(b"\0", b"").decode("latin-1").lower()
    if "%" in plain:
        yield unquote(plain).lower()
    if "&" in plain:
        yield html.unescape(plain).lower()


def _strings(content: object) -> Iterator[str]:
    """The texts of a JSON value; the names of its fields are our own."""
    if isinstance(content, str):
        yield content
    elif isinstance(content, dict):
        for value in content.values():
            yield from _strings(value)
    elif isinstance(content, list):
        for value in content:
            yield from _strings(value)


def _is_word(value: str, text: str) -> bool:
    """Whether the value stands alone: no letter or digit beside it, nor the rest of a decimal number."""
    pattern = rf"(?<![0-9a-z])(?<!\d\.){re.escape(value)}(?![0-9a-z])(?!\.\d)"
    return re.search(pattern, text) is not None


def _inflated(content: bytes) -> Iterator[bytes]:
    """What the gzip members hold, in one piece each."""
    while content[:2] == _GZIP:
        stream = isal_zlib.decompressobj(wbits=31)
        yield stream.decompress(content)
        content = stream.unused_data


def _printable(content: memoryview) -> Iterator[str]:
    """Runs of ASCII letters that are long enough to be searched."""
    for start in range(0, len(content), _CHUNK):
        piece = content[start : start + _CHUNK + GLUED_LENGTH]
        values = np.frombuffer(piece, np.uint8)
        if not _is_letter(values[_QUARTER - 1 :: _QUARTER]).any():
            continue  # a run of eight has a letter at each fourth byte; voxels have their high bytes there
        is_text = _is_letter(values)
        edges = np.flatnonzero(np.diff(np.concatenate([[False], is_text, [False]])))
        for first, last in edges.reshape(-1, 2)[np.diff(edges.reshape(-1, 2))[:, 0] >= GLUED_LENGTH]:
            yield bytes(piece[first:last]).decode("ascii")


def _is_letter(values: np.ndarray) -> np.ndarray:
    return (values - np.uint8(32)) < np.uint8(95)


@cache
def _own_words() -> frozenset[str]:
    """Words that the program writes whatever a header says."""
    return frozenset(
        chain(_WORDS, [__version__], own_words(), structures(), *(name.split("_") for name in structures()))
    )


def _read(path: Path) -> bytes:
    try:
        return path.read_bytes()
    except OSError as error:
        msg = f"{path.name} can't be read back ({error.strerror}). Check the disk."
        raise StorageError(msg) from error


def files_below(folder: Path, prefix: str) -> dict[str, Path]:
    """The files of a folder, those of its folders too, by their name relative to the dataset."""
    paths: Iterable[Path] = sorted(path for path in folder.rglob("*") if path.is_file())
    return {f"{prefix}/{path.relative_to(folder).as_posix()}": path for path in paths}
