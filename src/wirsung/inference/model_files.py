"""Opening trained models: a model folder, a folder of several, or a zip; nothing of theirs is ever run."""

import tempfile
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path, PurePosixPath

from wirsung.errors import CheckpointError
from wirsung.models.archives import members, opened_zip, unpack
from wirsung.models.folder import finished_folds, fold_folder
from wirsung.models.nnunet_folder import BESIDE, CHECKPOINT_FILES, choose_trained, files_below
from wirsung.models.plans import DATASET_FILE, PLANS_FILE
from wirsung.models.transfer_settings import Checkpoint
from wirsung.models.weights import (
    WEIGHTS_FILE,
    Weights,
    check_finite,
    checkpoint_weights,
    load_weights,
    read_checkpoint,
)

_PARTS = (".pth", ".pt", ".safetensors", ".json")


@contextmanager
def opened_model(path: Path, choose: str | None = None) -> Iterator[Path]:
    """The model folder behind a path; of a zip, unpacked for as long as the block runs.

    Args:
        path: A model folder, a folder of several, or a zip of nnUNetv2_export_model_to_zip.
        choose: Where there are several: one's folder, or a part of that name that only one has.

    Raises:
        CheckpointError: There is no model, or several; or the zip is damaged or can't be trusted.
        StorageError: There is no room to unpack.
    """
    if not path.is_file():
        with _said_of(path):
            yield _within(path, path, choose)
        return
    if path.suffix in _PARTS:
        msg = f"{path} is a part of a model. Name the folder in which {PLANS_FILE} lies."
        raise CheckpointError(msg)
    with tempfile.TemporaryDirectory(prefix="wirsung-model-") as name:
        folder = Path(name)
        with opened_zip(path) as archive:
            unpack(archive, [file for file in members(archive) if _is_needed(file)], folder)
        with _said_of(path, name):
            yield _within(folder, path, choose)


def fold_weights(
    model: Path, folds: Sequence[int | str] | None, checkpoint: Checkpoint = "final"
) -> list[Weights]:
    """The weights of some folds of a model folder, all of one configuration.

    Args:
        model: With `fold_0/` and so on.
        folds: None is every finished one; that which learnt from all cases only where it stands alone.
        checkpoint: Which of nnU-Net's; safetensors are always the final one.

    Raises:
        CheckpointError: A fold is missing, unfinished or damaged, or they are of different configurations.
    """
    there = _every_fold(model, checkpoint)
    chosen = there if folds is None else tuple(map(str, folds))
    if not chosen:
        msg = f"{model} has no finished fold with a {_file_of(checkpoint)}. {_advice(model, checkpoint)}"
        raise CheckpointError(msg)
    for fold in chosen:
        if not fold_folder(model, fold).is_dir():
            others = f"there is only {', '.join(there)}" if there else "there is none at all"
            msg = (
                f"{model} has no fold {fold}, which has neither weights nor a folder; {others}. "
                "Choose another with --fold, or leave it out."
            )
            raise CheckpointError(msg)
    weights = [_weights(model, fold, checkpoint) for fold in chosen]
    if len({item.configuration for item in weights}) > 1:
        msg = f"The folds {', '.join(chosen)} of {model} are of different configurations. Choose one."
        raise CheckpointError(msg)
    return weights


def previous_folder(model: Path, configuration: str, previous: str, named: Path | None) -> Path:
    """Where the first stage of a cascade lies: as named, or beside the model as nnU-Net puts it.

    Raises:
        CheckpointError: It is not there.
    """
    if named is not None:
        return named
    beside = model.parent / model.name.replace(configuration, previous)
    for place in (beside, model.parent / previous, model / previous):
        if place != model and (place / PLANS_FILE).is_file():
            return place
    msg = (
        f"{model} is the second stage of a cascade and needs the model {previous}, which is not beside it. "
        "Name its folder with --previous-stage."
    )
    raise CheckpointError(msg)


@contextmanager
def _said_of(path: Path, unpacked: str = "") -> Iterator[None]:
    """Errors name the model: who reads it knows what they named, not the folder that it was unpacked into."""
    try:
        yield
    except CheckpointError as error:
        said = str(error).replace(unpacked, str(path)) if unpacked else str(error)
        raise CheckpointError(said if "/" in said or "\\" in said else f"{path}: {said}") from error


def _within(folder: Path, source: Path, choose: str | None) -> Path:
    if (folder / PLANS_FILE).is_file() and choose is None:
        return folder
    files = files_below(folder) if folder.is_dir() else []
    if not any(file.name == PLANS_FILE for file in files) and folder == source:
        return folder
    return folder / choose_trained(files, source, choose).root


def _is_needed(file: PurePosixPath) -> bool:
    """Logs, pictures and pickles stay where they are."""
    kept = {PLANS_FILE, DATASET_FILE, *BESIDE}
    return file.name in kept or file.suffix in {".pth", ".safetensors"}


def _weights(model: Path, fold: str, checkpoint: Checkpoint) -> Weights:
    folder = fold_folder(model, fold)
    if checkpoint == "final":
        found = load_weights(folder)
        check_finite(found.state, str(folder))
        return found
    file = folder / CHECKPOINT_FILES[checkpoint]
    if not file.is_file():
        msg = f"{folder} has no {file.name}. Leave --checkpoint out, or choose another fold."
        raise CheckpointError(msg)
    found = checkpoint_weights(read_checkpoint(file))
    check_finite(found.state, str(file))
    return found


def _file_of(checkpoint: Checkpoint) -> str:
    own = CHECKPOINT_FILES[checkpoint]
    return f"{WEIGHTS_FILE} or {own}" if checkpoint == "final" else own


def _advice(model: Path, checkpoint: Checkpoint) -> str:
    if checkpoint == "best":
        return "Leave --checkpoint out."
    if any(model.glob(f"fold_*/{CHECKPOINT_FILES['best']}")):
        return "There is one that is not trained to its end: take it with --checkpoint best."
    return f"Get the whole folder, or train one with: wirsung train DATASET {model}"


def _every_fold(model: Path, checkpoint: Checkpoint) -> tuple[str, ...]:
    """The finished folds; the one that learnt from all cases only where it stands alone."""
    if checkpoint == "final":
        found = finished_folds(model)
    else:
        paths = model.glob(f"fold_*/{CHECKPOINT_FILES[checkpoint]}")
        found = tuple(sorted(path.parent.name.removeprefix("fold_") for path in paths))
    return tuple(fold for fold in found if fold.isdigit()) or found
