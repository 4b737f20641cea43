"""One case of one method, from files to rows; the rows are kept, so that a later run need not score again."""

import hashlib
import json
import math
from collections.abc import Iterator, Sequence
from dataclasses import asdict, dataclass, fields
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_text
from wirsung.compute.cases import Skip
from wirsung.compute.file_state import state_of_file
from wirsung.datasets.layout import Case
from wirsung.errors import ImageError, ManifestError
from wirsung.evaluation.case import (
    LESION,
    CaseName,
    Pair,
    lesion_probability,
    lesions_of,
    score_case,
    unscored,
)
from wirsung.evaluation.case_labels import CaseLabels, Source, check_values
from wirsung.evaluation.grids import on_grid_of
from wirsung.evaluation.lesions import CaseLesions
from wirsung.evaluation.scores import Score
from wirsung.evaluation.undefined import Reason
from wirsung.evaluation.views import View, is_annotated
from wirsung.imaging.nifti import read_image
from wirsung.imaging.volume import Volume

_COLUMNS = [item.name for item in fields(Score)]
_MOST_VALUES = 256
_GROUP = 8
"""So many structures can overlap in at most 256 ways."""


@dataclass(frozen=True)
class Task:
    """All that a worker needs to score one case of one method."""

    name: CaseName
    reference: Source
    prediction: Source
    probability: Path | None
    views: tuple[View, ...]
    record: Path
    """Where the case's rows are kept."""
    resample: bool = False
    """Bring a prediction on another grid onto the reference's."""


@dataclass(frozen=True)
class CaseScores:
    """What one case of one method scored."""

    rows: tuple[Score, ...]
    note: str = ""
    """What was done to the prediction before, such as resampling."""
    lesions: CaseLesions | None = None
    """None where the lesion is not scored."""


def score_task(task: Task) -> CaseScores:
    """Score one case and keep its rows.

    Raises:
        Skip: The record is of the same inputs and settings; it carries the rows.
        WirsungError: A file is missing or damaged, holds a value its scheme does not, or the grids differ.
    """
    case = task.name.case
    if not task.prediction.is_there:
        msg = f"there is no prediction {task.prediction.name}. Predict it, or leave the case out."
        raise ManifestError(msg)
    stamp = fingerprint(task)
    kept = _kept(task.record, stamp)
    if kept is not None:
        raise Skip(kept)
    annotated, predicted = _told(task.reference, task.views), _told(task.prediction, task.views)
    if not annotated and isinstance(task.reference.place, Case):
        found = CaseScores(tuple(_none_annotated(task)))
        _keep(task.record, stamp, found)
        return found
    reference, prediction, note = read_sides(task.reference, task.prediction, case, resample=task.resample)
    told = {"annotated": annotated, "predicted": predicted}
    probability = _probability(task, reference.volume) if _tells_lesion(task, annotated) else None
    rows: list[Score] = []
    lesions = None
    for pair, views in pairs(reference, prediction, task.views):
        _check(pair, task)
        rows += score_case(task.name, pair, views, **told)
        for view in views:
            if view.structure == LESION and _tells_lesion(task, annotated, predicted):
                lesions = lesions_of(task.name.protocol, pair, view, probability)
    if probability:
        rows.append(lesion_probability(task.name, probability))
    found = CaseScores(tuple(rows), note, lesions)
    _keep(task.record, stamp, found)
    return found


def read_sides(
    reference: Source,
    prediction: Source,
    case: str,
    *,
    views: Sequence[View] | None = None,
    resample: bool = False,
) -> tuple[CaseLabels, CaseLabels, str]:
    """The labels of both sides on the reference's grid, and a note on what was done to the prediction.

    Args:
        reference: Where they lie.
        prediction: Where they lie.
        case: For messages.
        views: What is wanted of masks; by default all.
        resample: Bring a prediction on another grid onto the reference's.

    Raises:
        WirsungError: A file is missing or damaged, holds a value its scheme does not, or the grids differ.
    """
    wanted = None if views is None else [value for view in views for value in view.reference_values]
    others = None if views is None else [value for view in views for value in view.prediction_values]
    one, other = reference.read(wanted), prediction.read(others)
    moved, note = on_grid_of(one.volume, other.volume, case=case, resample=resample)
    return one, other.moved_to(moved), note


