"""How a rule is written: a function from a case's facts to what breaks it, registered under the rule's id."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

from wirsung.anatomy.standard import Severity, rule
from wirsung.curation.audit.facts import Facts
from wirsung.curation.findings import Findings
from wirsung.datasets.layout import MASK_FOLDER, SUFFIX


@dataclass(frozen=True)
class Breach:
    """One way in which a case breaks a rule."""

    sentence: str
    structure: str = ""
    value: float | None = None
    threshold: float | None = None
    """Where it depends on the structure; else the rule's own holds."""
    shown: tuple[str, ...] = ()
    """Further structures for the picture."""
    file: str = ""
    """The structure's mask by default."""
    severity: Severity | None = None
    """Where it is not the rule's own."""


Judge = Callable[[Facts], Iterator[Breach]]

_JUDGES: dict[str, tuple[Judge, bool]] = {}


def judges(rule_id: str, *, needs_body: bool = True) -> Callable[[Judge], Judge]:
    """Register the function that checks a rule.

    Args:
        rule_id: Of `anatomy.standard`.
        needs_body: Whether the rule means nothing in an image too small for a body's section.
    """
    rule(rule_id)

    def register(function: Judge) -> Judge:
        _JUDGES[rule_id] = function, needs_body
        return function

    return register


def judged_rules() -> tuple[str, ...]:
    """The rules that have a function, in the order of registration."""
    return tuple(_JUDGES)


def judge(facts: Facts, image_file: str, found: Findings) -> None:
    """Apply every registered rule and add what is found."""
    for rule_id, (function, needs_body) in _JUDGES.items():
        if needs_body and not facts.shows_body:
            continue
        for breach in function(facts):
            file = breach.file or (mask_file(breach.structure) if breach.structure else image_file)
            more: dict[str, object] = {"structure": breach.structure, "value": breach.value}
            if breach.threshold is not None:
                more["threshold"] = breach.threshold
            if breach.severity is not None:
                more["severity"] = breach.severity
            own = (breach.structure,) if breach.structure else ()
            more["shown"] = (*own, *(name for name in breach.shown if name not in own))
            found.add(rule_id, file, breach.sentence, **more)


def mask_file(structure: str) -> str:
    """Where a structure's mask lies, relative to the case.

    Example:
        >>> mask_file("liver")
        'segmentations/liver.nii.gz'
    """
    return f"{MASK_FOLDER}/{structure}{SUFFIX}"
