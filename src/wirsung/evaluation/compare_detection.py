"""Who finds the patients with a lesion? Every pair of methods' AUC by case, on the cases of both."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from itertools import combinations

from wirsung.evaluation.case import LESION
from wirsung.evaluation.compare_inputs import ScoredMethod, ScoreOf
from wirsung.evaluation.delong import AucComparison, compare_aucs
from wirsung.evaluation.statistics import holm

PROBABILITY = "lesion_probability"
"""How the metrics begin that hold a case's lesion probability."""

VOLUME = "volume_ml"


@dataclass(frozen=True)
class ComparedAucs:
    """Two methods' AUC by case; the difference is second minus first."""

    first: str
    second: str
    ranked_by: str
    """The metric that ranks the cases of both."""
    cases: int
    positives: int
    """Cases whose reference holds a lesion."""
    comparison: AucComparison
    p_holm: float
    """Adjusted after Holm over all pairs."""


def compare_detection(methods: Sequence[ScoredMethod]) -> tuple[ComparedAucs, ...]:
    """Every pair of methods whose lesions were scored, by the same kind of score.

    Where every case of both has a lesion probability, it ranks them; else the predicted volume does.
    """
    found = [pair for one, other in combinations(methods, 2) if (pair := _pair(one, other))]
    adjusted = holm([pair.comparison.p for pair in found])
    return tuple(replace(pair, p_holm=p) for pair, p in zip(found, adjusted, strict=True))


def _pair(one: ScoredMethod, other: ScoredMethod) -> ComparedAucs | None:
    truth = _values(one.tables.get((LESION, "reference_volume_ml")))
    volumes = [_values(method.tables.get((LESION, VOLUME))) for method in (one, other)]
    cases = sorted(truth.keys() & volumes[0].keys() & volumes[1].keys())
    if not cases:
        return None
    ranked_by, scores = VOLUME, volumes
    for metric in sorted({name for structure, name in one.tables if structure == LESION}):
        told = [_values(method.tables.get((LESION, metric))) for method in (one, other)]
        if metric.startswith(PROBABILITY) and all(set(cases) <= table.keys() for table in told):
            ranked_by, scores = metric, told
    positive = [truth[case] > 0 for case in cases]
    first, second = ([table[case] for case in cases] for table in scores)
    compared = compare_aucs(positive, first, second)
    return ComparedAucs(one.name, other.name, ranked_by, len(cases), sum(positive), compared, compared.p)


def _values(table: ScoreOf | None) -> Mapping[str, float]:
    """The cases with a value."""
    return {case: value for case, (value, reason) in (table or {}).items() if reason is None}
