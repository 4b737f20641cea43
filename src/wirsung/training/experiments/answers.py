"""The answer to each question, computed from the numbers: agrees, does not agree, or within the noise."""

import math
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

from wirsung.evaluation.delong import compare_aucs
from wirsung.evaluation.report_tables import metric_title, signed, words_of
from wirsung.evaluation.statistics import compare
from wirsung.training.experiments.collecting import Aligned, Collected, aligned
from wirsung.training.experiments.definition import Column, Direction, Experiment, Measure, Question
from wirsung.training.experiments.noise import Difference, difference

Verdict = Literal["agrees", "does not agree", "within the noise", "not run"]

_DIGITS = 3


@dataclass(frozen=True)
class Answer:
    """What the runs say to one question."""

    question: str
    measure: Measure
    expect: Direction
    verdict: Verdict
    sentence: str
    """With the numbers."""
    difference: Difference | None
    """None where an arm has not run."""
    p: float
    """Of a paired test over cases, each case's value averaged over seeds; NaN where there is none."""
    test: str
    """Which one."""
    left_out: int
    """Cases without a value in one of the runs."""
    paper: float | None


def answer(question: Question, experiment: Experiment, collected: Collected) -> Answer:
    """The answer to the question from the runs that are there."""
    found = aligned(collected, (question.first, question.second), question.measure)
    names = [_side(side, experiment) for side in (question.first, question.second)]
    if found is None or not found.cases:
        missing = f"Not run yet: {names[0]} against {names[1]}."
        return _made(question, "not run", missing, None, (math.nan, "", 0))
    apart = difference(found.sides[0], found.sides[1], found.positive)
    if math.isnan(apart.difference):
        said = "Nothing to compare: cases with and without a lesion are needed."
        return _made(question, "not run", said, None, (math.nan, "", found.left_out))
    p, test = _test(found)
    verdict = verdict_of(apart, question.expect, question.margin)
    sentence = _sentence(question, names, apart, verdict, p, test)
    return _made(question, verdict, sentence, apart, (p, test, found.left_out))


def verdict_of(found: Difference, expect: Direction, margin: float = 0.0) -> Verdict:
    """What the 95 % interval of the difference says to what was expected.

    Example:
        >>> rise = Difference(0.5, 0.7, 0.2, 0.05, 0.3, 24, 3)
        >>> verdict_of(rise, "higher"), verdict_of(rise, "lower"), verdict_of(rise, "same", 0.02)
        ('agrees', 'does not agree', 'does not agree')
    """
    low, high = (-found.high, -found.low) if expect == "lower" else (found.low, found.high)
    if expect == "same":
        if -margin <= low and high <= margin:
            return "agrees"
        return "does not agree" if low > margin or high < -margin else "within the noise"
    if low > 0:
        return "agrees"
    return "does not agree" if high < 0 else "within the noise"


def _made(
    question: Question,
    verdict: Verdict,
    sentence: str,
    apart: Difference | None,
    tested: tuple[float, str, int],
) -> Answer:
    p, test, left_out = tested
    return Answer(
        question.text,
        question.measure,
        question.expect,
        verdict,
        sentence,
        apart,
        p,
        test,
        left_out,
        question.paper,
    )


def _test(found: Aligned) -> tuple[float, str]:
    """A paired test of the seeds' mean by case; its p and name."""
    first, second = (side.mean(axis=0) for side in found.sides)
    if found.positive is None:
        return compare(first.tolist(), second.tolist()).p_wilcoxon, "Wilcoxon signed-rank"
    compared = compare_aucs(found.positive.tolist(), first.tolist(), second.tolist())
    return compared.p, "DeLong"


def _sentence(
    question: Question, names: Sequence[str], found: Difference, verdict: Verdict, p: float, test: str
) -> str:
    head = {
        "agrees": "Agrees",
        "does not agree": "Does not agree",
        "within the noise": "Within the noise",
        "not run": "Not run",
    }[verdict]
    what = f"{metric_title(question.measure.metric)} of the {words_of(question.measure.structure)}"
    if question.measure.metric == "auc":
        what = f"AUC of the {words_of(question.measure.structure)}"
    interval = f"95 % interval {signed(found.low, _DIGITS)} to {signed(found.high, _DIGITS)}"
    tested = "" if math.isnan(p) else f"; {test} p {'< 0.001' if p < 0.001 else f'= {p:.3f}'}"
    paper = "" if question.paper is None else f" The paper: {signed(question.paper, _DIGITS)}."
    return (
        f"{head}: the {what} is {found.first:.{_DIGITS}f} for {names[0]} and {found.second:.{_DIGITS}f} for "
        f"{names[1]}, a difference of {signed(found.difference, _DIGITS)} ({interval} over {_counted(found)}"
        f"{tested}).{paper}"
    )


def _counted(found: Difference) -> str:
    seeds = f"{found.seeds} seeds and " if found.seeds > 1 else "1 seed, so over cases alone, "
    return f"{seeds}{found.cases} cases"


def _side(side: Sequence[Column], experiment: Experiment) -> str:
    """The arms' titles, each once."""
    titles = dict.fromkeys(experiment.arms[column.arm].title for column in side)
    return " and ".join(titles) if len(titles) < 3 else f"{next(iter(titles))} and {len(titles) - 1} more"
