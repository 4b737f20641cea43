"""The kind attention: seconds and memory of exact and linear attention by the number of tokens."""

import math
import statistics
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np

from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, Skip, map_cases
from wirsung.errors import ConfigError, near_names
from wirsung.evaluation.summary import as_json
from wirsung.training.experiments.command import command_of
from wirsung.training.experiments.definition import Experiment
from wirsung.training.experiments.machine import provenance
from wirsung.training.experiments.settings import ExperimentSettings
from wirsung.training.experiments.token_call import KINDS, Call, measure_call, read_call
from wirsung.training.experiments.typed import settings_of

_RESAMPLES = 1000


@dataclass(frozen=True)
class Plan:
    """What is measured."""

    tokens: tuple[int, ...]
    """Numbers of tokens, at least two."""
    channels: int = 64
    heads: int = 2
    repeats: int = 7
    """Calls of each, of which the median counts."""


@dataclass(frozen=True)
class Growth:
    """A kind's cost grows as tokens to this power, over the larger half of the numbers of tokens."""

    kind: str
    seconds: float
    low: float
    """Of the 95 % interval over repeats."""
    high: float
    memory: float
    """NaN where memory could not be told."""


@dataclass(frozen=True)
class TokenResults:
    """What was measured, and what it says."""

    experiment: Experiment
    plan: Plan
    size: str
    command: str
    calls: tuple[Call, ...]
    growth: tuple[Growth, ...]
    sentences: tuple[str, ...]
    failed: Mapping[str, str]
    made_by: Mapping[str, Any]

    def as_json(self) -> dict[str, Any]:
        """As results.json has it."""
        return {
            "schema": 1,
            "experiment": self.experiment.name,
            "title": self.experiment.title,
            "size": self.size,
            "command": self.command,
            **self.made_by,
            "plan": as_json(self.plan),
            "calls": as_json(self.calls),
            "growth": as_json(self.growth),
            "sentences": list(self.sentences),
            "failed": dict(self.failed),
        }

    def lines(self) -> list[str]:
        """For the terminal."""
        return list(self.sentences)

    def titles(self) -> dict[str, str]:
        """Kind to the arm's title."""
        return {name: arm.title for name, arm in self.experiment.arms.items()}


def measure_tokens(
    experiment: Experiment, settings: ExperimentSettings
) -> tuple[list[Outcome[Any]], TokenResults]:
    """Measure every kind and number of tokens that is not measured yet.

    Raises:
        ConfigError: An arm is no kind of attention, or the plan is wrong.
    """
    plan = plan_of(experiment)
    device = _device(settings.device)
    tasks = {
        f"{kind}, {tokens} tokens": (
            settings.out / "runs" / kind / f"{tokens}.json",
            Call(kind, tokens, plan.channels, plan.heads, plan.repeats, device),
        )
        for tokens in plan.tokens
        for kind in experiment.arms
    }
    chosen = {
        name: task for name, task in tasks.items() if not settings.only or task[1].kind in settings.only
    }
    outcomes = map_cases(_measure, chosen, workers=1, description="attention/run")
    calls = [found for path, call in tasks.values() if (found := read_call(path, call)) is not None]
    growth = tuple(growth_of(kind, calls) for kind in experiment.arms)
    titles = {name: arm.title for name, arm in experiment.arms.items()}
    results = TokenResults(
        experiment,
        plan,
        settings.size,
        command_of(settings),
        tuple(calls),
        growth,
        tuple(sentences(calls, growth, titles)),
        {item.case: item.message for item in outcomes if item.status == "failed"},
        provenance(settings.device),
    )
    return outcomes, results


def plan_of(experiment: Experiment) -> Plan:
    """What the file wants measured.

    Raises:
        ConfigError: An arm is no kind of attention, or a number is wrong.
    """
    for name in experiment.arms:
        if name not in KINDS:
            msg = f"{experiment.name}: arms.{name} is no kind of attention. {near_names(name, KINDS)}"
            raise ConfigError(msg)
    plan: Plan = settings_of(Plan, experiment.attention, f"{experiment.name}: attention")
    small = min((*plan.tokens, plan.channels, plan.heads, plan.repeats))
    if len(set(plan.tokens)) < 2 or small < 1 or plan.channels % plan.heads:
        msg = (
            f"{experiment.name}: attention needs two numbers of tokens or more, and channels that its heads "
            "can share. Mend the table."
        )
        raise ConfigError(msg)
    return plan


