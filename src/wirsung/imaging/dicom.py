"""DICOM series as volumes: right, or refused with a code word that says why.

DICOM's LPS ends here: grids come back in RAS+ mm. Headers are read in `dicom_headers`, sorted into stacks in
`dicom_stacks`, pixels decoded in `dicom_pixels`, and what may leave a header is listed in `dicom_attributes`.
"""

from collections import Counter
from collections.abc import Callable, Container, Iterable
from dataclasses import dataclass, field, replace
from pathlib import Path

import numpy as np
import pydicom

from wirsung.errors import ImageError, WirsungError
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.dicom_attributes import Identity, read_attributes, read_identity
from wirsung.imaging.dicom_headers import (
    Damaged,
    SetAside,
    SliceHeader,
    is_dicom_file,
    quietly,
    read_headers,
    text,
)
from wirsung.imaging.dicom_parsing import ParsedFiles
from wirsung.imaging.dicom_pixels import AIR_HU, UnreadablePixels, read_voxels, same_content
from wirsung.imaging.dicom_spacing import evened, resampled
from wirsung.imaging.dicom_stacks import Problem, Stack, find_stacks
from wirsung.imaging.dicom_tilt import straightened
from wirsung.imaging.volume import Volume

__all__ = [
    "Identity",
    "Series",
    "Stack",
    "is_dicom_file",
    "read_series",
    "read_stack",
    "read_stacks",
    "spoiled",
]


NameOf = Callable[[Path], str]


def file_name(path: Path) -> str:
    """What messages call a file, where nothing else is asked for.

    Example:
        >>> file_name(Path("a/b.dcm"))
        'b.dcm'
    """
    return path.name


@dataclass(frozen=True)
class Series:
    """One stack as a volume, with what may be said about it."""

    volume: Volume
    """HU for CT; MR has no unit."""
    modality: str
    """CT or MR."""
    attributes: dict[str, str | float]
    """Checked numbers and words only; nothing that names a patient."""
    notes: dict[str, int]
    """What was repaired or set aside on the way, by code, and how often."""
    identity: Identity = field(repr=False)
    """For making pseudonyms; never to be shown."""
    tilt_degrees: float = 0.0
    """By which the gantry was tilted, where the slices were straightened for that."""


@dataclass(frozen=True)
class Stacks:
    """All stacks of a folder, those with a problem included, and what was set aside."""

    where: str
    """The folder, for messages."""
    stacks: tuple[Stack, ...]
    notes: dict[str, int]

    @property
    def usable(self) -> tuple[Stack, ...]:
        """Those that can be read."""
        return tuple(stack for stack in self.stacks if stack.is_usable)


def read_stacks(source: Path | Iterable[Path], parsed: ParsedFiles | None = None) -> Stacks:
    """Sort a folder, its subfolders included, or some files into stacks, from headers alone.

    Args:
        source: A folder, or files.
        parsed: Where somebody else asks about the files too, for each to be parsed once.

    Raises:
        ImageError: There is no such folder or file.
    """
    where, paths = _paths(source)
    slices: list[SliceHeader] = []
    damaged: list[tuple[Path, Damaged]] = []
    notes: Counter[str] = Counter()
    for path in paths:
        try:
            slices += read_headers(path, parsed)
        except SetAside as aside:
            notes[aside.code] += 1
        except Damaged as problem:
            damaged.append((path, problem))
    stacks, more = find_stacks(slices)
    known = {item.series for item in slices}
    stacks = [spoiled(stack, damaged, known) for stack in stacks]
    if damaged and not stacks:
        stacks = [Stack((), problem=_damage(*damaged[0]))]
    return Stacks(where, tuple(stacks), dict(notes + Counter(more)))


def read_series(
    source: Path | Iterable[Path],
    *,
    resample_uneven: bool = False,
    where: str = "",
    name_of: NameOf = file_name,
    parsed: ParsedFiles | None = None,
) -> Series:
    """The one stack of a folder or of some files.

    Stacks of fewer than three slices, localizers, screenshots and whatever is no image are set aside and
    counted in the notes.

    Args:
        source: A folder, or files.
        resample_uneven: Whether slices at uneven distances are put onto an even grid, linearly.
        where: What messages call the source; its folder by default.
        name_of: What messages call a file.
        parsed: Where the caller asks about the files too, for each to be parsed once.

    Raises:
        ImageError: No stack, more than one, or one that can't be right; the message has a code word.
        MissingDependencyError: No decoder for its compression is installed.
    """
    parsed = parsed or ParsedFiles()
    found = read_stacks(source, parsed)
    where = where or found.where
    small = [stack for stack in found.stacks if stack.problem and stack.problem.code == "TOO_FEW_SLICES"]
    stacks = [stack for stack in found.stacks if stack not in small] or small
    if resample_uneven:
        stacks = [evened(stack) for stack in stacks]
    if not stacks:
        counted = ", ".join(f"{count} {code}" for code, count in found.notes.items()) or "no files"
        msg = f"{where}: NO_STACK, there is no DICOM stack of CT or MR slices here (found {counted})."
        raise ImageError(msg)
    for stack in stacks:
        if stack.problem:
            raise refusal(where, stack.problem, name_of)
    if len(stacks) > 1:
        sizes = ", ".join(str(len(stack.slices)) for stack in stacks)
        msg = (
            f"{where}: SEVERAL_STACKS, there are {len(stacks)} stacks of {sizes} slices."
            " Put one stack into each folder, or name its files."
        )
        raise ImageError(msg)
    notes = Counter(found.notes)
    if small and small != stacks:
        notes["TOO_FEW_SLICES"] += len(small)
    series = read_stack(stacks[0], where=where, name_of=name_of, parsed=parsed)
    return replace(series, notes=dict(Counter(series.notes) + notes))


