"""From the rows of scores to detection: by case, by lesion, and one method's AUC against another's."""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from wirsung.evaluation.case import LESION
from wirsung.evaluation.case_score import VOLUME, metric_of, words_of
from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.delong import AucComparison, compare_aucs
from wirsung.evaluation.detection import Detection, DetectionCase, detect
from wirsung.evaluation.froc import LesionDetection, lesion_detection
from wirsung.evaluation.operating_points import OperatingPoint, operating_point
from wirsung.evaluation.protocol import Protocol
from wirsung.evaluation.scores import Scores


@dataclass(frozen=True)
class Ranking:
    """The cases of one method, each with what ranks it."""

    scored_by: str
    """The case score, by name."""
    cases: tuple[DetectionCase, ...]
    left_out: dict[str, int]
    """Cases that could not be scored, by reason."""

    def detection(self) -> Detection:
        """How well cases with a lesion are told from those without."""
        return detect(self.cases, words_of(self.scored_by), self.left_out)

    def points(self, protocol: Protocol) -> tuple[OperatingPoint, ...]:
        """The operating points that the protocol names; a fixed threshold is one of its own case score."""
        positive = [item.positive for item in self.cases]
        scores = [item.score for item in self.cases]
        names = [
            name
            for name in protocol.operating_points
            if self.scored_by == protocol.case_score or not name.startswith("threshold")
        ]
        return tuple(operating_point(name, positive, scores) for name in names)


@dataclass(frozen=True)
class AucPair:
    """Two methods' AUC by case, on the cases that both scored."""

    first: str
    second: str
    scored_by: str
    """What ranks the cases of both."""
    cases: int
    comparison: AucComparison


def rank(scores: Scores, method: str, protocol: Protocol, *, by_probability: bool = True) -> Ranking | None:
    """The cases of a method with what ranks them; None where the lesion is not scored.

    Probabilities and volumes can't be mixed: where one case lacks a probability, volumes rank all.

    Args:
        scores: The rows.
        method: Whose.
        protocol: Which case score.
        by_probability: Off, volumes rank whatever the protocol says.
    """
    predicted = scores.by_case(method, LESION, "volume_ml")
    references = scores.by_case(method, LESION, "reference_volume_ml")
    if not predicted:
        return None
    metric = metric_of(protocol.case_score) if by_probability else None
    probabilities = scores.by_case(method, LESION, metric) if metric else {}
    defined = [case for case, row in predicted.items() if row.reason is None]
    left_out = Counter(row.reason for row in predicted.values() if row.reason is not None)
    use_probability = bool(defined) and all(case in probabilities for case in defined)
    ranked_by = probabilities if use_probability else predicted
    return Ranking(
        protocol.case_score if use_probability else VOLUME,
        tuple(
            DetectionCase(case, references[case].value > 0, predicted[case].value > 0, ranked_by[case].value)
            for case in defined
        ),
        dict(sorted(left_out.items())),
    )


def auc_pairs(methods: Sequence[str], rankings: Mapping[str, Ranking]) -> tuple[AucPair, ...]:
    """Each further method against the first, where the same kind of score ranks the cases of both."""
    found = []
    for second in methods[1:]:
        pair = [rankings[name] for name in (methods[0], second) if name in rankings]
        if len(pair) < 2 or pair[0].scored_by != pair[1].scored_by:
            continue
        one, other = ({item.case: item for item in ranking.cases} for ranking in pair)
        shared = [case for case in one if case in other]
        compared = compare_aucs(
            [one[case].positive for case in shared],
            [one[case].score for case in shared],
            [other[case].score for case in shared],
        )
        found.append(AucPair(methods[0], second, pair[0].scored_by, len(shared), compared))
    return tuple(found)


def lesion_findings(
    scores: Scores, method: str, protocol: Protocol, cohort: Cohort, seed: int
) -> LesionDetection | None:
    """Detection by lesion of one method; None where the lesion is not scored."""
    by_case = scores.lesions.get(method, {})
    if not by_case:
        return None
    patients = [cohort.patients.get(case, case) for case in by_case]
    return lesion_detection(list(by_case.values()), min_iou=protocol.lesion_iou, patients=patients, seed=seed)
