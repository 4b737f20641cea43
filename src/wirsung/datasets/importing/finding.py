"""What of a source is in a folder: its layout, each case with its files, and what is missing."""

import filecmp
import os
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wirsung.datasets.importing.patterns import compiled
from wirsung.datasets.layout import is_case_id
from wirsung.datasets.sources import Layout, Part, Source, all_sources
from wirsung.errors import ManifestError

_FEW = 5
_ARCHIVES = (".zip", ".tar", ".tar.gz", ".tgz", ".7z")


@dataclass
class FoundCase:
    """One case of the source, by where its files lie."""

    own: str
    """The source's id."""
    part: Part
    images: list[str] = field(default_factory=list)
    """Paths from the folder, of a series that of its folder; more than one where the case is there twice."""
    labels: list[str] = field(default_factory=list)
    masks: dict[str, list[str]] = field(default_factory=dict)
    """By the source's name."""
    pictures: list[str] = field(default_factory=list)
    patient: str = ""
    """Where the path tells it."""

    @property
    def is_labelled(self) -> bool:
        """Whether any label is there."""
        return bool(self.labels or self.masks or self.pictures)


@dataclass(frozen=True)
class Found:
    """What of a source is in a folder."""

    layout: Layout
    cases: dict[str, FoundCase]
    """By the source's id, those with an image."""
    unlabelled: tuple[str, ...]
    """Ids of cases that should have labels and have none."""
    imageless: tuple[str, ...]
    """Ids of labels without an image."""


def list_files(folder: Path) -> list[str]:
    """Every file in the folder, as paths with slashes from it, sorted; hidden ones are left out.

    Raises:
        ManifestError: It is no folder.
    """
    if not folder.is_dir():
        what = "is no folder" if folder.exists() else "does not exist"
        msg = f"{folder} {what}. Name the folder that the source was unpacked to."
        raise ManifestError(msg)
    return sorted(_walk(folder))


def find_cases(source: Source, folder: Path, files: Iterable[str]) -> Found:
    """The cases of the source in the folder.

    Raises:
        ManifestError: Nothing of it is there, or two of its layouts are mixed, or it lies there twice.
    """
    names = list(files)
    top = folder.resolve().name
    matched = [(layout, _matches(layout, names, top)) for layout in source.layouts]
    matched = [(layout, hits) for layout, hits in matched if any(hit.is_image for hit in hits)]
    if not matched:
        raise _nothing(source, folder, names)
    matched.sort(key=lambda pair: -len(pair[1]))
    layout, hits = matched[0]
    known = {hit.path for hit in hits}
    for other, others in matched[1:]:
        foreign = sorted({hit.path for hit in others} - known)
        if foreign:
            msg = (
                f"{folder} mixes two layouts of {source.name}: {len(known)} files are {layout.name!r}, but "
                f"{len(foreign)} are {other.name!r}, such as {foreign[0]}. Keep one, or separate them."
            )
            raise ManifestError(msg)
    _check_one_root(source, folder, hits)
    return _gathered(layout, hits)


def one_of(paths: list[str], folder: Path) -> str:
    """The one file of several that hold the same.

    Raises:
        ManifestError: They hold different content; the message names them.
    """
    for other in paths[1:]:
        if not filecmp.cmp(folder / paths[0], folder / other, shallow=False):
            msg = f"it is there twice with different content: {paths[0]} and {other}. Keep the right one."
            raise ManifestError(msg)
    return paths[0]


def guess(files: Iterable[str], top: str = "") -> list[str]:
    """The sources whose images are among the files of the folder called `top`, the fullest one first."""
    names = list(files)
    counts: Counter[str] = Counter()
    for source in all_sources():
        for layout in source.layouts:
            hits = _matches(layout, names, top)
            if any(hit.is_image for hit in hits):
                counts[source.name] = max(counts[source.name], len(hits))
        if _marked(source, names):
            counts[source.name] += 1
    return [name for name, _ in counts.most_common()]


@dataclass(frozen=True)
class _Hit:
    kind: str
    part: Part
    path: str
    root: str
    case: str
    mask: str = ""
    patient: str = ""

    @property
    def is_image(self) -> bool:
        """Whether it is an image, or a file of a series."""
        return self.kind in ("image", "series")


