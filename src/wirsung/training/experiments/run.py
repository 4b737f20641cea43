"""`wirsung experiment`: data, cases, runs, results, page."""

import hashlib
import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from wirsung.compute.atomic import write_json, write_text
from wirsung.compute.cases import Outcome, default_workers, map_cases
from wirsung.errors import ConfigError, near_names
from wirsung.training.experiments.arm_run import ArmTask, read_done, run_arm
from wirsung.training.experiments.cohorts import check_paths, make_data
from wirsung.training.experiments.collecting import collect
from wirsung.training.experiments.command import command_of
from wirsung.training.experiments.definition import Experiment
from wirsung.training.experiments.machine import provenance
from wirsung.training.experiments.page import write_experiment_page
from wirsung.training.experiments.reading import read_experiment
from wirsung.training.experiments.results import CallFacts, Results, gather
from wirsung.training.experiments.sets import Cohorts, content_of, make_view, tumours_of
from wirsung.training.experiments.settings import ExperimentSettings
from wirsung.training.experiments.tokens import TokenResults, measure_tokens

RESULTS_FILE = "results.json"
PAGE_FILE = "experiment.html"
_FILE_COPY = "definition.toml"


@dataclass(frozen=True)
class ExperimentDone:
    """What an experiment found, and where it wrote it."""

    outcomes: list[Outcome[Any]]
    """One an arm and seed."""
    results: Results | TokenResults
    out: Path
    noun: str = "run"

    @property
    def page(self) -> Path:
        """The page."""
        return self.out / PAGE_FILE

    def lines(self) -> list[str]:
        """For the terminal: a line an answer."""
        return [*self.results.lines(), "", f"Page: {self.page}"]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"out": str(self.out), "results": self.results.as_json()}


def experiment(settings: ExperimentSettings) -> ExperimentDone:
    """Run every arm and seed that is not done, and write results.json and experiment.html.

    A run that fails is reported, and the others go on.

    Raises:
        ConfigError: The file, an arm of --only, or --data is wrong.
        ManifestError: The data can't be made or read.
    """
    made = _chosen(settings)
    settings.out.mkdir(parents=True, exist_ok=True)
    write_text(settings.out / _FILE_COPY, settings.experiment.read_text(encoding="utf-8"))
    if made.kind == "attention":
        outcomes, found = measure_tokens(made, settings)
        return _finish(settings, outcomes, found)
    check_paths(made, settings.paths())
    make_data(made, settings.out / "data", settings.paths(), settings.workers)
    tasks = _tasks(made, settings)
    chosen = {name: task for name, task in tasks.items() if not settings.only or task.arm in settings.only}
    outcomes = _run(chosen, settings.workers)
    failed = {item.case: item.message for item in outcomes if item.status == "failed"}
    done = {name: record for name, task in tasks.items() if (record := read_done(task)) is not None}
    folders = {(tasks[name].arm, tasks[name].seed): tasks[name].folder for name in done}
    results = gather(
        made,
        {(tasks[name].arm, tasks[name].seed): record for name, record in done.items()},
        collect(made, folders),
        CallFacts(settings.size, command_of(settings), failed, provenance(settings.device)),
    )
    return _finish(settings, outcomes, results)


def _chosen(settings: ExperimentSettings) -> Experiment:
    made = read_experiment(settings.experiment, settings.size)
    for name in settings.only:
        if name not in made.arms:
            msg = f"--only {name}: {settings.experiment.name} has no such arm. {near_names(name, made.arms)}"
            raise ConfigError(msg)
    return made if settings.seeds is None else replace(made, seeds=settings.seeds)


def _tasks(made: Experiment, settings: ExperimentSettings) -> dict[str, ArmTask]:
    """Every arm and seed, with its cases as datasets."""
    data, out = settings.out / "data", settings.out
    cohorts = Cohorts(made, data)
    processes = _processes(settings)
    names = dict.fromkeys(test for arm in made.arms.values() for test in arm.test)
    tested = {name: cohorts.members(name, 0) for name in names}
    tests = {name: make_view(out / "cases" / f"test-{name}", tested[name], data) for name in names}
    contents = {name: content_of(tested[name]) for name in names}
    found: dict[str, ArmTask] = {}
    # Seed by seed, so that a run that is stopped early has something of every arm.
    for seed in range(made.seeds):
        for name, arm in made.arms.items():
            members = cohorts.learnt(arm, seed)
            ids = tuple(f"{member.data}/{member.case.id}" for member in members)
            key = _key(ids)
            found[f"{name}, seed {seed}"] = ArmTask(
                arm=name,
                seed=seed,
                folder=out / "runs" / name / f"seed-{seed}",
                learn=make_view(out / "cases" / f"learn-{key}", members, data),
                tests={test: tests[test] for test in arm.test},
                work=out / "work" / f"{name}-{key}",
                train=arm.train,
                predict=made.predict,
                evaluate=made.evaluate,
                device=settings.device,
                cases=ids,
                tumours=tumours_of(members),
                content=" ".join([content_of(members), *(contents[test] for test in arm.test)]),
                processes=processes,
            )
    return found


def _processes(settings: ExperimentSettings) -> int:
    """Of each run: its share of the cores beside a GPU; one on a CPU, where the network needs the cores."""
    from wirsung.models.device import choose_device

    is_cpu = choose_device(settings.device).type == "cpu"
    return 1 if is_cpu else max(1, default_workers() // settings.workers)


def _run(tasks: Mapping[str, ArmTask], workers: int) -> list[Outcome[Any]]:
    """First one run of each shared `work/`, which prepares the cases, then those that find it prepared."""
    first: dict[Path, str] = {}
    for name, task in tasks.items():
        first.setdefault(task.work, name)
    parts = [
        {name: task for name, task in tasks.items() if (first[task.work] == name) is leads}
        for leads in (True, False)
    ]
    found: dict[str, Outcome[Any]] = {}
    for part in parts:
        if part:
            outcomes = map_cases(run_arm, part, workers=workers, description="experiment/run")
            found.update({item.case: item for item in outcomes})
    return [found[name] for name in tasks]


def _finish(
    settings: ExperimentSettings, outcomes: Sequence[Outcome[Any]], found: Results | TokenResults
) -> ExperimentDone:
    write_json(settings.out / RESULTS_FILE, found.as_json())
    write_experiment_page(settings.out / PAGE_FILE, found)
    return ExperimentDone(list(outcomes), found, settings.out)


def _key(ids: Sequence[str]) -> str:
    return hashlib.sha256(json.dumps(list(ids)).encode()).hexdigest()[:12]
