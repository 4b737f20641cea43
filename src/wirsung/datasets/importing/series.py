"""A source whose images are DICOM: links under the names of its cases, for `wirsung curate` to read."""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import scheme
from wirsung.compute.atomic import write_text
from wirsung.compute.cases import Outcome, Skip, map_cases
from wirsung.datasets.importing.finding import Found, one_of
from wirsung.datasets.importing.placing import place_link
from wirsung.datasets.sources import Source
from wirsung.errors import ManifestError
from wirsung.imaging.nifti_writing import write_nifti

RAW, LABELS, METADATA = "raw", "labels", "metadata.csv"


@dataclass(frozen=True)
class SeriesLinks:
    """One case, by where its series and its label map lie."""

    id: str
    folder: Path
    out: Path
    series: tuple[str, ...]
    """Folders from the source's; more than one where the case is there twice."""
    labels: tuple[str, ...]
    pictures: tuple[str, ...]
    """In place of a label map, one a slice."""
    scheme: str
    link: str


@dataclass(frozen=True)
class Prepared:
    """The outcomes, and the command that comes next."""

    outcomes: list[Outcome[None]]
    source: Source
    out: Path
    found: Found

    def lines(self) -> list[str]:
        """For the terminal."""
        lines = [f"{self.source.title}. {self.source.licence.describe()}."]
        for what, cases in (
            ("Series without labels", self.found.unlabelled),
            ("Labels without", self.found.imageless),
        ):
            if cases:
                lines.append(
                    f"{what}{' a series' * what.endswith('out')}: {len(cases):,} (such as {cases[0]})."
                )
        return [*lines, f"Its images are DICOM, so this is no dataset yet. Make one with: {self.command}"]

    @property
    def command(self) -> str:
        """What makes a dataset of it."""
        return (
            f"wirsung curate {self.out / RAW} DATASET --labels {self.out / LABELS} "
            f"--label-scheme {self.source.label_scheme} --licence {self.source.licence.name!r}"
        )

    def as_json(self) -> dict[str, Any]:
        """As `--json` prints."""
        return {"source": self.source.name, "next": self.command}


def prepare_series(
    source: Source, found: Found, places: tuple[Path, Path], how: str, workers: int
) -> Prepared:
    """Link each series as `raw/<case>/dicom` and each label map as `labels/<case>.nii.gz`.

    `raw/metadata.csv` lists the cases, as their names are codes and may be what the headers call the patient.

    Args:
        source: Whose layout has series.
        found: Its cases.
        places: The source's folder, and where to put the links.
        how: symbolic, hard or copy.
        workers: Processes.
    """
    folder, out = places
    rows = ["case,patient,modality"]
    tasks = {}
    for own, case in found.cases.items():
        name = source.case_id(own)
        rows.append(f"{name},{case.patient or source.patient(own) or name},{case.part.modality}")
        tasks[name] = SeriesLinks(
            name,
            folder,
            out,
            tuple(case.images),
            tuple(case.labels),
            tuple(case.pictures),
            source.label_scheme,
            how,
        )
    write_text(out / RAW / METADATA, "\n".join(rows) + "\n")
    outcomes = map_cases(link_series, tasks, workers=workers, description="Linking")
    return Prepared(outcomes, source, out, found)


def link_series(task: SeriesLinks) -> None:
    """Link one case's series and label map.

    Raises:
        Skip: Both are there already.
        ManifestError: The case has two series, or two label maps that differ.
        GeometryError: Its pictures don't fit its slices.
        StorageError: A link is refused.
    """
    if len(task.series) > 1:
        msg = f"it has {len(task.series)} series: {task.series[0]} and {task.series[1]}. Keep the right one."
        raise ManifestError(msg)
    wanted = _wanted(task)
    missing = {name: target for name, target in wanted.items() if not _is_link(name, target, task.link)}
    drawn = task.out / LABELS / f"{task.id}.nii.gz"
    has_pictures = bool(task.pictures) and not _is_newer(
        drawn, [task.folder / path for path in task.pictures]
    )
    if not missing and not has_pictures:
        raise Skip
    for name, target in missing.items():
        name.parent.mkdir(parents=True, exist_ok=True)
        name.unlink(missing_ok=True)
        place_link(target, name, task.link)
    if has_pictures:
        from wirsung.datasets.importing.pictures import stack_pictures  # few need what reads pictures

        pictures = [task.folder / path for path in task.pictures]
        labels = stack_pictures(task.folder / task.series[0], pictures, scheme(task.scheme))
        drawn.parent.mkdir(parents=True, exist_ok=True)
        write_nifti(drawn, labels)


def _is_newer(path: Path, pictures: list[Path]) -> bool:
    """Whether the label map was made after its pictures."""
    newest = max(picture.stat().st_mtime_ns for picture in pictures)
    return path.is_file() and path.stat().st_mtime_ns > newest


def _wanted(task: SeriesLinks) -> dict[Path, Path]:
    """Each link to what it stands for; a folder is linked whole where links can do that."""
    series, dicom = task.folder / task.series[0], task.out / RAW / task.id / "dicom"
    if task.link == "symbolic":
        wanted = {dicom: series}
    else:
        wanted = {dicom / file.name: file for file in sorted(series.iterdir()) if file.is_file()}
    if task.labels:
        wanted[task.out / LABELS / f"{task.id}.nii.gz"] = task.folder / one_of(list(task.labels), task.folder)
    return wanted


def _is_link(name: Path, target: Path, how: str) -> bool:
    if how == "symbolic":
        return name.is_symlink() and name.readlink() == Path(os.path.relpath(target, name.parent))
    return name.is_file() and name.stat().st_size == target.stat().st_size