def _walk(folder: Path) -> Iterator[str]:
    """Files below the folder; links to folders are followed, each folder once."""
    seen: set[str] = set()
    for place, folders, names in os.walk(folder, followlinks=True):
        real = os.path.realpath(place)
        if real in seen:
            folders.clear()
            continue
        seen.add(real)
        folders[:] = sorted(name for name in folders if not name.startswith((".", "__MACOSX")))
        inner = Path(place).relative_to(folder).as_posix()
        prefix = "" if inner == "." else f"{inner}/"
        yield from (prefix + name for name in names if not name.startswith("."))


def _matches(layout: Layout, names: Iterable[str], top: str) -> list[_Hit]:
    """The files that the layout knows; the name of the folder itself may be part of a pattern."""
    wanted = [
        (kind, part, compiled(pattern, part.case))
        for part in layout.parts
        for kind, pattern in (
            ("image", part.image),
            ("series", part.series),
            ("label", part.label),
            ("mask", part.masks),
            ("picture", part.pictures),
        )
        if pattern
    ]
    hits, prefix = [], f"{top}/" if top else ""
    for name in names:
        for kind, part, expression in wanted:
            match = expression.fullmatch(prefix + name)
            if match:
                told = {group: text or "" for group, text in match.groupdict().items()}
                hits.append(_Hit(kind, part, name, **told))
    return hits


def _gathered(layout: Layout, hits: list[_Hit]) -> Found:
    cases: dict[str, FoundCase] = {}
    for hit in (hit for hit in hits if hit.is_image and is_case_id(hit.case)):
        case = cases.setdefault(hit.case, FoundCase(hit.case, hit.part, patient=hit.patient))
        path = hit.path if hit.kind == "image" else hit.path.rpartition("/")[0]
        if path not in case.images:
            case.images.append(path)
    imageless = set()
    for hit in (hit for hit in hits if not hit.is_image):
        holder = cases.get(hit.case)
        if holder is None:
            imageless.add(hit.case)
        elif hit.kind == "label" and hit.path not in holder.labels:
            holder.labels.append(hit.path)
        elif hit.kind == "picture":
            holder.pictures.append(hit.path)
        elif hit.kind == "mask" and hit.path not in holder.masks.get(hit.mask, []):
            holder.masks.setdefault(hit.mask, []).append(hit.path)
    wanting = (case for case in cases.values() if case.part.label or case.part.masks or case.part.pictures)
    unlabelled = sorted(case.own for case in wanting if not case.is_labelled)
    return Found(layout, dict(sorted(cases.items())), tuple(unlabelled), tuple(sorted(imageless)))


def _check_one_root(source: Source, folder: Path, hits: list[_Hit]) -> None:
    roots = sorted({hit.root for hit in hits if hit.is_image})
    if len(roots) > 1:
        inside = (root.removeprefix(f"{folder.resolve().name}/") or "itself" for root in roots[:_FEW])
        shown = ", ".join(inside)
        msg = f"{folder} holds {source.name} {len(roots)} times: in {shown}. Name one of these folders."
        raise ManifestError(msg)


def _marked(source: Source, names: Iterable[str]) -> bool:
    marks = [compiled(mark, "x") for mark in source.marks]
    return any(mark.fullmatch(name) for mark in marks for name in names)


def _nothing(source: Source, folder: Path, names: list[str]) -> ManifestError:
    """What to tell where no image of the source was found."""
    if source.advice and (_marked(source, names) or not source.layouts):
        return ManifestError(f"{folder} holds {source.name} in a form that can't be linked. {source.advice}")
    labels = {hit.case for layout in source.layouts for hit in _matches(layout, names, folder.resolve().name)}
    if labels:
        return ManifestError(
            f"{folder} has labels of {len(labels)} cases of {source.name}, but no image. "
            f"Unpack the images beside them: {' or '.join(_patterns(source))}."
        )
    likely = [name for name in guess(names, folder.resolve().name) if name != source.name]
    hint = f" This looks like {likely[0]}: wirsung import {likely[0]} {folder}" if likely else ""
    if not likely and any(name.endswith(_ARCHIVES) for name in names):
        hint = " It holds archives: unpack them first."
    return ManifestError(
        f"{folder} has no image of {source.name}, which are {' or '.join(_patterns(source))} "
        f"({len(names)} other file{'s' * (len(names) != 1)}).{hint}"
    )


def _patterns(source: Source) -> list[str]:
    """What images are called, with the names of cases where those are plain."""
    parts = [part for layout in source.layouts for part in layout.parts]
    shown = {
        (part.image or part.series).replace("{case}", "{case}" if "(" in part.case else part.case)
        for part in parts
    }
    return sorted(shown)[:3]
