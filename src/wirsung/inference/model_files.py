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
from wirsung.models.weights import Weights, checkpoint_weights, load_weights, read_checkpoint


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
        yield _within(path, path, choose)
        return
    with tempfile.TemporaryDirectory(prefix="wirsung-model-") as name:
        folder = Path(name)
        with opened_zip(path) as archive:
            unpack(archive, [file for file in members(archive) if _is_needed(file)], folder)
        try:
            yield _within(folder, path, choose)
        except CheckpointError as error:
            # Who reads it knows the file that they named, not the folder that it was unpacked into.
            raise CheckpointError(str(error).replace(name, str(path))) from error


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
    chosen = _every_fold(model, checkpoint) if folds is None else tuple(map(str, folds))
    if not chosen:
        msg = f"{model} has no finished fold. Train one with: wirsung train DATASET {model}"
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
        return load_weights(folder)
    file = folder / CHECKPOINT_FILES[checkpoint]
    if not file.is_file():
        msg = f"{folder} has no {file.name}. Leave --checkpoint out, or choose another fold."
        raise CheckpointError(msg)
    return checkpoint_weights(read_checkpoint(file))


def _every_fold(model: Path, checkpoint: Checkpoint) -> tuple[str, ...]:
    """The finished folds; the one that learnt from all cases only where it stands alone."""
    if checkpoint == "final":
        found = finished_folds(model)
    else:
        paths = model.glob(f"fold_*/{CHECKPOINT_FILES[checkpoint]}")
        found = tuple(sorted(path.parent.name.removeprefix("fold_") for path in paths))
    return tuple(fold for fold in found if fold.isdigit()) or found
