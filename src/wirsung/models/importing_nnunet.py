"""Trained models of nnU-Net v2, into a model folder of safetensors: nothing of theirs is ever run."""

import json
import shutil
import tempfile
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.atomic import write_bytes, write_json
from wirsung.compute.file_state import sha256_of_file
from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.archives import members, opened_zip, unpack
from wirsung.models.checking import check_fits, check_same_plans, notes_on
from wirsung.models.folder import fold_folder, read_record
from wirsung.models.labels import Labels
from wirsung.models.nnunet_folder import BESIDE, Trained, choose_trained, files_below
from wirsung.models.plans import DATASET_FILE, PLANS_FILE, Plans, read_labels, read_plans
from wirsung.models.transfer_settings import Checkpoint
from wirsung.models.weights import (
    CHECKPOINT_FILE,
    WEIGHTS_FILE,
    Weights,
    checkpoint_weights,
    read_checkpoint,
    read_safetensors,
    save_weights,
)

IMPORT_FILE = "imported.json"
_SCHEMA = 1


@dataclass(frozen=True)
class ImportedFold:
    """One fold."""

    file: str
    """The name of the file that the weights came from."""
    source_sha256: str
    """Of that file; where it is safetensors, of its tensors, as its bytes differ from write to write."""
    weights_sha256: str


@dataclass(frozen=True)
class ImportedModel:
    """A model folder that was made of one from elsewhere."""

    folder: Path
    configuration: str
    trainer: str
    folds: Mapping[str, ImportedFold]
    """Those of this call."""
    notes: tuple[str, ...]
    """What can't be predicted here yet, and what else a user should know; whole sentences."""
    skipped: bool
    """Whether all of it had been imported before."""

    def __fspath__(self) -> str:
        return str(self.folder)

    def lines(self) -> list[str]:
        """For the terminal."""
        folds = f"fold{'s' if len(self.folds) > 1 else ''} {', '.join(self.folds)}"
        what = f"{folds} of {self.configuration} ({self.trainer})"
        done = "was imported already" if self.skipped else "imported"
        return [f"{self.folder}: {what} {done}.", *self.notes]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        folds = {name: asdict(fold) for name, fold in self.folds.items()}
        return {
            "model": str(self.folder),
            "configuration": self.configuration,
            "trainer": self.trainer,
            "folds": folds,
            "notes": list(self.notes),
            "skipped": self.skipped,
        }


@dataclass(frozen=True)
class _Source:
    """A trained model that lies in a folder."""

    folder: Path
    trained: Trained

    @property
    def root(self) -> Path:
        """Where `plans.json` lies."""
        return self.folder / self.trained.root


@dataclass(frozen=True)
class _Done:
    """One fold, without its tensors: five folds of a large network are more than a laptop's memory."""

    record: ImportedFold
    configuration: str
    trainer: str
    is_new: bool
    """Whether its weights were written in this call."""


def import_nnunet(
    path: Path,
    out: Path,
    *,
    choose: str | None = None,
    folds: Sequence[int | str] | None = None,
    checkpoint: Checkpoint = "final",
) -> ImportedModel:
    """Make a model folder from one of nnU-Net v2, or from a zip of nnUNetv2_export_model_to_zip.

    Run again, what was imported is skipped; further folds of the same model are added. `out` may be the
    folder itself: then the safetensors are written beside the checkpoints.

    Args:
        path: A model folder, a folder of several, a zip, or one checkpoint.
        out: The model folder to write.
        choose: Where there are several models: one's folder in it, or a part of that name.
        folds: Which folds; None is every one.
        checkpoint: Which checkpoint of a fold.

    Raises:
        CheckpointError: It is no such model, is damaged or incomplete, holds what could run code, or its
            weights do not fit its plans.
        ConfigError: `out` holds another model.
        StorageError: `out` can't be written.
    """
    with _opened(path, out, choose) as source:
        plans, labels = read_plans(source.root), read_labels(source.root)
        read_record(source.root)
        _check_vacant(out, plans)
        before = _read_import(out)
        done: dict[str, _Done] = {}
        for fold in source.trained.chosen_folds(folds):
            file = source.root / source.trained.weights_of(fold, checkpoint)
            done[fold] = _import_fold(file, fold, out, plans, labels, before.get(fold))
        _check_one_configuration(done)
        _copy_beside(source, out)
    first = next(iter(done.values()))
    notes = notes_on(plans, labels, first.configuration)
    made = {fold: item.record for fold, item in done.items()}
    _write_import(out, path.name, {**before, **made}, notes)
    skipped = not any(item.is_new for item in done.values())
    return ImportedModel(out, first.configuration, first.trainer, made, notes, skipped)


@contextmanager
def _opened(path: Path, out: Path, choose: str | None) -> Iterator[_Source]:
    """The model in a folder, be it one, a zip or a lone checkpoint."""
    if path.is_dir():
        yield _Source(path, choose_trained(files_below(path), path, choose))
        return
    if not path.is_file():
        msg = f"{path} is not there. Name a model folder, a zip or a checkpoint."
        raise CheckpointError(msg)
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-import-", dir=out.parent) as name:
        try:
            yield _unpacked(path, Path(name), choose)
        except CheckpointError as error:
            # Who reads it knows the file that they named, not the folder that it was unpacked into.
            raise CheckpointError(str(error).replace(name, str(path))) from error


