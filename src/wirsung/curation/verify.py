"""The stage `verify`: read every voxel of a dataset again, and hold it against the tables' checksums."""

import gzip
import hashlib
import zlib
from collections.abc import Callable, Iterator, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np

from wirsung.compute.cases import Outcome, map_cases
from wirsung.curation.settings import VerifySettings
from wirsung.curation.verify_cataloged import CatalogedCase, Check, is_cataloged
from wirsung.datasets.layout import COMBINED_FILE, MASK_FOLDER, SUFFIX, Case, Dataset
from wirsung.datasets.manifest import MANIFEST_FILE, mask_checksums, read_manifest
from wirsung.datasets.measure import sha256_of_mask, sha256_of_runs, sha256_of_voxels
from wirsung.errors import ImageError, ManifestError, WirsungError
from wirsung.imaging.code_files import VOXELS, read_codes
from wirsung.imaging.nifti_content import read_content
from wirsung.imaging.run_kernels import Integers
from wirsung.imaging.run_reading import read_runs

_PART_BYTES = 1 << 20
_PREFIX = 12
"""Digits of a checksum that are shown."""
_REMEDY = "Curate the case again from its source, or take the file from a backup."
_CATALOG_REMEDY = "Take the file from a backup or its source; if the change was meant, run wirsung catalog."


@dataclass(frozen=True)
class Problem:
    """One file that is not what was written."""

    case: str
    file: str
    """Relative to the folder of the case's image or labels."""
    message: str
    expected: str = ""
    """The checksum of the tables; empty where there is none."""
    found: str = ""
    """The checksum of the file; empty where it can't be read."""


@dataclass(frozen=True)
class Checked:
    """What was found of one case."""

    files: int
    """That were read whole."""
    problems: tuple[Problem, ...] = ()


class Verification(list[Outcome[Checked]]):
    """One outcome a case, failed where a file is not what was written."""

    @property
    def problems(self) -> tuple[Problem, ...]:
        """Of all cases, in their order."""
        return tuple(problem for outcome in self if outcome.value for problem in outcome.value.problems)

    def lines(self) -> list[str]:
        """For the terminal."""
        files = sum(outcome.value.files for outcome in self if outcome.value)
        counted = f"{files} files read whole"
        return [f"{counted}, every voxel as it was written." if not self.problems else f"{counted}."]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        files = sum(outcome.value.files for outcome in self if outcome.value)
        return {"files": files, "problems": [asdict(problem) for problem in self.problems]}


@dataclass(frozen=True)
class _Task:
    """A case and what the tables say of it."""

    case: Case
    row: Mapping[str, Any]
    masks: Mapping[str, str] = field(default_factory=dict)
    """Structure to checksum."""
    is_cataloged: bool = False
    """Imported or as released, so that the tables are the catalog's."""


def verify(settings: VerifySettings) -> Verification:
    """Hold the image, each mask, the combined labels and the codes of each case against their checksums.

    An imported dataset, or a release, is held against what `wirsung catalog` recorded of it.

    Raises:
        ManifestError: It is not a dataset, or has no tables to hold it against.
    """
    dataset = Dataset.open(settings.dataset)
    cataloged = is_cataloged(dataset)
    rows = {row["case"]: row for row in read_manifest(dataset.root).to_pylist()}
    masks = mask_checksums(dataset.root)
    tasks = {
        case.id: _Task(case, rows.get(case.id, {}), masks.get(case.id, {}), cataloged)
        for case in dataset.cases
    }
    outcomes = map_cases(
        verify_case, tasks, workers=settings.workers, description="verify", cluster=settings.cluster
    )
    verb = "catalog" if cataloged else "curate"
    gone = [_without_folder(case, verb) for case in sorted(set(rows) - set(tasks))]
    return Verification([*map(_judged, outcomes), *gone])


