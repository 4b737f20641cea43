"""One case of one method, from files to rows; the rows are kept, so that a later run need not score again."""

import hashlib
import json
import math
from collections.abc import Iterable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wirsung import __version__
from wirsung.anatomy.schemes import Scheme
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Skip
from wirsung.datasets.layout import Case
from wirsung.errors import ImageError, LabelError, ManifestError
from wirsung.evaluation.case import LESION, CaseName, Pair, lesion_probability, score_case
from wirsung.evaluation.scores import Score
from wirsung.evaluation.views import View, is_annotated
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.nifti import read_image, read_label_map
from wirsung.imaging.volume import Volume


@dataclass(frozen=True)
class Task:
    """All that a worker needs to score one case of one method."""

    name: CaseName
    reference: Case | Path
    reference_scheme: Scheme
    prediction: Path
    probability: Path | None
    scheme: Scheme
    views: tuple[View, ...]
    record: Path
    """Where the case's rows are kept."""


def score_task(task: Task) -> list[Score]:
    """Score one case and keep its rows.

    Raises:
        Skip: The record is of the same inputs and settings; it carries the rows.
        WirsungError: A file is missing or damaged, holds a value its scheme does not, or the grids differ.
    """
    case = task.name.case
    if not task.prediction.is_file():
        place = f"{task.prediction.parent.name}/{task.prediction.name}"
        msg = f"there is no prediction {place}. Predict it, or leave the case out."
        raise ManifestError(msg)
    stamp = fingerprint(task)
    kept = _kept(task.record, stamp)
    if kept is not None:
        raise Skip(kept)
    reference, annotated = read_reference(task.reference, task.reference_scheme, task.views)
    prediction = read_prediction(case, task.prediction, task.scheme, reference)
    pair = Pair(reference, prediction)
    _check_values(pair.values[0], task.reference_scheme, f"the reference of case {case}")
    _check_values(pair.values[1], task.scheme, task.prediction.name)
    rows = score_case(task.name, pair, task.views, annotated=annotated)
    scored = {view.structure for view in task.views} if annotated is None else annotated
    if task.probability and LESION in scored:
        rows.append(lesion_probability(task.name, _read_probability(task.probability)))
    plain = [asdict(row) | {"value": None if math.isnan(row.value) else row.value} for row in rows]
    write_json(task.record, {"schema": 1, "stamp": stamp, "rows": plain})
    return rows


def fingerprint(task: Task) -> str:
    """A hash of the settings, and of name, size and time of every file that the case is scored from."""
    if isinstance(task.reference, Case):
        files = [task.reference.mask_path(name) for name in task.reference.structure_names()]
    else:
        files = [task.reference]
    files += [task.prediction, *([task.probability] if task.probability else [])]
    settings = [
        [task.name.case, task.name.method, task.name.protocol.sha256],
        asdict(task.reference_scheme),
        asdict(task.scheme),
        list(map(asdict, task.views)),
    ]
    content = [__version__, settings, [_stamp(path) for path in files]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def read_reference(
    reference: Case | Path, scheme: Scheme, views: Sequence[View]
) -> tuple[Volume, frozenset[str] | None]:
    """The reference's label map, and which of the structures it annotates (None for all).

    Raises:
        WirsungError: It can't be read, or holds a value that the scheme does not.
    """
    if isinstance(reference, Case):
        present = reference.structure_names()
        annotated = {view.structure for view in views if is_annotated(view.structure, scheme, present)}
        return reference.label_map(scheme), frozenset(annotated)
    return _read_label_map(reference, scheme), None


def read_prediction(case: str, path: Path, scheme: Scheme, reference: Volume) -> Volume:
    """The prediction's label map on the reference's grid; flipped axes are turned back without interpolation.

    Raises:
        WirsungError: It can't be read, holds a value that the scheme does not, or lies on another grid.
    """
    volume = _read_label_map(path, scheme)
    return same_grid_as(volume, reference, case=case, names=("reference", "prediction"))


def _read_label_map(path: Path, scheme: Scheme) -> Volume:
    """Read it, and refuse values beyond the scheme's at once: the joint histogram grows with their square."""
    volume = read_label_map(path)
    if volume.voxels.max() > max(scheme.values):
        _check_values(np.unique(volume.voxels).tolist(), scheme, path.name)
    return volume


def _check_values(values: Iterable[int], scheme: Scheme, file_name: str) -> None:
    unknown = [value for value in values if value and value not in scheme.values]
    if unknown:
        few = ", ".join(map(str, unknown[:5])) + (" and more" if len(unknown) > 5 else "")
        msg = (
            f"{file_name} holds the values {few}, which the scheme {scheme.name} does not have. "
            "Name the scheme of the label maps with --scheme or --reference-scheme."
        )
        raise LabelError(msg)


def _read_probability(path: Path) -> Volume:
    volume = read_image(path)
    if not (volume.voxels.min() >= 0 and volume.voxels.max() <= 1 + 1e-6):
        msg = f"{path.name} holds values outside 0 to 1, so it is no probability. Predict again."
        raise ImageError(msg)
    return volume


def _stamp(path: Path) -> list[Any]:
    try:
        found = path.stat()
    except FileNotFoundError:
        return [path.name, None, None]
    return [path.name, found.st_size, found.st_mtime_ns]


def _kept(record: Path, stamp: str) -> list[Score] | None:
    """The rows of an earlier run, where its inputs and settings were these."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        if content["stamp"] != stamp:
            return None
        rows = [
            {**row, "value": math.nan if row["value"] is None else row["value"]} for row in content["rows"]
        ]
        return [Score(**row) for row in rows]
    except (OSError, ValueError, KeyError, TypeError):
        # No record, or one of another version: the case is scored anew.
        return None
