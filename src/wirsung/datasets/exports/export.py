"""`wirsung export`: a dataset as nnU-Net, BIDS, the Decathlon or Croissant want it."""

import json
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json, write_text
from wirsung.compute.cases import Outcome, map_cases
from wirsung.datasets.contents import contents_of
from wirsung.datasets.exports.bids import plan_bids
from wirsung.datasets.exports.croissant_file import write_croissant
from wirsung.datasets.exports.msd import plan_msd
from wirsung.datasets.exports.nnunet import plan_nnunet
from wirsung.datasets.exports.permission import NOTICE_FILE, check_permission, notice
from wirsung.datasets.exports.placing import NOTES, Placed, Placing, place, read_note, remove
from wirsung.datasets.exports.plan import Cohort, Plan, cohort_of
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.errors import ConfigError, ManifestError

_MARK = ".wirsung/export.json"
_SCHEMA = 1
_FORMATS: Mapping[str, Callable[[Cohort, ExportSettings], Plan]] = {
    "nnunet": plan_nnunet,
    "bids": plan_bids,
    "msd": plan_msd,
}


@dataclass(frozen=True)
class Exported:
    """What became of each case, and where everything is."""

    outcomes: list[Outcome[Placed]]
    root: Path
    told: tuple[str, ...]

    def lines(self) -> list[str]:
        """For the terminal."""
        return list(self.told)

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"root": str(self.root), "told": list(self.told)}


def export(settings: ExportSettings) -> Exported:
    """Write the export; cases that are there and made of the same files are left as they are.

    Raises:
        ConfigError: The licence forbids it, or a setting is wrong, or something else is in the way.
        ManifestError: The dataset, its manifest or its split is damaged.
        LabelError: No case has masks for a class of the scheme.
        StorageError: The folder can't be written.
    """
    contents = contents_of(settings.dataset)
    if settings.format == "croissant":
        return Exported([], settings.out, tuple(write_croissant(contents, settings.out)))
    if contents.dataset is None:
        msg = f"{settings.dataset} has no images, only a table. Fetch the images, then export."
        raise ManifestError(msg)
    check_permission(contents, own_use=settings.own_use)
    cohort = cohort_of(contents, contents.dataset, settings)
    plan = _FORMATS[settings.format](cohort, settings)
    _mark(plan, settings, cohort)
    _remove_leavings(plan)
    outcomes = map_cases(
        place, _tasks(cohort, plan, settings), workers=settings.workers, description="Exporting"
    )
    placed = {item.case: item.value for item in outcomes if item.value is not None}
    if not placed:
        return Exported(outcomes, plan.root, ("No case could be exported.",))
    told = plan.finish(placed)
    write_text(plan.root / NOTICE_FILE, notice(contents, own_use=settings.own_use))
    return Exported(outcomes, plan.root, (f"Written: {plan.root}", *told))


def _tasks(cohort: Cohort, plan: Plan, settings: ExportSettings) -> dict[str, Placing]:
    return {
        case.id: Placing(case, plan.root, plan.places[case.id], cohort.classes, settings.copy)
        for case in cohort.cases
    }


def _mark(plan: Plan, settings: ExportSettings, cohort: Cohort) -> None:
    """Claim the folder: an empty one, or one with an earlier export of the same dataset."""
    mine = {"schema": _SCHEMA, "format": settings.format, "dataset": cohort.dataset.name}
    path = plan.root / _MARK
    if plan.root.resolve().is_relative_to(settings.dataset.resolve()):
        msg = f"{plan.root} lies in the dataset, which is only read. Choose another OUT."
        raise ConfigError(msg)
    if path.is_file():
        found = json.loads(path.read_text(encoding="utf-8"))
        if found != mine:
            msg = (
                f"{plan.root} holds a {found.get('format')} export of {found.get('dataset')}. "
                f"Choose another OUT{'' if plan.root == settings.out else ', --id or --name'}."
            )
            raise ConfigError(msg)
    elif plan.root.exists() and any(plan.root.iterdir()):
        msg = f"{plan.root} is not empty and no export of wirsung. Choose another OUT."
        raise ConfigError(msg)
    else:
        write_json(path, mine)


def _remove_leavings(plan: Plan) -> None:
    """Take out what a killed run left half done, and cases that the dataset no longer has."""
    for path in plan.root.rglob(".partial-*"):
        path.unlink(missing_ok=True)
    for note in _notes(plan.root):
        before = read_note(note)
        if before is not None and note.name.removesuffix(".json") not in plan.places:
            remove(plan.root, note, before[1])


def _notes(root: Path) -> Sequence[Path]:
    return sorted((root / NOTES).glob("*.json"))
