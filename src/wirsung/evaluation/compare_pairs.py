"""Every pair of methods on the cases of both: difference, tests, effect sizes, wins, margins."""

import math
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from itertools import combinations

import numpy as np

from wirsung.evaluation.compare_inputs import ScoredMethod, ScoreOf
from wirsung.evaluation.equivalence import Equivalence, NonInferiority, equivalence, non_inferiority
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.statistics import Comparison, by_patient, compare_columns, holm
from wirsung.evaluation.undefined import Reason

NOT_SCORED = "not_scored"
"""Why a case is left out of a pair of which one method has no score of it at all."""

_WORST = frozenset({Reason.PREDICTION_EMPTY, Reason.PREDICTION_MISSING, Reason.CASE_FAILED})
"""A score that is undefined for these reasons is worse than any that is defined."""


@dataclass(frozen=True)
class ComparedPair:
    """Two methods by one metric of one structure; differences are second minus first."""

    structure: str
    metric: str
    first: str
    second: str
    comparison: Comparison
    left_out: dict[str, int]
    """Cases without a difference, by reason; `not_scored` where one method has no score of the case."""
    wins: int | None
    """Cases where the second is better; None where neither more nor less is. A missed structure, or a case
    that failed, loses against any score that is defined."""
    ties: int | None
    losses: int | None
    equivalence: Equivalence | None
    """None without a margin."""
    non_inferiority: NonInferiority | None
    """That the second is not worse than the first; None without a margin."""
    p_holm: float = math.nan
    """Wilcoxon's p, adjusted after Holm over all pairs and structures of this metric."""
    p_t_holm: float = math.nan
    """The t test's p, adjusted likewise."""


@dataclass(frozen=True)
class Rules:
    """What holds for all pairs."""

    patients: Mapping[str, str] = field(default_factory=dict)
    seed: int = 0
    equivalence_margins: Mapping[str, float] = field(default_factory=dict)
    """By metric, in its unit."""
    non_inferiority_margins: Mapping[str, float] = field(default_factory=dict)
    lower_is_better: frozenset[str] = frozenset()
    """Metrics beside ours of which less is better."""

    def higher_is_better(self, metric: str) -> bool | None:
        """Whether more is better; None where neither is, as of a volume.

        Example:
            >>> [Rules().higher_is_better(name) for name in ("dsc", "hd95", "volume_ml")]
            [True, False, None]
        """
        if metric in self.lower_is_better:
            return False
        if unit_of(metric) == "ml" or "volume" in metric or metric.startswith("lesion_probability"):
            return None
        return unit_of(metric) == "1"


def compare_methods(
    methods: Sequence[ScoredMethod], structures: Sequence[str], metrics: Sequence[str], rules: Rules
) -> tuple[ComparedPair, ...]:
    """Every pair, in the order of the methods, for each metric and structure that both were scored on."""
    found: list[ComparedPair] = []
    for metric in metrics:
        family: list[ComparedPair] = []
        for structure in structures:
            family += _pairs(methods, structure, metric, rules)
        p_holm = holm([item.comparison.p_wilcoxon for item in family])
        p_t_holm = holm([item.comparison.p_t for item in family])
        found += [
            replace(item, p_holm=one, p_t_holm=other)
            for item, one, other in zip(family, p_holm, p_t_holm, strict=True)
        ]
    return tuple(found)


def _pairs(methods: Sequence[ScoredMethod], structure: str, metric: str, rules: Rules) -> list[ComparedPair]:
    scored = [(method.name, table) for method in methods if (table := method.tables.get((structure, metric)))]
    pairs = list(combinations(scored, 2))
    if not pairs:
        return []
    cases = sorted({case for _, table in scored for case in table})
    values = {
        name: np.array([table[case][0] if case in table else math.nan for case in cases])
        for name, table in scored
    }
    differences = np.column_stack([values[second] - values[first] for (first, _), (second, _) in pairs])
    patients: list[Hashable] = [rules.patients.get(case, case) for case in cases]
    compared = compare_columns(differences, patients=patients, seed=rules.seed)
    made = []
    for index, ((first, one), (second, other)) in enumerate(pairs):
        column = differences[:, index]
        fine = np.isfinite(column)
        of_patients = by_patient(
            column[fine], [who for who, keep in zip(patients, fine, strict=True) if keep]
        )
        left_out = _left_out(one, other)
        higher = rules.higher_is_better(metric)
        made.append(
            ComparedPair(
                structure,
                metric,
                first,
                second,
                replace(compared[index], left_out=sum(left_out.values())),
                left_out,
                *_record(one, other, higher),
                _equivalence(of_patients, metric, rules),
                _non_inferiority(of_patients, metric, higher, rules),
            )
        )
    return made


def _equivalence(differences: np.ndarray, metric: str, rules: Rules) -> Equivalence | None:
    margin = rules.equivalence_margins.get(metric)
    return None if margin is None else equivalence(differences, margin)


def _non_inferiority(
    differences: np.ndarray, metric: str, higher: bool | None, rules: Rules
) -> NonInferiority | None:
    margin = rules.non_inferiority_margins.get(metric)
    if margin is None or higher is None:
        return None
    return non_inferiority(differences, margin, higher_is_better=higher)


def _left_out(one: ScoreOf, other: ScoreOf) -> dict[str, int]:
    """Why cases have no difference: the reason of whichever is undefined, the first's where both are."""
    reasons: Counter[str] = Counter()
    for case in one.keys() | other.keys():
        if case not in one or case not in other:
            reasons[NOT_SCORED] += 1
            continue
        for value, reason in (one[case], other[case]):
            if math.isnan(value):
                reasons[reason or "unknown"] += 1
                break
    return dict(sorted(reasons.items()))


def _record(one: ScoreOf, other: ScoreOf, higher: bool | None) -> tuple[int | None, int | None, int | None]:
    """The second's wins, ties and losses."""
    if higher is None:
        return None, None, None
    sign = 1 if higher else -1
    counts = Counter(
        outcome
        for case in one.keys() & other.keys()
        if (outcome := _outcome(one[case], other[case], sign)) is not None
    )
    return counts[1], counts[0], counts[-1]


def _outcome(first: tuple[float, str | None], second: tuple[float, str | None], sign: int) -> int | None:
    """1 where the second is better, 0 where both are alike, -1 where it is worse; None where nobody knows."""
    ranked = []
    for value, reason in (first, second):
        if not math.isnan(value):
            ranked.append(sign * value)
        elif reason in _WORST:
            ranked.append(-math.inf)
        else:
            return None
    if ranked[0] == ranked[1]:
        return 0
    difference = ranked[1] - ranked[0]
    return 0 if abs(difference) < 5e-10 else int(math.copysign(1, difference))
