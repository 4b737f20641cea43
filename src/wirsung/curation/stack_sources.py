"""From stacks to cases: each usable stack is one, wherever its files lie and whatever lies between them."""

import os
from collections import Counter
from collections.abc import Container, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import chain
from pathlib import Path

from wirsung.curation.dicom_facts import FileNumbers
from wirsung.curation.index import Index
from wirsung.curation.intake import DICOM_FOLDER, Source, unique
from wirsung.curation.label_files import Drawings, LabelFiles
from wirsung.datasets.layout import MASK_FOLDER
from wirsung.imaging.dicom import Stack, refusal
from wirsung.imaging.dicom_headers import SliceHeader
from wirsung.imaging.dicom_spacing import evened
from wirsung.imaging.dicom_stacks import Problem, fit_stack

_NAMELESS = "unnamed"
_SMALL = "TOO_FEW_SLICES"


@dataclass(frozen=True)
class _Found:
    """What is kept of a stack: little, as there may be tens of thousands."""

    first: Path
    files: tuple[Path, ...]
    problem: Problem | None
    repairs: tuple[str, ...]
    drawn: Drawings


def by_stacks(
    sources: Sequence[Source],
    root: Path,
    index: Index,
    *,
    even_spacing: bool = False,
    listed: Container[str] = (),
) -> list[Source]:
    """The sources, where those of DICOM are one a stack, named after the folder that the stack lies in.

    Further stacks of a folder get -2, -3 and so on; where folders in different places have one name, the
    names of the folders above come before. A folder with masks is a case as it stands. Folders with nothing
    but reports, scouts or screenshots are no cases. SEG and RTSTRUCT, wherever they lie, go to the stack that
    they refer to; one that refers to none is a case of its own, with that for its problem.

    Args:
        sources: From `find_sources`.
        root: The folder that was searched.
        index: Of that folder.
        even_spacing: Whether slices at uneven distances may be put onto an even grid.
        listed: Cases whose names somebody has said to be codes; others must not be called after a patient.
    """
    labels = _label_files(index)
    kept = [item for item in sources if item.kind != "dicom" or item.masks]
    dicom = [item for item in sources if item.kind == "dicom" and not item.masks]
    taken = {root / item.place for item in kept}
    deep = {item.image: item for item in dicom if item.is_deep}
    homes: dict[Path, list[_Found]] = {}
    holding: set[Path] = set()
    doubled: dict[Path, Drawings] = {}
    for whole in chain.from_iterable(_apart(stack, deep) for stack in index.stacks()):
        if not whole.slices:
            continue
        drawn = labels.of(whole)
        stack = evened(whole) if even_spacing else whole
        folder = _inside(stack.slices[0].path, taken)
        if folder is None:
            homes.setdefault(_home(stack, deep), []).append(_found(stack, drawn))
            holding.update(item.path.parent for item in stack.slices)
        elif drawn.files:
            doubled[folder] = drawn
    names = _names(homes, root, [item.case for item in kept])
    telling = index.telling_folders()
    told = {home: _told_by(home, names[home], telling, root) for home in sorted(homes)}
    hidden = [home for home, attribute in told.items() if attribute and names[home] not in listed]
    made = [_hidden(number, root, home, told[home]) for number, home in enumerate(hidden, start=1)]
    for home in homes:
        if home not in hidden:
            made += _cases(homes[home], home, names[home], root)
    damaged = {path.parent for path, _ in index.damaged()}
    kept = [_only_once(item, doubled.get(root / item.place)) for item in kept]
    broken = [item for item in dicom if _holds(item, damaged) and not _holds(item, holding)]
    strays = labels.strays()
    return sorted(unique([*kept, *made, *broken, *strays] or sources), key=lambda item: item.case)


def _told_by(home: Path, name: str, telling: Mapping[Path, str], root: Path) -> str:
    """The attribute after which a case of that name is called; empty where it tells no patient."""
    if name == home.name or home == root:
        return telling.get(home, "")
    parts = [home, *home.parents]  # its name is made of these, up to the root
    return next((telling[part] for part in parts[: parts.index(root)] if part in telling), "")


def _hidden(number: int, root: Path, home: Path, attribute: str) -> Source:
    """A folder that is called after its patient, told by its number among those."""
    case = f"{_NAMELESS}-{number}"
    why = (
        f"Case {case}: IDENTITY_LEFT, what its headers say under {attribute} was found in the name of its "
        f"folder, number {number} of such folders by path. Rename it, or list it in metadata.csv if its name "
        "is a code."
    )
    return Source(case, home.relative_to(root).as_posix(), "dicom", home, problem=why)


