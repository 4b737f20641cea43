"""Preprocessing the training cases into nnU-Net's storage; what is there already and unchanged is kept."""

import hashlib
import json
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path

from wirsung.compute.cases import Skip, map_cases
from wirsung.datasets.layout import Case
from wirsung.models.plans import Plans
from wirsung.models.preprocessing import preprocess
from wirsung.models.storage import read_key, write_case, write_key
from wirsung.training.classes import Classes
from wirsung.training.planning import succeeded
from wirsung.training.reading import read_case, state_of
from wirsung.training.workspace import CONFIGURATION, Workspace

_FEW_BYTES = 48_000_000
"""Images that are smaller in all are ready before processes, which take two seconds each to start."""


@dataclass(frozen=True)
class PrepareTask:
    """What one process needs to preprocess one case."""

    case: Case
    classes: Classes
    plans: Plans
    folder: Path
    key: str


def prepare(
    cases: Sequence[Case], classes: Classes, plans: Plans, workspace: Workspace, workers: int
) -> None:
    """Preprocess every case that is new or changed.

    Args:
        cases: Of every fold.
        classes: What is learnt.
        plans: Say what the network sees.
        workspace: Where nnU-Net finds what is made.
        workers: Processes; a few small cases are prepared in this one, by as many threads as torch may use.

    Raises:
        WirsungError: A case can't be read; the others are kept.
    """
    folder = workspace.preprocessed / plans.configuration(CONFIGURATION).data_identifier
    shared = json.dumps([dict(plans.content), classes.labels], sort_keys=True)
    tasks = {case.id: PrepareTask(case, classes, plans, folder, _key(case, shared)) for case in cases}
    new = [task.case for task in tasks.values() if read_key(folder, task.case.id) != task.key]
    few = sum(_bytes(case) for case in new) < _FEW_BYTES
    succeeded(map_cases(prepare_case, tasks, workers=1 if few else workers, description="preprocess"))


def prepare_case(task: PrepareTask) -> bool:
    """Preprocess and store one case.

    Raises:
        Skip: It is stored already.
    """
    if read_key(task.folder, task.case.id) == task.key:
        raise Skip(True)
    configuration = task.plans.configuration(CONFIGURATION)
    arrays = read_case(task.case, task.classes)
    made = preprocess(
        arrays.image,
        arrays.spacing_mm,
        task.plans,
        configuration,
        arrays.labels,
        modality=task.case.modality,
    )
    indices = range(1, len(task.classes.learnt) + 1)
    write_case(task.folder, task.case.id, made, configuration, indices)
    write_key(task.folder, task.case.id, task.key)
    return True


def _bytes(case: Case) -> int:
    """Of the image's file; a case without one fails by itself."""
    return case.image_path.stat().st_size if case.image_path.is_file() else 0


def _key(case: Case, shared: str) -> str:
    return hashlib.sha256((json.dumps(state_of(case)) + shared).encode()).hexdigest()
