"""From the rows of scores to the findings: summaries, detection, comparisons (`summary.json`)."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass, is_dataclass, replace
from typing import Any

from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.detection import Detection
from wirsung.evaluation.detection_findings import AucPair, Ranking, auc_pairs, lesion_findings, rank
from wirsung.evaluation.froc import LesionDetection
from wirsung.evaluation.operating_points import OperatingPoint
from wirsung.evaluation.protocol import Protocol
from wirsung.evaluation.scores import Scores
from wirsung.evaluation.statistics import Comparison, Summary, compare, holm, summarise
from wirsung.evaluation.subgroups import SubgroupFindings, subgroup_findings, with_holm
from wirsung.evaluation.volumes import VolumeFindings, volume_findings


@dataclass(frozen=True)
class MethodFindings:
    """What one method scored."""

    name: str
    structures: dict[str, dict[str, Summary]]
    """Structure to metric to summary."""
    detection: Detection | None
    """None where the lesion is not scored."""
    operating_points: tuple[OperatingPoint, ...] = ()
    """Of detection by case, as the protocol names them."""
    lesions: LesionDetection | None = None
    """Detection by lesion; None where the lesion is not scored."""


@dataclass(frozen=True)
class PairFindings:
    """One method against the first, for one structure and metric."""

    structure: str
    metric: str
    first: str
    second: str
    comparison: Comparison
    p_holm: float = math.nan
    """The Wilcoxon p, adjusted after Holm over this metric's structures."""


@dataclass(frozen=True)
class Findings:
    """All that the scores say."""

    methods: tuple[MethodFindings, ...]
    comparisons: tuple[PairFindings, ...]
    volumes: tuple[VolumeFindings, ...] = ()
    """Agreement of volumes, where the protocol measures them."""
    subgroups: tuple[SubgroupFindings, ...] = ()
    """The headline metrics of every structure, by each column asked for."""
    aucs: tuple[AucPair, ...] = ()
    """Each further method's AUC by case against the first's."""


def find(
    scores: Scores,
    methods: Sequence[str],
    protocol: Protocol,
    *,
    cohort: Cohort,
    seed: int,
    by_probability: bool,
) -> Findings:
    """Summarise every structure and metric, detect, and compare each further method with the first.

    Args:
        scores: The rows.
        methods: Their names, the first one first.
        protocol: How they were scored.
        cohort: The cases' patients and subgroups.
        seed: Of every bootstrap.
        by_probability: Rank cases by their lesion probability where every case has one, else by volume.
    """
    ranked = ((method, rank(scores, method, protocol, by_probability=by_probability)) for method in methods)
    rankings = {method: ranking for method, ranking in ranked if ranking}
    found = tuple(
        MethodFindings(
            method,
            {
                structure: {
                    metric: _summary(scores, (method, structure, metric), cohort.patients, seed)
                    for metric in protocol.metric_names
                }
                for structure in scores.structures(method)
            },
            *_detection(rankings.get(method), protocol),
            lesion_findings(scores, method, protocol, cohort, seed),
        )
        for method in methods
    )
    pairs: list[PairFindings] = []
    for second in methods[1:]:
        for metric in protocol.headline_names:
            pairs += _pairs(scores, (methods[0], second), metric, cohort.patients, seed)
    volumes = volume_findings(scores, methods)
    subgroups = _subgroups(scores, methods, protocol, cohort, seed)
    return Findings(found, tuple(pairs), volumes, subgroups, auc_pairs(methods, rankings))


def as_json(content: Any) -> Any:  # noqa: ANN401 - whatever the findings hold
    """Dataclasses as dictionaries and NaN as null, since JSON has none.

    Example:
        >>> as_json({"mean": float("nan"), "n": (1, 2)})
        {'mean': None, 'n': [1, 2]}
    """
    if is_dataclass(content) and not isinstance(content, type):
        return as_json(asdict(content))
    if isinstance(content, Mapping):
        return {str(key): as_json(value) for key, value in content.items()}
    if isinstance(content, list | tuple):
        return [as_json(value) for value in content]
    if isinstance(content, float) and not math.isfinite(content):
        return None
    return content


def _summary(scores: Scores, key: tuple[str, str, str], patients: Mapping[str, str], seed: int) -> Summary:
    rows = scores.by_case(*key)
    who = [patients.get(case, case) for case in rows]
    return summarise(
        [row.value for row in rows.values()], [row.reason for row in rows.values()], patients=who, seed=seed
    )


def _subgroups(
    scores: Scores, methods: Sequence[str], protocol: Protocol, cohort: Cohort, seed: int
) -> tuple[SubgroupFindings, ...]:
    keys = [
        (method, structure, metric)
        for method in methods
        for structure in scores.structures(method)
        for metric in protocol.headline_names
    ]
    found = []
    for grouping in cohort.groupings:
        for key in keys:
            told = {case: (row.value, row.reason) for case, row in scores.by_case(*key).items()}
            found.append(subgroup_findings(key, grouping, told, patients=cohort.patients, seed=seed))
    return with_holm(found)


def _pairs(
    scores: Scores, methods: tuple[str, str], metric: str, patients: Mapping[str, str], seed: int
) -> list[PairFindings]:
    found = []
    for structure in scores.structures(methods[0]):
        first, second = (scores.by_case(method, structure, metric) for method in methods)
        cases = [case for case in first if case in second]
        if not cases:
            continue
        compared = compare(
            [first[case].value for case in cases],
            [second[case].value for case in cases],
            patients=[patients.get(case, case) for case in cases],
            seed=seed,
        )
        found.append(PairFindings(structure, metric, *methods, compared))
    adjusted = holm([item.comparison.p_wilcoxon for item in found])
    return [replace(item, p_holm=p) for item, p in zip(found, adjusted, strict=True)]


def _detection(
    ranking: Ranking | None, protocol: Protocol
) -> tuple[Detection | None, tuple[OperatingPoint, ...]]:
    return (ranking.detection(), ranking.points(protocol)) if ranking else (None, ())