def _label_files(index: Index) -> LabelFiles:
    files = index.labels()
    wanted = {uid for item in files for uid in item.refers_to}
    return LabelFiles(files, index.known_instances(wanted) if wanted else ())


def _only_once(item: Source, drawn: Drawings | None) -> Source:
    """The source, with a problem where it has masks and other labels as well."""
    if drawn is None:
        return item
    return item.failing(f"{item.case} has {MASK_FOLDER}/, and SEG or RTSTRUCT as well. Keep one.")


def _holds(item: Source, folders: set[Path]) -> bool:
    """Whether files in one of the folders would be the source's."""
    return item.image in folders or (item.is_deep and any(item.image in path.parents for path in folders))


def _inside(path: Path, folders: set[Path]) -> Path | None:
    """The folder among them that the file lies in."""
    return next((parent for parent in path.parents if parent in folders), None)


def _apart(stack: Stack, deep: dict[Path, Source]) -> list[Stack]:
    """Copies of one series in several folders are a stack each, where every folder has the whole of it."""
    parts: dict[Path, list[SliceHeader]] = {}
    if stack.is_usable and stack.twins:
        for item in (*stack.slices, *(twin for _, twin in stack.twins)):
            parts.setdefault(_case_folder(item.path.parent, deep), []).append(item)
    fitted = [replace(fit_stack(members), is_split=stack.is_split) for members in parts.values()]
    if len(fitted) > 1 and all(part.is_usable for part in fitted):
        return fitted
    return [stack]


def _case_folder(folder: Path, deep: dict[Path, Source]) -> Path:
    """The folder itself, and CASE for whatever lies in CASE/dicom."""
    return next((parent.parent for parent in (folder, *folder.parents) if parent in deep), folder)


def _home(stack: Stack, deep: dict[Path, Source]) -> Path:
    """The innermost folder with all its files; for those of CASE/dicom it is CASE."""
    folders = {item.path.parent for item in stack.slices}
    home = Path(os.path.commonpath(folders)) if len(folders) > 1 else folders.pop()
    return _case_folder(home, deep)


def _found(stack: Stack, drawn: Drawings) -> _Found:
    members = [*stack.slices, *(twin for pair in stack.twins for twin in pair[1:])]
    files = tuple(sorted({item.path for item in members}))
    return _Found(files[0], files, stack.problem, stack.repairs, drawn)


def _names(homes: Iterable[Path], root: Path, taken: Sequence[str]) -> dict[Path, str]:
    plain = {home: home.name if home != root else root.resolve().name for home in homes}
    times = Counter(name.lower() for name in [*plain.values(), *taken])
    return {
        home: name if times[name.lower()] == 1 or home == root else "-".join(home.relative_to(root).parts)
        for home, name in plain.items()
    }


def _cases(found: Sequence[_Found], home: Path, name: str, root: Path) -> Iterator[Source]:
    """The cases of one folder; stacks of too few slices are none where there are others."""
    small = [item for item in found if item.problem and item.problem.code == _SMALL]
    left = sorted((item for item in found if item not in small), key=lambda item: item.first) or small
    place = home.relative_to(root).as_posix() if home != root else root.resolve().name
    folder = _whole_folder(left, home)
    for number, item in enumerate(left, start=1):
        source = Source(
            case=name if number == 1 else f"{name}-{number}",
            place=place,
            kind="dicom",
            image=folder or home,
            is_deep=folder not in (None, home),
            files=() if folder else item.files,
            repairs=item.repairs,
            drawn=item.drawn.files,
        )
        why = f"Case {source.case}: {item.drawn.problem}" if item.drawn.problem else ""
        if item.problem:
            why = str(refusal(name, item.problem, FileNumbers(item.files)))
        yield source.failing(why) if why else source


def _whole_folder(found: Sequence[_Found], home: Path) -> Path | None:
    """The folder that is read as a whole, with whatever else lies there, as it holds one stack; else None."""
    if len(found) > 1:
        return None
    if all(path.parent == home for path in found[0].files):
        return home
    inner = home / DICOM_FOLDER
    return inner if all(inner in path.parents for path in found[0].files) else None
