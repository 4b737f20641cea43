"""A finding: one rule that one case breaks."""

from dataclasses import dataclass

from wirsung.anatomy.standard import Severity, rule


@dataclass(frozen=True)
class Finding:
    """One thing wrong with one case."""

    rule: str
    """Which of `anatomy.standard`, one word for programs."""
    severity: Severity
    """An error makes the case fail; a warning deserves a look; a note is good to know."""
    case: str
    file: str
    """Relative to the case's folder, or the dataset's table."""
    sentence: str
    """What was found, for people."""
    structure: str = ""
    """Empty where it is about the image or the case."""
    value: float | None = None
    """What was measured, in `unit`."""
    threshold: float | None = None
    """What it was held against, in `unit`."""
    unit: str = ""
    picture: str = ""
    """The anchor of its picture in check.html; empty where there is none."""
    shown: tuple[str, ...] = ()
    """Structures that a picture of it shows, the first one filled where there is no image."""


class Findings(list[Finding]):
    """The findings of one case, as they are made."""

    def __init__(self, case: str) -> None:
        super().__init__()
        self.case = case

    def add(self, rule_id: str, file: str, sentence: str, **more: object) -> None:
        """Add what breaks a rule; severity, threshold and unit are the rule's unless `more` says them."""
        broken = rule(rule_id)
        fields = {
            "severity": broken.severity,
            "threshold": broken.threshold,
            "unit": broken.unit,
            **more,
        }
        self.append(Finding(rule_id, case=self.case, file=file, sentence=sentence, **fields))  # type: ignore[arg-type]
