"""Everything that an evaluation read and found: what summary.json and report.html are made of."""

from dataclasses import dataclass
from typing import Any

from wirsung.compute.cases import Outcome
from wirsung.evaluation.inputs import Method, Reference
from wirsung.evaluation.protocol import Protocol
from wirsung.evaluation.scores import Scores
from wirsung.evaluation.summary import Findings


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

    @property
    def leading_structure(self) -> str:
        """The pancreas where it is scored, else the first structure."""
        found = self.scores.structures(self.methods[0].name)
        return "pancreas" if "pancreas" in found or not found else found[0]

    @property
    def leading_metric(self) -> str:
        """The first metric of the protocol's headline."""
        return self.protocol.headline_names[0]
