"""Everything that a comparison read and found: what comparison.json and compare.html are made of."""

from collections.abc import Mapping
from dataclasses import dataclass

from wirsung.evaluation.compare_detection import ComparedAucs
from wirsung.evaluation.compare_inputs import ScoredMethod
from wirsung.evaluation.compare_pairs import ComparedPair, Rules
from wirsung.evaluation.statistics import Summary


@dataclass(frozen=True)
class Compared:
    """Everything that a comparison read and found."""

    methods: tuple[ScoredMethod, ...]
    structures: tuple[str, ...]
    """The leading one first."""
    metrics: tuple[str, ...]
    summaries: Mapping[str, Mapping[str, Mapping[str, Summary]]]
    """Method to structure to metric."""
    pairs: tuple[ComparedPair, ...]
    rules: Rules
    shared_cases: int
    """Cases that every method was scored on."""
    aucs: tuple[ComparedAucs, ...] = ()
    """Of the lesion by case; empty where it was not scored."""