def pairs(
    reference: CaseLabels, prediction: CaseLabels, views: Sequence[View]
) -> Iterator[tuple[Pair, list[View]]]:
    """Both sides to be scored, and the views in their volumes' values: at once where 256 values suffice."""
    own = [
        View(
            view.structure,
            reference.values_of(view.reference_values),
            prediction.values_of(view.prediction_values),
        )
        for view in views
    ]
    sides = (reference, prediction)
    if all(side.codes is None or len(side.codes.patterns) <= _MOST_VALUES for side in sides):
        yield Pair(reference.volume, prediction.volume), own
        return
    for start in range(0, len(own), _GROUP):
        group = own[start : start + _GROUP]
        one, values = reference.fused([view.reference_values for view in group])
        other, others = prediction.fused([view.prediction_values for view in group])
        named = [view.structure for view in group]
        yield Pair(one, other), [View(*item) for item in zip(named, values, others, strict=True)]


def fingerprint(task: Task) -> str:
    """A hash of the settings, and of name, size and time of every file that the case is scored from."""
    files = [*task.reference.files, *task.prediction.files]
    files += [task.probability] if task.probability else []
    settings = [
        [task.name.case, task.name.method, task.name.protocol.sha256, task.resample],
        [asdict(task.reference.scheme), sorted(task.reference.present or ())],
        asdict(task.prediction.scheme),
        list(map(asdict, task.views)),
    ]
    content = [__version__, settings, [_stamp(path) for path in files]]
    return hashlib.sha256(json.dumps(content, sort_keys=True).encode()).hexdigest()


def _told(source: Source, views: Sequence[View]) -> frozenset[str] | None:
    """The structures that the masks of this case tell; None where a label map tells all of its scheme."""
    present = source.present
    if present is None:
        return None
    return frozenset(view.structure for view in views if is_annotated(view.structure, source.scheme, present))


def _none_annotated(task: Task) -> Iterator[Score]:
    """The rows of a case of a dataset in which nobody drew what is scored."""
    for view in task.views:
        yield from unscored(task.name, view.structure, Reason.NOT_ANNOTATED)


def _check(pair: Pair, task: Task) -> None:
    """Pass where the label maps hold values of their schemes only; what masks hold is theirs by name."""
    for side, source in enumerate((task.reference, task.prediction)):
        if isinstance(source.place, Path):
            name = source.place.name if side else f"the reference of case {task.name.case}"
            check_values(pair.values[side], source.scheme, name)


def _tells_lesion(task: Task, *told: frozenset[str] | None) -> bool:
    """Whether the lesion is scored, and told by every side."""
    is_scored = any(view.structure == LESION for view in task.views)
    return is_scored and all(structures is None or LESION in structures for structures in told)


def _probability(task: Task, reference: Volume) -> Volume | None:
    """The lesion's probability on the reference's grid, if there is one."""
    if task.probability is None:
        return None
    volume = _read_probability(task.probability)
    name = "lesion probability"
    return on_grid_of(reference, volume, case=task.name.case, resample=task.resample, name=name)[0]


def _read_probability(path: Path) -> Volume:
    volume = read_image(path)
    if not (volume.voxels.min() >= 0 and volume.voxels.max() <= 1 + 1e-6):
        msg = f"{path.name} holds values outside 0 to 1, so it is no probability. Predict again."
        raise ImageError(msg)
    return volume


def _stamp(path: Path) -> list[Any]:
    try:
        return list(state_of_file(path))
    except FileNotFoundError:
        return [path.name, None, None]


def _keep(record: Path, stamp: str, scores: CaseScores) -> None:
    """Write the record, on one line: a cohort has half a million rows."""
    rows = [
        [None if isinstance(value, float) and math.isnan(value) else value for value in vars(row).values()]
        for row in scores.rows
    ]
    lesions = scores.lesions.as_json() if scores.lesions else None
    content = {"schema": 3, "stamp": stamp, "note": scores.note, "lesions": lesions, "rows": rows}
    write_text(record, json.dumps(content, separators=(",", ":")) + "\n")


def _kept(record: Path, stamp: str) -> CaseScores | None:
    """The rows of an earlier run, where its inputs and settings were these."""
    try:
        content = json.loads(record.read_text(encoding="utf-8"))
        if content["stamp"] != stamp:
            return None
        rows = (dict(zip(_COLUMNS, row, strict=True)) for row in content["rows"])
        scores = (Score(**row | {"value": math.nan} if row["value"] is None else row) for row in rows)
        lesions = content["lesions"]
        return CaseScores(
            tuple(scores), content["note"], None if lesions is None else CaseLesions.from_json(lesions)
        )
    except (OSError, ValueError, KeyError, TypeError):
        # No record, or one of another version: the case is scored anew.
        return None
