"""The annotation standard as rules, and what a human body allows; the numbers lie in `standard.toml`.

How each rule is checked lies in `curation.audit`; this module reads the data once.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from wirsung.errors import ConfigError, near_names

Severity = Literal["error", "warning", "note"]
Range = tuple[float, float]

SEVERITIES: tuple[Severity, ...] = ("error", "warning", "note")
"""The worst first."""


@dataclass(frozen=True)
class Rule:
    """One thing that must hold of a case.

    Example:
        >>> rule("lesion_tiny").threshold, rule("lesion_tiny").unit, rule("lesion_tiny").severity
        (50.0, 'voxels', 'warning')
    """

    id: str
    """One word for programs."""
    severity: Severity
    """error: the case contradicts itself; warning: look at it; note: know it."""
    what: str
    """What must hold, as a sentence."""
    source: str
    """Where the rule and its threshold come from."""
    threshold: float | None = None
    """In `unit`; None where there is nothing to measure, or where it depends on the structure."""
    unit: str = ""
    """Of value and threshold."""


@dataclass(frozen=True)
class Norm:
    """What a body allows of one structure, disease included.

    Example:
        >>> norm("pancreas").volume_ml
        (10.0, 300.0)
    """

    name: str
    """Of the structure."""
    volume_ml: Range
    """Smallest and largest."""
    hu: Range
    """Lowest and highest median HU in any contrast phase."""
    one_piece: bool
    """Whether a body has it in one piece."""
    source: str
    """Where the numbers come from."""


@dataclass(frozen=True)
class PhaseNorm:
    """How bright vessels are in one contrast phase.

    Example:
        >>> phase_norms()["non-contrast"].aorta
        (-10.0, 90.0)
    """

    name: str
    """As the manifest names the phase."""
    aorta: Range
    """Lowest and highest median HU."""
    veins: Range
    """Of portal and splenic vein: lowest and highest median HU."""


@cache
def rules() -> dict[str, Rule]:
    """Every rule by its id, in the order of the standard."""
    found = [
        Rule(**{**row, "threshold": float(row["threshold"]) if "threshold" in row else None})
        for row in _table()["rules"]
    ]
    return {item.id: item for item in found}


def rule(rule_id: str) -> Rule:
    """The rule of that id.

    Raises:
        ConfigError: No such rule; the message lists the near names.
    """
    if rule_id not in rules():
        msg = f"There is no rule named {rule_id!r}. {near_names(rule_id, rules())}"
        raise ConfigError(msg)
    return rules()[rule_id]


@cache
def norms() -> dict[str, Norm]:
    """What a body allows of each structure."""
    found = [
        Norm(**{**row, "volume_ml": _range(row["volume_ml"]), "hu": _range(row["hu"])})
        for row in _table()["structures"]
    ]
    return {item.name: item for item in found}


def norm(structure: str) -> Norm | None:
    """What a body allows of that structure; None for one that has no norm."""
    return norms().get(structure)


@cache
def phase_norms() -> dict[str, PhaseNorm]:
    """How bright vessels are in each contrast phase."""
    return {
        row["name"]: PhaseNorm(row["name"], _range(row["aorta"]), _range(row["veins"]))
        for row in _table()["phases"]
    }


def _range(pair: list[float]) -> Range:
    low, high = pair
    return float(low), float(high)


@cache
def _table() -> dict[str, list[dict[str, Any]]]:
    text = files("wirsung.anatomy").joinpath("standard.toml").read_text(encoding="utf-8")
    return tomllib.loads(text)