def read_stack(
    stack: Stack, *, where: str, name_of: NameOf = file_name, parsed: ParsedFiles | None = None
) -> Series:
    """The volume of one stack.

    Args:
        stack: From `read_stacks`.
        where: Its case or folder, for messages.
        name_of: What messages call a file.
        parsed: The files whose headers were read before.

    Raises:
        ImageError: The stack has a problem, or its pixels are damaged or of unknown meaning.
        MissingDependencyError: No decoder for its compression is installed.
    """
    if stack.problem or stack.affine is None:
        raise refusal(where, stack.problem or Problem("NO_POSITION", "it has no grid"), name_of)
    first = stack.slices[0]
    try:
        _check_twins(stack)
        voxels, padding_mapped = read_voxels(stack.slices, parsed)
    except UnreadablePixels as error:
        raise refusal(where, error.problem, name_of) from None
    notes = dict.fromkeys(stack.repairs, 1)
    if stack.twins:
        notes["DUP_FILE_DROPPED"] = len(stack.twins)
    if padding_mapped:
        notes["PADDING_MAPPED"] = 1
    with quietly():
        header = pydicom.dcmread(first.path, force=True, stop_before_pixels=True)
        attributes, identity = read_attributes(header), read_identity(header)
        if text(header.get("LossyImageCompression")) == "01":
            notes["LOSSY"] = 1
    tilt_degrees = stack.shear.degrees if stack.shear else 0.0
    return Series(_on_grid(voxels, stack), first.modality, attributes, notes, identity, tilt_degrees)


def _on_grid(voxels: Voxels, stack: Stack) -> Volume:
    if stack.taken_at:
        return resampled(voxels, stack)
    volume = Volume(voxels, np.asarray(stack.affine))
    if stack.shear is None:
        return volume
    fill = AIR_HU if stack.slices[0].modality == "CT" else min(0, int(voxels.min()))
    return straightened(volume, stack.shear, fill=fill)


def refusal(where: str, problem: Problem, name_of: NameOf = file_name) -> WirsungError:
    """The error that says why a stack is refused, and what to do."""
    msg = f"{where}: {problem.code}, {problem.told(name_of)}. {_REMEDIES.get(problem.code, _EXPORT)}"
    return ImageError(msg)


_EXPORT = "Export the series again from where it came."
_REMEDIES = {
    "SPACING_UNEVEN": "If it was scanned so, ask for it to be resampled.",
    "NO_DECODER": "Have it sent without compression.",
    "NO_RESCALE": "Find out what the values mean; they can't be taken for HU.",
    "NOT_HU": "Use the series in HU of the same study.",
    "MODALITY": "Leave this series out.",
    "DUP_POSITION": "Decide which of them is right, and take the other away.",
}


def _paths(source: Path | Iterable[Path]) -> tuple[str, list[Path]]:
    if not isinstance(source, Path):
        paths = sorted(source)
        where = str(paths[0].parent) if paths else "no files"
    else:
        where = str(source)
        paths = (
            sorted(path for path in source.rglob("*") if not path.is_dir()) if source.is_dir() else [source]
        )
    for path in paths:
        if not path.exists():
            kind = "is a link to nothing" if path.is_symlink() else "does not exist"
            msg = f"{path} {kind}. Name a folder of whole DICOM files."
            raise ImageError(msg)
    return where, paths


def _check_twins(stack: Stack) -> None:
    """Pass where every second slice at one place is a plain copy of the first."""
    if not all(same_content(first, second) for first, second in stack.twins):
        sentence = f"{len(stack.twins)} places have two slices that differ"
        raise UnreadablePixels(code="DUP_POSITION", sentence=sentence)


def spoiled(stack: Stack, damaged: Iterable[tuple[Path, Damaged]], known: Container[str]) -> Stack:
    """The stack, with a problem where a damaged file may be one of its slices.

    A damaged file spoils its series, and where its series can't be told, every stack of its folder.

    Args:
        stack: From `find_stacks`.
        damaged: Files and what is wrong with them.
        known: The series that have slices.
    """
    for path, problem in damaged:
        same_series = any(item.series == problem.series for item in stack.slices)
        same_folder = any(item.path.parent == path.parent for item in stack.slices)
        if same_series or (same_folder and problem.series not in known):
            return replace(stack, affine=None, problem=_damage(path, problem))
    return stack


def _damage(path: Path, problem: Damaged) -> Problem:
    state = "can't be opened" if problem.code == "UNREADABLE" else "is cut or damaged"
    return Problem(problem.code, f"{{file}} {state}", path)
