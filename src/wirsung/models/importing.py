"""Trained models from elsewhere, into a model folder; what it is, is told by what lies there.

What can be imported: a model folder, a results folder or a zip of nnU-Net v2, or one checkpoint of it; a
`.model` of nnU-Net v1 or PaNSegNet with its plans; and bare weights of a network that is in the catalog.
"""

import zipfile
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from wirsung.errors import CheckpointError
from wirsung.models.importing_nnunet import ImportedModel, import_nnunet
from wirsung.models.importing_weights import ImportedWeights, import_weights, is_bare
from wirsung.models.transfer_settings import Checkpoint, ImportSettings
from wirsung.models.v1_checkpoint import import_v1

_V1_SUFFIXES = (".model", ".model.pkl")


def run(settings: ImportSettings) -> ImportedModel | ImportedWeights:
    """The stage `models import`.

    Raises:
        CheckpointError: It is no model, is damaged or incomplete, or holds what could run code.
        ConfigError: OUT holds another model, or a setting does not go with what PATH is.
        StorageError: OUT can't be written.
    """
    return import_model(
        settings.path,
        settings.target,
        choose=settings.choose,
        folds=settings.folds or None,
        checkpoint=settings.checkpoint,
        classes=settings.classes or None,
        network=settings.network,
        like=settings.like,
    )


def import_model(  # noqa: PLR0913 - each is a word of the command line
    path: Path,
    out: Path,
    *,
    choose: str | None = None,
    folds: Sequence[int | str] | None = None,
    checkpoint: Checkpoint = "final",
    classes: Sequence[str] | None = None,
    network: str | None = None,
    like: Path | None = None,
) -> ImportedModel | ImportedWeights:
    """Make a model folder, or a folder of weights, of a model from elsewhere.

    Args:
        path: A folder, zip or file.
        out: The folder to write.
        choose: Of several models of nnU-Net v2, one's folder or a part of that name.
        folds: Of nnU-Net v2: which; None is every one.
        checkpoint: Of nnU-Net v2: which of a fold.
        classes: Of nnU-Net v1: the names of the foreground classes.
        network: Of bare weights: the network's name in the catalog.
        like: Of bare weights: the model folder whose plans and labels they were trained by.

    Raises:
        CheckpointError: It is no model, is damaged or incomplete, or holds what could run code.
        ConfigError: `out` holds another model, or an argument does not go with what `path` is.
        StorageError: `out` can't be written.
    """
    kind = _kind(path)
    given: dict[str, Any] = {
        "--choose": choose,
        "--folds": folds,
        "--checkpoint": checkpoint != "final" or None,
        "--classes": classes,
        "--network": network,
        "--like": like,
    }
    _refuse_what_does_not_go(kind, given)
    if kind == "nnU-Net v1":
        return import_v1(path, out, classes=classes)
    if kind == "bare weights":
        return import_weights(path, out, network=network, like=like)
    return import_nnunet(path, out, choose=choose, folds=folds, checkpoint=checkpoint)


_TAKES = {
    "nnU-Net v2": {"--choose", "--folds", "--checkpoint"},
    "nnU-Net v1": {"--classes"},
    "bare weights": {"--network", "--like"},
}


def _kind(path: Path) -> str:
    if path.is_dir():
        has_v2 = any(path.rglob("plans.json"))
        return "nnU-Net v1" if not has_v2 and any(path.rglob("*.model")) else "nnU-Net v2"
    if path.name.endswith(_V1_SUFFIXES):
        return "nnU-Net v1"
    if path.is_file() and _holds_tensors(path) and is_bare(path):
        return "bare weights"
    return "nnU-Net v2"


def _holds_tensors(path: Path) -> bool:
    """Whether it is one file of weights rather than a zip of a model folder."""
    if path.suffix in {".safetensors", ".pth", ".pt", ".ckpt", ".bin", ".tar"}:
        return True
    if not zipfile.is_zipfile(path):
        return False
    try:
        with zipfile.ZipFile(path) as archive:
            return any(name.rpartition("/")[2] == "data.pkl" for name in archive.namelist())
    except zipfile.BadZipFile:
        return False


def _refuse_what_does_not_go(kind: str, given: dict[str, Any]) -> None:
    wrong = [name for name, value in given.items() if value is not None and name not in _TAKES[kind]]
    if wrong:
        msg = f"{' and '.join(wrong)} can't be used with {kind}, which PATH is. Leave it out."
        raise CheckpointError(msg)