def verify_case(task: _Task) -> Checked:
    """Read all files of a case whole and compare."""
    case = task.case
    if task.is_cataloged:
        return _verify_cataloged(task)
    if not task.row:
        msg = f"Case {case.id} is not in {MANIFEST_FILE}, so it can't be verified. Run wirsung curate again."
        raise ManifestError(msg)
    image = case.image_path
    checks: list[Check] = [(image.name, lambda: _sha256_of_content(image), task.row["image_sha256"])]
    masks = {name: case.mask_path(name) for name in sorted({*task.masks, *case.structure_names()})}
    runs: dict[str, Integers] = {}
    for name, path in masks.items():
        file = f"{MASK_FOLDER}/{name}{SUFFIX}"
        checks.append((file, _hashing_mask(name, path, runs), task.masks.get(name)))
    if masks:
        combined, folder = case.combined_path, case.label_folder
        checks.append(
            (COMBINED_FILE, lambda: _sha256_of_content(combined), task.row["combined_sha256"]),
        )
        checks.append((VOXELS, lambda: _sha256_of_codes(folder, runs), task.row["codes_sha256"]))
    problems = tuple(_problems(case.id, checks))
    return Checked(len(checks) - sum(not item.found for item in problems), problems)


def _verify_cataloged(task: _Task) -> Checked:
    """The image, and if it can be read the labels, which lie on its grid."""
    held = CatalogedCase(task.case, task.row, task.masks)
    checks = [held.image_check()]
    problems = list(_problems(task.case.id, checks, _CATALOG_REMEDY))
    if all(item.found for item in problems):
        more = held.label_checks()
        problems += _problems(task.case.id, more, _CATALOG_REMEDY)
        checks += more
    return Checked(len(checks) - sum(not item.found for item in problems), tuple(problems))


def _problems(case: str, checks: list[Check], remedy: str = _REMEDY) -> Iterator[Problem]:
    for file, hashed, expected in checks:
        try:
            found = hashed()
        except WirsungError as error:
            yield Problem(case, file, f"case {case}, {file} can't be read whole: {error}", expected or "")
            continue
        if found != expected:
            wanted = (
                f"but {expected[:_PREFIX]} was written" if expected else "but the tables have none for it"
            )
            msg = f"case {case}, {file}: its voxels have the checksum {found[:_PREFIX]}, {wanted}. {remedy}"
            yield Problem(case, file, msg, expected or "", found)


def _sha256_of_content(path: Path) -> str:
    """Of the voxels as they are stored."""
    _, row = read_content(path)
    return hashlib.sha256(row.data).hexdigest()


def _sha256_of_odd_mask(path: Path) -> str:
    """Of a mask stored as bytes of 0 and 1; of anything else the content, which no table has."""
    header, row = read_content(path)
    if header.dtype == np.uint8 and not header.is_scaled and row.max() <= 1:
        return sha256_of_mask(row.reshape(header.shape, order="F"))
    return hashlib.sha256(row.data).hexdigest()


def _inflate_by_zlib(path: Path) -> None:
    """Inflate again what is odd: zlib, with which others read it, refuses codes that isal takes.

    Raises:
        ImageError: zlib refuses it.
    """
    try:
        with gzip.open(path) as file:
            while file.read(_PART_BYTES):
                pass
    except (OSError, EOFError, zlib.error) as error:
        msg = f"{path} is damaged: zlib can't inflate it. {_REMEDY}"
        raise ImageError(msg) from error


def _hashing_mask(name: str, path: Path, runs: dict[str, Integers]) -> Callable[[], str]:
    """A function that hashes the mask and, where it can, keeps its runs."""

    def hashed() -> str:
        found = read_runs(path)
        if found is None:
            checksum = _sha256_of_odd_mask(path)
            _inflate_by_zlib(path)
            return checksum
        runs[name] = found.runs
        return sha256_of_runs(found.runs, found.shape)

    return hashed


def _sha256_of_codes(folder: Path, runs: Mapping[str, Integers]) -> str:
    """Of the codes, where they say of each structure what its mask says.

    Raises:
        ManifestError: They don't.
    """
    codes = read_codes(folder)
    for name in codes.structures:
        if name in runs and not np.array_equal(runs[name], codes.runs_of(name)):
            msg = f"its codes say something else of {name} than the mask does. {_REMEDY}"
            raise ManifestError(msg)
    return sha256_of_voxels(codes.volume.voxels)


def _judged(outcome: Outcome[Checked]) -> Outcome[Checked]:
    problems = outcome.value.problems if outcome.value else ()
    if not problems:
        return outcome
    more = f" ({len(problems)} files in all)" if len(problems) > 1 else ""
    return replace(outcome, status="failed", message=f"{problems[0].message}{more}")


def _without_folder(case: str, verb: str) -> Outcome[Checked]:
    message = f"{MANIFEST_FILE} has case {case}, but there is no folder of it. Run wirsung {verb} again."
    return Outcome(case, "failed", message, Checked(0, (Problem(case, MANIFEST_FILE, message),)))
