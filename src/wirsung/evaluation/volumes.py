"""Do prediction and reference agree on how large a structure is? Every measure of it, side by side."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wirsung.evaluation.bland_altman import BlandAltman, bland_altman
from wirsung.evaluation.correlation import Correlation, correlation
from wirsung.evaluation.icc import Icc, icc
from wirsung.evaluation.scores import Scores

FEWEST = 3
"""Cases of which an agreement can be told."""


@dataclass(frozen=True)
class VolumeFindings:
    """One method's volumes of one structure, in ml, where reference or prediction holds the structure."""

    method: str
    structure: str
    difference: BlandAltman
    """Prediction minus reference."""
    correlation: Correlation
    agreement: Icc
    """ICC(A,1): a constant shift counts."""
    consistency: Icc
    """ICC(C,1): it does not."""


def volume_pairs(scores: Scores, method: str, structure: str) -> list[tuple[float, float]]:
    """Reference and predicted volume of each case, in ml; where both are empty they agree on nothing."""
    references = scores.by_case(method, structure, "reference_volume_ml")
    volumes = scores.by_case(method, structure, "volume_ml")
    pairs = [(references[case].value, row.value) for case, row in volumes.items() if case in references]
    return [pair for pair in pairs if all(map(math.isfinite, pair)) and max(pair) > 0]


def volume_findings(scores: Scores, methods: Sequence[str]) -> tuple[VolumeFindings, ...]:
    """Every method and structure with at least three cases; structures in the order of the scores."""
    found = []
    structures = dict.fromkeys(name for method in methods for name in scores.structures(method))
    for structure in structures:
        for method in methods:
            pairs = volume_pairs(scores, method, structure)
            if len(pairs) < FEWEST:
                continue
            reference, prediction = zip(*pairs, strict=True)
            found.append(
                VolumeFindings(
                    method,
                    structure,
                    bland_altman(reference, prediction),
                    correlation(reference, prediction),
                    icc(pairs),
                    icc(pairs, "ICC(C,1)"),
                )
            )
    return tuple(found)