def growth_of(kind: str, calls: Sequence[Call]) -> Growth:
    """The slope of log cost over log tokens, over the larger half of the numbers of tokens, at least two.

    Example:
        >>> calls = [Call("linear", n, 8, 1, 1, "cpu", (n / 1e3,), float(n)) for n in (512, 1024, 2048, 4096)]
        >>> found = growth_of("linear", calls)
        >>> round(found.seconds, 6), round(found.memory, 6)
        (1.0, 1.0)
    """
    own = sorted((call for call in calls if call.kind == kind and call.seconds), key=lambda call: call.tokens)
    own = own[min(len(own) // 2, max(len(own) - 2, 0)) :]
    if len(own) < 2:
        return Growth(kind, *(math.nan,) * 4)
    across = np.log([call.tokens for call in own])
    rng = np.random.default_rng(0)
    drawn = [
        _slope(across, [float(np.median(rng.choice(call.seconds, len(call.seconds)))) for call in own])
        for _ in range(_RESAMPLES)
    ]
    low, high = np.percentile(drawn, (2.5, 97.5))
    memory = [call.memory_mib for call in own]
    known = all(value is not None and value > 0 for value in memory)
    return Growth(
        kind,
        _slope(across, [statistics.median(call.seconds) for call in own]),
        float(low),
        float(high),
        _slope(across, [float(value or 0) for value in memory]) if known else math.nan,
    )


def sentences(calls: Sequence[Call], growth: Sequence[Growth], titles: Mapping[str, str]) -> list[str]:
    """What the numbers say, in words."""
    said = [
        f"The time of {titles[item.kind]} grows as tokens to the power {item.seconds:.2f} "
        f"(95 % interval {item.low:.2f} to {item.high:.2f})."
        for item in growth
        if not math.isnan(item.seconds)
    ]
    by_kind = {
        kind: {call.tokens: call for call in calls if call.kind == kind and call.seconds} for kind in titles
    }
    linear = by_kind.get("linear", {})
    for kind, own in by_kind.items():
        shared = sorted(set(own) & set(linear))
        if kind != "linear" and shared:
            said.append(_against(titles["linear"], titles[kind], [(linear[n], own[n]) for n in shared]))
    return said


def _against(linear: str, other: str, pairs: Sequence[tuple[Call, Call]]) -> str:
    """Where linear attention begins to pay, and what it saves at the most tokens."""
    ratios = [statistics.median(two.seconds) / statistics.median(one.seconds) for one, two in pairs]
    last = pairs[-1][0].tokens
    faster = [one.tokens for (one, _), ratio in zip(pairs, ratios, strict=True) if ratio > 1]
    counts = [one.tokens for one, _ in pairs]
    begins = next((n for n in faster if all(m in faster for m in counts if m >= n)), None)
    where = (
        f"is the faster one from {begins} tokens on" if begins else "is not the faster one at the most tokens"
    )
    memory = ""
    one, two = pairs[-1][0].memory_mib, pairs[-1][1].memory_mib
    if one and two:
        memory = f" and {two / one:.1f} times the memory"
    said = f"{linear} {where}; at {last} tokens {other} takes {ratios[-1]:.1f} times its time{memory}."
    return said[:1].upper() + said[1:]


def _slope(across: Any, costs: Sequence[float]) -> float:  # noqa: ANN401 - an array
    return float(np.polyfit(across, np.log(costs), 1)[0])


def _measure(task: tuple[Path, Call]) -> Call:
    path, call = task
    found = read_call(path, call)
    if found is not None:
        raise Skip(found)
    made = measure_call(call)
    write_json(path, as_json(made))
    return made


def _device(name: str) -> str:
    from wirsung.models.device import choose_device

    chosen: Callable[[str], Any] = choose_device
    return str(chosen(name).type)
