"""A model folder: nnU-Net's files, and `wirsung.json`, which says what nnU-Net does not."""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.errors import CheckpointError
from wirsung.models.normalisation import OTHER, known_modality
from wirsung.models.plans import DATASET_FILE
from wirsung.models.weights import CHECKPOINT_FILE, WEIGHTS_FILE

RECORD_FILE = "wirsung.json"
SCHEMA = 1

_AND = "+"
_ORDER = ("ct", "t1", "t2", "mr")


@dataclass(frozen=True)
class ModelClass:
    """What one output of the network stands for."""

    index: int
    """Of the network's output; 0 is background and not listed."""
    value: int
    """In label maps of the scheme."""
    name: str


@dataclass(frozen=True)
class FoldRecord:
    """One finished fold."""

    train: tuple[str, ...]
    """Ids of the cases that it learnt from."""
    validation: tuple[str, ...]
    key: str
    """Of the settings and the data; another key means another training."""
    epochs: int
    duration_s: float
    """Of the call that finished it."""
    weights_sha256: str
    best: Mapping[str, Any] | None = None
    """Which epoch was the best, and by which class's score; None where nothing was scored."""


@dataclass(frozen=True)
class Record:
    """What a model was made from."""

    scheme: str
    """The name of the label scheme that its predictions are in."""
    classes: tuple[ModelClass, ...]
    orientation: str
    """The axis order of the volumes that it learnt from, such as RPS."""
    modality: str
    """ct, t1, t2, or mr for MRI whose sequence nobody told; several as in ct+t1+t2."""
    network: str
    preset: str
    plan_key: str
    """Of what the plans depend on."""
    folds: Mapping[str, FoldRecord] = field(default_factory=dict)

    @property
    def modalities(self) -> tuple[str, ...]:
        """Each modality that it learnt.

        Example:
            >>> Record("pants-2", (), "RPS", "ct+t1", "nnunet", "default", "").modalities
            ('ct', 't1')
        """
        return tuple(self.modality.split(_AND))


def joined_modalities(modalities: Iterable[str]) -> str:
    """Modalities as a record has them, in the order ct, t1, t2, mr.

    Example:
        >>> joined_modalities({"t2", "ct"}), joined_modalities(["mr"])
        ('ct+t2', 'mr')
    """
    return _AND.join(sorted(set(modalities), key=_ORDER.index))


def modality_of(record: Record | None, wanted: str | None) -> str | None:
    """What `preprocess` must be told of an image that is to be predicted.

    Args:
        record: Of the model; None for one of nnU-Net's own making, which takes any image as it was planned.
        wanted: ct, t1, t2 or mr, by the image's name or header or by --modality; other for an image that is
            to be z-scored by itself; None where nobody knows.

    Returns:
        One of the model's modalities, or other; of a model without record, `wanted`.

    Raises:
        ConfigError: The model did not learn that modality, or learnt several and nobody knows which it is.
    """
    if record is None or wanted == OTHER:
        return wanted
    return known_modality(record.modalities, wanted)


def fold_folder(model: Path, fold: int | str) -> Path:
    """Where a fold's weights lie."""
    return model / f"fold_{fold}"


def finished_folds(model: Path) -> tuple[str, ...]:
    """The folds with final weights: 0, 1 and so on, then all."""
    names = [
        path.name.removeprefix("fold_")
        for path in model.glob("fold_*")
        if (path / WEIGHTS_FILE).is_file() or (path / CHECKPOINT_FILE).is_file()
    ]
    return tuple(sorted(names, key=lambda name: (not name.isdigit(), int(name) if name.isdigit() else 0)))


def read_record(model: Path) -> Record | None:
    """The record of a model folder; None where nnU-Net itself wrote the folder.

    Raises:
        CheckpointError: `wirsung.json` is damaged, or of a later version.
    """
    path = model / RECORD_FILE
    if not path.is_file():
        return None
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        schema = content["schema"]
        record = _record(content) if schema == SCHEMA else None
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError) as error:
        msg = f"{path} is damaged. Copy or train the model anew."
        raise CheckpointError(msg) from error
    if record is None:
        msg = f"{path} has schema {schema!r}, but this version of Wirsung reads {SCHEMA}. Use a later one."
        raise CheckpointError(msg)
    return record


def record_to_predict_by(model: Path) -> Record | None:
    """The record of a model folder; None where nnU-Net itself wrote the folder.

    Without its record a model of Wirsung's would be given images in another axis order than it learnt.

    Raises:
        CheckpointError: `wirsung.json` is damaged, of a later version, or missing from what Wirsung trained.
    """
    record = read_record(model)
    if record is None and _is_ours(model):
        msg = (
            f"{model / RECORD_FILE} is missing, though Wirsung began this model: it says in which axis order "
            "the model learnt, and what its classes are. Finish the training by its own command, or get the "
            "whole folder."
        )
        raise CheckpointError(msg)
    return record


def _is_ours(model: Path) -> bool:
    """Whether `dataset.json` has what only Wirsung's training writes into it."""
    try:
        content = json.loads((model / DATASET_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return False  # whoever reads the labels says what is wrong with it
    return isinstance(content, dict) and {"scheme", "structures"} <= set(content)


def write_record(model: Path, record: Record) -> None:
    """Write `wirsung.json`."""
    write_json(
        model / RECORD_FILE, {"schema": SCHEMA, "created_by": f"wirsung {__version__}", **asdict(record)}
    )


def _record(content: Mapping[str, Any]) -> Record:
    texts = ("scheme", "orientation", "modality", "network", "preset", "plan_key")
    folds = {
        str(name): FoldRecord(
            tuple(row["train"]),
            tuple(row["validation"]),
            str(row["key"]),
            int(row["epochs"]),
            float(row["duration_s"]),
            str(row["weights_sha256"]),
            dict(row["best"]) if row.get("best") else None,
        )
        for name, row in content["folds"].items()
    }
    classes = tuple(
        ModelClass(int(row["index"]), int(row["value"]), str(row["name"])) for row in content["classes"]
    )
    return Record(**{key: str(content[key]) for key in texts}, classes=classes, folds=folds)
