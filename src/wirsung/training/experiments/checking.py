"""Whether an experiment's names fit together, before an hour is spent on it."""

import re
from collections.abc import Collection, Mapping
from pathlib import Path
from typing import Any

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.sources.reading import source_names
from wirsung.datasets.splits import SplitSettings
from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.inference.settings import PredictSettings
from wirsung.phantom.settings import PhantomSettings
from wirsung.training.experiments.definition import Arm, Column, DataSource, Experiment, Measure
from wirsung.training.experiments.typed import check_settings, settings_of
from wirsung.training.settings import TrainSettings

AUC = "auc"

TRAIN_GIVEN = ("dataset", "out", "fold", "seed", "device", "workers", "max_hours")
PREDICT_GIVEN = ("source", "out", "model", "split", "fold", "lesion_probability", "device")
EVALUATE_GIVEN = (
    *("reference", "prediction", "out", "also", "scheme", "reference_scheme", "all_cases", "resample"),
    *("subgroups", "metadata", "page", "workers", "cluster"),
)
PHANTOM_GIVEN = ("out", "workers", "cluster")
SPLIT_GIVEN = ("dataset", "check")

_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{0,63}")
_HERE = Path()


def check_experiment(made: Experiment, file: str) -> None:
    """Pass where every name stands for something and every stage takes its settings.

    Raises:
        ConfigError: One does not; the message names file and key.
    """
    for table, names in (("data", made.data), ("sets", made.sets), ("arms", made.arms)):
        _check_names(names, f"{file}: {table}")
    if made.seeds < 1 or not made.arms:
        msg = f"{file}: an experiment has at least one seed and one arm."
        raise ConfigError(msg)
    if made.kind == "attention":
        return
    for name, source in made.data.items():
        _check_source(source, f"{file}: data.{name}")
    for name, chosen in made.sets.items():
        _known(chosen.data, made.data, f"{file}: sets.{name}.data")
    for name, arm in made.arms.items():
        _check_arm(arm, made, f"{file}: arms.{name}")
    _check_stages(made, file)
    _check_measures(made, file)
    _check_columns(made, file)


def _check_names(names: Mapping[str, object], where: str) -> None:
    for name in names:
        if not _NAME.fullmatch(name):
            msg = f"{where}: {name!r} can't be a name, as folders are called so. Take letters, digits, . _ -"
            raise ConfigError(msg)


def _check_source(source: DataSource, where: str) -> None:
    if source.phantom is not None:
        if source.source is not None:
            msg = f"{where} has phantom and source, but data are the one or the other."
            raise ConfigError(msg)
        check_settings(PhantomSettings, source.phantom, f"{where}.phantom", PHANTOM_GIVEN)
        settings_of(PhantomSettings, source.phantom, f"{where}.phantom", given={"out": _HERE})
    if source.source is not None:
        _known(source.source, source_names(), f"{where}.source")
    check_settings(SplitSettings, source.split, f"{where}.split", SPLIT_GIVEN)


def _check_arm(arm: Arm, made: Experiment, where: str) -> None:
    for key, names in (("learn", arm.learn), ("test", arm.test)):
        if not names:
            msg = f"{where}.{key} is empty, but an arm learns from a set and is tested on one."
            raise ConfigError(msg)
        for name in names:
            _known(name, made.sets, f"{where}.{key}")
    check_settings(TrainSettings, arm.train, where, TRAIN_GIVEN)
    given: dict[str, Any] = {"dataset": _HERE, "out": _HERE}
    chosen: TrainSettings = settings_of(TrainSettings, arm.train, where, given=given)
    scheme(chosen.scheme)


def _check_stages(made: Experiment, file: str) -> None:
    check_settings(PredictSettings, made.predict, f"{file}: predict", PREDICT_GIVEN)
    settings_of(PredictSettings, made.predict, f"{file}: predict", given={"source": _HERE, "out": _HERE})
    check_settings(EvaluateSettings, made.evaluate, f"{file}: evaluate", EVALUATE_GIVEN)


def _check_measures(made: Experiment, file: str) -> None:
    if not made.measures:
        msg = f"{file}: measures is empty, but something must be measured."
        raise ConfigError(msg)
    metrics = (AUC, *protocol(made.evaluate.get("protocol", "pants")).metric_names)
    for measure in made.measures:
        _known(measure.structure, structures(), f"{file}: measures, {measure.key!r}")
        _known(measure.metric, metrics, f"{file}: measures, {measure.key!r}")
        if measure.metric == AUC and measure.structure != "pancreatic_lesion":
            msg = f"{file}: measures, {measure.key!r}: cases are ranked by their pancreatic_lesion only."
            raise ConfigError(msg)


def _check_columns(made: Experiment, file: str) -> None:
    for place, question in enumerate(made.questions, 1):
        where = f"{file}: question {place}"
        _measured(question.measure, made, f"{where}.measure")
        for column in (*question.first, *question.second):
            _check_column(column, made, where)
        tests = [[column.test for column in side] for side in (question.first, question.second)]
        if tests[0] != tests[1] or not tests[0]:
            msg = f"{where}: first and second must be tested on the same sets, in the same order."
            raise ConfigError(msg)
    for place, row in enumerate(made.rows, 1):
        where = f"{file}: paper.rows {place}"
        if row.ours is not None:
            _check_column(row.ours, made, where)
            _measured(row.measure, made, f"{where}.measure")


def _measured(measure: Measure, made: Experiment, where: str) -> None:
    _known(measure.key, [item.key for item in made.measures], where)


def _check_column(column: Column, made: Experiment, where: str) -> None:
    _known(column.arm, made.arms, where)
    _known(column.test, made.arms[column.arm].test, f"{where}, {column.arm}")


def _known(name: str, known: Collection[str], where: str) -> None:
    if name not in known:
        msg = f"{where}: there is no {name!r}. {near_names(name, known) if known else 'None is declared.'}"
        raise ConfigError(msg)
