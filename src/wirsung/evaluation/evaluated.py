"""Everything that an evaluation read and found: what summary.json and report.html are made of."""

import math
import shlex
from collections.abc import Mapping
from dataclasses import MISSING, dataclass, field, fields
from pathlib import Path
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.inputs import Method, Reference
from wirsung.evaluation.protocol import Protocol, unit_of
from wirsung.evaluation.scores import Score, Scores
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.summary import Findings
from wirsung.evaluation.undefined import Reason


@dataclass(frozen=True)
class Evaluated:
    """Everything that an evaluation read and found."""

    reference: Reference
    methods: tuple[Method, ...]
    protocol: Protocol
    cases: tuple[str, ...]
    scores: Scores
    findings: Findings
    outcomes: tuple[Outcome[Any], ...]
    strays: dict[str, tuple[str, ...]]
    """Predictions without a reference, by method."""
    seed: int
    command: str = ""
    """What to type for the same scores; empty where nobody typed anything."""
    notes: dict[str, dict[str, str]] = field(default_factory=dict)
    """By method and case, what was done to a prediction before it was scored, such as resampling."""
    cohort: Cohort = field(default_factory=Cohort)
    """Whose the cases are."""

    @property
    def patients(self) -> Mapping[str, str]:
        """Case to patient; a case without one is its own patient."""
        return self.cohort.patients

    @property
    def leading_structure(self) -> str:
        """The pancreas where it is scored, else the first structure."""
        found = self.scores.structures(self.methods[0].name)
        return "pancreas" if "pancreas" in found or not found else found[0]

    @property
    def leading_metric(self) -> str:
        """The first metric of the protocol's headline."""
        return self.protocol.headline_names[0]

    @property
    def worst_first(self) -> tuple[str, ...]:
        """The cases that the first method's leading metric of the leading structure ranks, worst first."""
        rows = self.scores.by_case(self.methods[0].name, self.leading_structure, self.leading_metric)
        ranked = [(badness(row), case) for case, row in rows.items()]
        # Equally bad cases go by name, from whichever end one reads.
        return tuple(case for bad, case in sorted(ranked, key=lambda item: (-item[0], item[1])) if bad == bad)


def badness(row: Score) -> float:
    """What cases are ranked by, the worse the higher; NaN where the score has no rank.

    Fractions are better high, distances low and differences near 0. A distance to an empty prediction is the
    worst there is.

    Example:
        >>> badness(Score("a", "pancreas", "dsc", 0.25, "1", None, "pants", "ours"))
        -0.25
        >>> badness(Score("a", "pancreas", "hd95", float("nan"), "mm", "prediction_empty", "pants", "ours"))
        inf
    """
    if math.isnan(row.value):
        return math.inf if row.reason == Reason.PREDICTION_EMPTY else math.nan
    if "difference" in row.metric:
        return abs(row.value)
    return -row.value if unit_of(row.metric) == "1" else row.value


def command_of(settings: EvaluateSettings) -> str:
    """The command for the same scores, with folders by their names: where they lie is nobody's business.

    Example:
        >>> command_of(EvaluateSettings(Path("data/labels"), Path("runs/ours"), seed=3))
        'wirsung evaluate labels ours --seed 3'
    """
    words = ["wirsung", "evaluate"]
    for item in fields(settings):
        value = getattr(settings, item.name)
        if item.default is MISSING:
            words.append(_word(value))
        elif value != item.default and item.name not in {"out", "workers", "cluster"}:
            words += _option(item.name, value)
    return shlex.join(words)


def _option(name: str, value: object) -> list[str]:
    flag = name.replace("_", "-")
    if isinstance(value, bool):
        return [f"--{flag}" if value else f"--no-{flag}"]
    values = value if isinstance(value, tuple) else (value,)
    return [f"--{flag}", *(_word(each) for each in values)]


def _word(value: object) -> str:
    """A path, also one among texts, by its name alone."""
    if isinstance(value, Path):
        return value.resolve().name
    text = str(value)
    return Path(text).name if text.endswith(".toml") else text
