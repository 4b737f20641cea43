"""The results of an experiment as one object: what the page shows and results.json holds."""

import statistics
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wirsung.evaluation.summary import as_json
from wirsung.training.experiments.answers import Answer, answer
from wirsung.training.experiments.collecting import Collected, aligned
from wirsung.training.experiments.definition import Column, Experiment, Measure, PaperRow
from wirsung.training.experiments.noise import Estimate, estimate

RunRecord = Mapping[str, Any]
"""As `run.json` of a finished run."""


@dataclass(frozen=True)
class ArmResult:
    """One arm over its seeds."""

    name: str
    title: str
    network: str
    scheme: str
    cases: int | None
    """Learnt from; None where no seed has run."""
    tumours: float | None
    """Of these with a tumour, the mean over seeds; None where that is not known."""
    parameters: int | None
    train_s: float | None
    """Mean over seeds."""
    predict_s_per_case: float | None
    seeds: tuple[int, ...]
    """Those that have run."""


@dataclass(frozen=True)
class Measured:
    """One measure of one arm on one test."""

    column: Column
    measure: Measure
    estimate: Estimate
    left_out: int
    """Cases without a value in one of the seeds."""


@dataclass(frozen=True)
class CallFacts:
    """The call that gathers the results."""

    size: str
    """cpu or full."""
    command: str
    failed: Mapping[str, str]
    """Run to why it failed."""
    made_by: Mapping[str, Any]
    """Machine and software."""


@dataclass(frozen=True)
class PaperLine:
    """One number of the paper beside ours."""

    row: PaperRow
    ours: Measured | None


@dataclass(frozen=True)
class Results:
    """Everything that the runs say."""

    experiment: Experiment
    size: str
    command: str
    arms: tuple[ArmResult, ...]
    measured: tuple[Measured, ...]
    answers: tuple[Answer, ...]
    paper: tuple[PaperLine, ...]
    failed: Mapping[str, str]
    """Run to why it failed."""
    made_by: Mapping[str, Any]
    """Date, version, commit and machine of the call that gathered the results."""
    run_commits: tuple[str, ...]
    """Of the runs, each once."""

    def of(self, column: Column, measure: Measure) -> Measured | None:
        """That measure of that arm on that test, where it has run."""
        for item in self.measured:
            if item.column == column and item.measure == measure:
                return item
        return None

    def lines(self) -> list[str]:
        """For the terminal: a line an answer."""
        return [f"{item.question} {item.sentence}" for item in self.answers]

    def as_json(self) -> dict[str, Any]:
        """As results.json has it."""
        return {
            "schema": 1,
            "experiment": self.experiment.name,
            "title": self.experiment.title,
            "size": self.size,
            "command": self.command,
            **self.made_by,
            "run_commits": list(self.run_commits),
            "seeds": self.experiment.seeds,
            "arms": as_json(self.arms),
            "measured": [
                {
                    "arm": item.column.arm,
                    "test": item.column.test,
                    "measure": item.measure.key,
                    **as_json(item.estimate),
                    "left_out": item.left_out,
                }
                for item in self.measured
            ],
            "questions": [{**as_json(item), "measure": item.measure.key} for item in self.answers],
            "paper": [
                {
                    "label": line.row.label,
                    "measure": line.row.measure.key,
                    "paper": line.row.value,
                    "spread": line.row.spread,
                    "source": line.row.source,
                    "arm": line.row.ours.key if line.row.ours else None,
                    "ours": as_json(line.ours.estimate.mean) if line.ours else None,
                    "ours_sd": as_json(line.ours.estimate.sd) if line.ours else None,
                }
                for line in self.paper
            ],
            "failed": dict(self.failed),
        }


def gather(
    experiment: Experiment,
    records: Mapping[tuple[str, int], RunRecord],
    collected: Collected,
    call: CallFacts,
) -> Results:
    """The results of the runs that are there.

    Args:
        experiment: The experiment.
        records: Arm and seed to the run's record.
        collected: What the runs scored.
        call: What was called, and what of it failed.
    """
    measured = []
    for column, measure in collected:
        found = aligned(collected, [[column]], measure)
        if found is not None:
            value = estimate(found.sides[0], found.positive)
            measured.append(Measured(column, measure, value, found.left_out))
    by_key = {(item.column, item.measure): item for item in measured}
    lines = tuple(
        PaperLine(row, by_key.get((row.ours, row.measure)) if row.ours else None) for row in experiment.rows
    )
    return Results(
        experiment,
        call.size,
        call.command,
        tuple(_arm(name, experiment, records) for name in experiment.arms),
        tuple(measured),
        tuple(answer(question, experiment, collected) for question in experiment.questions),
        lines,
        dict(call.failed),
        call.made_by,
        tuple(sorted({str(item.get("commit") or "unknown") for item in records.values()})),
    )


def _arm(name: str, experiment: Experiment, records: Mapping[tuple[str, int], RunRecord]) -> ArmResult:
    arm = experiment.arms[name]
    found = [record for (own, _), record in sorted(records.items()) if own == name]
    tests = [test for record in found for test in record["tests"].values()]
    predicted = sum(test["cases"] for test in tests)
    tumours = [record["tumours"] for record in found]
    return ArmResult(
        name,
        arm.title,
        str(arm.train.get("network", "nnunet")),
        str(arm.train.get("scheme", "pants-28")),
        found[0]["cases"] if found else None,
        statistics.mean(tumours) if tumours and None not in tumours else None,
        found[0]["parameters"] if found else None,
        _mean([record["train_s"] for record in found]),
        sum(test["predict_s"] for test in tests) / predicted if predicted else None,
        tuple(record["seed"] for record in found),
    )


def _mean(values: Sequence[float]) -> float | None:
    return statistics.mean(values) if values else None
