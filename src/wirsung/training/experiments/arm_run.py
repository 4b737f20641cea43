"""One arm with one seed: train, predict and score every test, and a record of what it took."""

import hashlib
import json
import math
import os
import time
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import scheme
from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, Skip
from wirsung.datasets.layout import Dataset
from wirsung.errors import WirsungError
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.inference.settings import PredictSettings
from wirsung.training.experiments.machine import provenance
from wirsung.training.experiments.typed import settings_of
from wirsung.training.settings import TrainSettings

DONE_FILE = "run.json"
_LESION = "pancreatic_lesion"


@dataclass(frozen=True)
class ArmTask:
    """What one process needs for one arm and seed."""

    arm: str
    seed: int
    folder: Path
    """Of this run."""
    learn: Path
    """The dataset that is learnt from."""
    tests: Mapping[str, Path]
    """Name to the dataset that tests."""
    work: Path
    """Where plans and preprocessed cases are kept, for all seeds that learn from the same cases."""
    train: Mapping[str, Any]
    predict: Mapping[str, Any]
    evaluate: Mapping[str, Any]
    device: str
    cases: tuple[str, ...]
    """Ids of what is learnt from."""
    tumours: int | None
    """Of the cases, those with a tumour."""
    content: str
    """A hash of what is learnt from and of what tests."""
    processes: int = 1
    """That prepare, augment and score."""

    @property
    def key(self) -> str:
        """Of what the scores depend on."""
        settings = [self.train, self.predict, self.evaluate, sorted(self.tests), self.content, self.seed]
        return hashlib.sha256(json.dumps(settings, sort_keys=True).encode()).hexdigest()


def run_arm(task: ArmTask) -> dict[str, Any]:
    """Train, predict and score; what a killed call finished is kept.

    Raises:
        Skip: It was done before; carries the record.
        WirsungError: A stage failed, or a case of a test.
    """
    done = read_done(task)
    if done is not None:
        raise Skip(done)
    started = time.perf_counter()
    model = task.folder / "model"
    _share_work(task, model)
    trained_s, parameters = _train(task, model)
    tests = {name: _test(task, name, model) for name in task.tests}
    record = {
        "schema": 1,
        "key": task.key,
        "arm": task.arm,
        "seed": task.seed,
        "cases": len(task.cases),
        "tumours": task.tumours,
        "parameters": parameters,
        "train_s": round(trained_s, 1),
        "tests": tests,
        "duration_s": round(time.perf_counter() - started, 1),
        **provenance(task.device),
    }
    write_json(task.folder / DONE_FILE, record)
    return record


def read_done(task: ArmTask) -> dict[str, Any] | None:
    """The record of a run that was finished with these settings; None where there is none."""
    try:
        content = json.loads((task.folder / DONE_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    is_same = isinstance(content, dict) and content.get("key") == task.key
    scored = all((task.folder / "scores" / name / "summary.json").is_file() for name in task.tests)
    return content if is_same and scored else None


def _share_work(task: ArmTask, model: Path) -> None:
    """Let the model folder's `work/` be the one that all seeds of these cases share."""
    model.mkdir(parents=True, exist_ok=True)
    task.work.mkdir(parents=True, exist_ok=True)
    place = model / "work"
    if not place.exists():
        place.unlink(missing_ok=True)
        place.symlink_to(os.path.relpath(task.work, model))


def _train(task: ArmTask, model: Path) -> tuple[float, int]:
    """Seconds that training took, by its own record where it was done before, and the weights' count."""
    from wirsung.models.folder import read_record
    from wirsung.models.weights import WEIGHTS_FILE
    from wirsung.training.run import train

    given = {
        "dataset": task.learn,
        "out": model,
        "fold": "all",
        "seed": task.seed,
        "device": task.device,
        "workers": task.processes,
    }
    settings: TrainSettings = settings_of(TrainSettings, task.train, f"arm {task.arm}", given=given)
    train(settings)
    record = read_record(model)
    took = record.folds["all"].duration_s if record else 0.0
    return took, count_of(model / "fold_all" / WEIGHTS_FILE)


def count_of(path: Path) -> int:
    """How many numbers a safetensors file holds, by its header."""
    with path.open("rb") as file:
        header = json.loads(file.read(int.from_bytes(file.read(8), "little")))
    return sum(math.prod(item["shape"]) for name, item in header.items() if name != "__metadata__")


def _test(task: ArmTask, name: str, model: Path) -> dict[str, Any]:
    """Predict and score one test; how many cases, and the seconds it took."""
    from wirsung.inference.run import predict

    started = time.perf_counter()
    predictions, scores = task.folder / "predictions" / name, task.folder / "scores" / name
    settings: PredictSettings = settings_of(
        PredictSettings,
        task.predict,
        "predict",
        given={
            "source": task.tests[name],
            "out": predictions,
            "model": model,
            "device": task.device,
            "lesion_probability": _knows_lesions(task),
            **_strange(task, name, model),
        },
    )
    _all_well(predict(settings), name)
    predicted_s = time.perf_counter() - started
    chosen: EvaluateSettings = settings_of(
        EvaluateSettings,
        task.evaluate,
        "evaluate",
        given={
            "reference": task.tests[name],
            "prediction": predictions,
            "out": scores,
            "page": False,
            "workers": task.processes,
        },
    )
    made = evaluate(chosen)
    _all_well(made.outcomes, name)
    return {
        "cases": int(made.summary["cases"]),
        "predict_s": round(predicted_s, 1),
        "evaluate_s": round(time.perf_counter() - started - predicted_s, 1),
    }


def _strange(task: ArmTask, name: str, model: Path) -> dict[str, str]:
    """How images are prepared that the model knows nothing like: z-scored each by itself."""
    from wirsung.models.folder import read_record
    from wirsung.models.normalisation import OTHER

    record = read_record(model)
    found = {case.modality for case in Dataset.open(task.tests[name]).cases}
    is_strange = record is not None and found.isdisjoint(record.modalities)
    return {"modality": OTHER} if is_strange and "modality" not in task.predict else {}


def _knows_lesions(task: ArmTask) -> bool:
    chosen = scheme(str(task.train.get("scheme", "pants-28")))
    return any(item.name == _LESION for item in chosen.classes)


def _all_well(outcomes: object, test: str) -> None:
    found = [item for item in outcomes if isinstance(item, Outcome)] if isinstance(outcomes, list) else []
    failed = [item for item in found if item.status == "failed"]
    if failed:
        more = f" (and {len(failed) - 1} more)" if len(failed) > 1 else ""
        msg = f"test {test}, case {failed[0].case}: {failed[0].message}{more}"
        raise WirsungError(msg)