def _unpacked(path: Path, folder: Path, choose: str | None) -> _Source:
    """What is needed of a zip or of a lone checkpoint, in a folder."""
    if _is_torch_file(path):
        return _lone_checkpoint(path, folder)
    with opened_zip(path) as archive:
        trained = choose_trained(members(archive), path, choose)
        unpack(archive, _wanted(trained), folder)
    return _Source(folder, trained)


def _is_torch_file(path: Path) -> bool:
    """Whether it is what `torch.save` writes: by its name, or a zip with a pickle in it."""
    if path.suffix in {".pth", ".pt", ".ckpt"}:
        return True
    if not zipfile.is_zipfile(path):
        return False
    with opened_zip(path) as archive:
        return any(name.name == "data.pkl" for name in members(archive))


def _wanted(trained: Trained) -> list[Any]:
    """The members of a zip that are read; logs, pictures and pickles stay where they are."""
    kept = {PLANS_FILE, DATASET_FILE, *BESIDE}
    names = [file for file in trained.files if str(file) in kept]
    names += [file for file in trained.files if file.suffix in {".pth", ".safetensors"}]
    return [trained.root / name for name in names]


def _lone_checkpoint(path: Path, folder: Path) -> _Source:
    """nnU-Net keeps plans and labels in each checkpoint, so one alone is a model."""
    content = read_checkpoint(path)
    try:
        arguments = dict(content["init_args"])
        fold = str(arguments["fold"])
        for name, key in ((PLANS_FILE, "plans"), (DATASET_FILE, "dataset_json")):
            (folder / name).write_text(json.dumps(dict(arguments[key])), encoding="utf-8")
    except (KeyError, TypeError, ValueError) as error:
        msg = f"{path} holds weights but not their {error}. Import the model folder that it lies in."
        raise CheckpointError(msg) from error
    if fold != "all" and not (fold.isascii() and fold.isdigit()):
        msg = f"{path} is of a fold named {fold!r}, but folds are numbers or all. Get it anew."
        raise CheckpointError(msg)
    place = folder / f"fold_{fold}" / CHECKPOINT_FILE
    place.parent.mkdir()
    try:
        place.hardlink_to(path)
    except OSError:
        shutil.copyfile(path, place)
    return _Source(folder, choose_trained(files_below(folder), path, None))


def _import_fold(
    file: Path, fold: str, out: Path, plans: Plans, labels: Labels, before: ImportedFold | None
) -> _Done:
    """Check the weights of one fold against the plans and write them."""
    target = fold_folder(out, fold) / WEIGHTS_FILE
    source_sha256 = _sha256(file)
    if before is not None and before.source_sha256 == source_sha256:
        kept = _kept(target, before)
        if kept is not None:
            return _Done(before, kept.configuration, kept.trainer, is_new=False)
    if file.suffix == ".pth":
        content = read_checkpoint(file)
        weights = checkpoint_weights(content)
        check_same_plans(plans, content, weights.configuration, file)
    else:
        weights = read_safetensors(file)
    check_fits(plans, labels, weights, file)
    if file != target:
        save_weights(target, weights)
    record = ImportedFold(file.name, source_sha256, weights.sha256)
    return _Done(record, weights.configuration, weights.trainer, is_new=True)


def _kept(target: Path, before: ImportedFold) -> Weights | None:
    """What an earlier call wrote, where it is still whole."""
    try:
        weights = read_safetensors(target)
    except CheckpointError:
        return None
    return weights if weights.sha256 == before.weights_sha256 else None


def _check_vacant(out: Path, plans: Plans) -> None:
    """Refuse a folder that holds another model."""
    if (out / PLANS_FILE).is_file() and read_plans(out).content != plans.content:
        msg = f"{out} holds another model. Choose another folder, or delete this one."
        raise ConfigError(msg)


def _check_one_configuration(done: Mapping[str, _Done]) -> None:
    if len({item.configuration for item in done.values()}) > 1:
        pairs = ", ".join(f"fold {fold} {item.configuration}" for fold, item in done.items())
        msg = f"The folds are of different configurations ({pairs}). Import those of one."
        raise CheckpointError(msg)


def _copy_beside(source: _Source, out: Path) -> None:
    """The JSON of the model; the plans last, so that a folder with plans is whole."""
    if source.root.resolve() == out.resolve():
        return
    for name in (*BESIDE, DATASET_FILE):
        if (source.root / name).is_file():
            write_bytes(out / name, (source.root / name).read_bytes())
    write_bytes(out / PLANS_FILE, (source.root / PLANS_FILE).read_bytes())


def _read_import(out: Path) -> dict[str, ImportedFold]:
    """The folds that an earlier call imported; none where its record is missing or damaged."""
    try:
        content = json.loads((out / IMPORT_FILE).read_text(encoding="utf-8"))
        return {str(fold): ImportedFold(**row) for fold, row in content["folds"].items()}
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return {}


def _write_import(out: Path, source: str, folds: Mapping[str, ImportedFold], notes: Sequence[str]) -> None:
    content = {
        "schema": _SCHEMA,
        "created_by": f"wirsung {__version__}",
        "source": source,
        "folds": {fold: asdict(record) for fold, record in sorted(folds.items())},
        "notes": list(notes),
    }
    write_json(out / IMPORT_FILE, content)


def _sha256(path: Path) -> str:
    if path.suffix == ".safetensors":
        return read_safetensors(path).sha256
    return sha256_of_file(path)
