"""Where trained models lie in what nnU-Net v2 wrote: a model folder, a results folder, or a zip of either."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from wirsung.errors import CheckpointError, near_names
from wirsung.models.folder import RECORD_FILE
from wirsung.models.plans import DATASET_FILE, PLANS_FILE
from wirsung.models.transfer_settings import Checkpoint
from wirsung.models.weights import CHECKPOINT_FILE, WEIGHTS_FILE

CHECKPOINT_FILES: dict[Checkpoint, str] = {"final": CHECKPOINT_FILE, "best": "checkpoint_best.pth"}
BESIDE = ("dataset_fingerprint.json", "postprocessing.json", RECORD_FILE)
"""What else of a model folder is kept: plain JSON that a reader of the model may want."""

_FOLD = re.compile(r"fold_(\d+|all)")
_DEPTH = 4
"""Folders below the given one that are searched."""


@dataclass(frozen=True)
class Trained:
    """One trained model, by names within the folder or zip."""

    root: PurePosixPath
    """Where `plans.json` lies; `.` where it is the folder itself."""
    files: frozenset[PurePosixPath]
    """Below the root, named from it."""
    source: Path
    """The folder or zip."""

    @property
    def name(self) -> str:
        """For messages."""
        return str(self.source / self.root)

    def folds(self) -> tuple[str, ...]:
        """Every fold folder with anything in it: 0, 1 and so on, then all."""
        names = {match[1] for file in self.files if (match := _FOLD.fullmatch(file.parts[0]))}
        return tuple(sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0)))

    def weights_of(self, fold: str, checkpoint: Checkpoint) -> PurePosixPath:
        """The file with the weights of a fold.

        Raises:
            CheckpointError: There is none of that kind.
        """
        folder = PurePosixPath(f"fold_{fold}")
        file = folder / CHECKPOINT_FILES[checkpoint]
        if file in self.files:
            return file
        if checkpoint == "final" and folder / WEIGHTS_FILE in self.files:
            return folder / WEIGHTS_FILE
        other: Checkpoint = "best" if checkpoint == "final" else "final"
        there = folder / CHECKPOINT_FILES[other] in self.files
        advice = f"Import its checkpoint {other}." if there else "Leave this fold out, or get it anew."
        msg = f"{self.name}: fold {fold} has no {CHECKPOINT_FILES[checkpoint]}. {advice}"
        raise CheckpointError(msg)

    def chosen_folds(self, wanted: Iterable[int | str] | None) -> tuple[str, ...]:
        """The folds to take; None is every one.

        Raises:
            CheckpointError: A wanted fold is not there, or there is none at all.
        """
        there = self.folds()
        if not there:
            msg = f"{self.name} has {PLANS_FILE} but no folder such as fold_0. Get the whole model folder."
            raise CheckpointError(msg)
        if wanted is None:
            return there
        chosen = tuple(map(str, wanted))
        for fold in chosen:
            if fold not in there:
                msg = f"{self.name} has no fold {fold}, only {', '.join(there)}. Choose one of those."
                raise CheckpointError(msg)
        return chosen


def files_below(folder: Path) -> list[PurePosixPath]:
    """The files that a search for models looks at, named from the folder."""
    found = []
    for name in (PLANS_FILE, DATASET_FILE, *BESIDE, *CHECKPOINT_FILES.values(), WEIGHTS_FILE):
        found += [path.relative_to(folder) for path in folder.rglob(name)]
    return [PurePosixPath(path.as_posix()) for path in found if len(path.parts) <= _DEPTH + 1]


def choose_trained(files: Iterable[PurePosixPath], source: Path, choose: str | None) -> Trained:
    """The one model among the files, or the chosen one.

    Args:
        files: Of the folder or zip, named from it.
        source: The folder or zip, for messages.
        choose: A model's folder in it, or any part of that name which only one has, such as 3d_fullres.

    Raises:
        CheckpointError: There is none, more than one fits, or it lacks a file.
    """
    names = list(files)
    found = {path.parent for path in names if path.name == PLANS_FILE}
    if not found:
        _refuse_without_plans(names, source)
    fitting = sorted(root for root in found if choose is None or choose in str(root))
    if choose is not None and PurePosixPath(choose) in found:
        fitting = [PurePosixPath(choose)]
    if not fitting:
        msg = f"{source} has no model {choose!r}. {near_names(str(choose), sorted(map(str, found)))}"
        raise CheckpointError(msg)
    if len(fitting) > 1:
        listed = ", ".join(map(str, fitting))
        msg = f"{source} holds {len(fitting)} models: {listed}. Choose one by its name, or by a part of it."
        raise CheckpointError(msg)
    root = fitting[0]
    own = frozenset(path.relative_to(root) for path in names if path.is_relative_to(root))
    if PurePosixPath(DATASET_FILE) not in own:
        msg = f"{source}: {DATASET_FILE} is missing beside {root / PLANS_FILE}. Get the whole model folder."
        raise CheckpointError(msg)
    return Trained(root, own, source)


def _refuse_without_plans(names: list[PurePosixPath], source: Path) -> None:
    weights = {*CHECKPOINT_FILES.values(), WEIGHTS_FILE}
    if any(path.name in weights for path in names):
        msg = f"{source} has weights, but {PLANS_FILE} is missing above them. Get the whole model folder."
    else:
        msg = f"{source} holds no model of nnU-Net v2: no {PLANS_FILE} and no fold_0. Choose another."
    raise CheckpointError(msg)
