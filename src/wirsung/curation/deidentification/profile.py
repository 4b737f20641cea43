"""The basic profile of DICOM PS3.15 Annex E: what to do with each attribute, by the standard's own codes.

The table lies in `basic_profile.csv`. Nothing here removes anything: the release is built from a list (see
`released`), and the table is what that list is held against.

Source:
    DICOM PS3.15 2026c, Table E.1-1, as transcribed in the package dicom-anonymizer 2.1.0. The column of
    options is filled for what we release, and only there.
"""

import csv
from collections.abc import Mapping
from dataclasses import dataclass, field
from functools import cache
from importlib.resources import files

ACTIONS: Mapping[str, str] = {
    "D": "replace with a value of non-zero length that may be a dummy",
    "Z": "replace with nothing, or with a dummy",
    "X": "remove",
    "K": "keep; clean a sequence",
    "C": "clean: replace with a value of similar meaning that is known not to identify",
    "U": "replace with a UID that is the same throughout the set",
    "Z/D": "Z, unless D is needed for a valid object",
    "X/Z": "X, unless Z is needed for a valid object",
    "X/D": "X, unless D is needed for a valid object",
    "X/Z/D": "X, unless Z or D is needed for a valid object",
    "X/Z/U*": "X, unless Z, or replacing the UIDs inside, is needed for a valid object",
}
"""Table E.1-1a: what a code of the table means."""

BASIC = "113100"
METHODS: Mapping[str, str] = {
    BASIC: "Basic Application Confidentiality Profile",
    "113105": "Clean Descriptors Option",
    "113107": "Retain Longitudinal Temporal Information Modified Dates Option",
    "113108": "Retain Patient Characteristics Option",
}
"""The profile and the options that the release follows: codes of the scheme DCM, PS3.16 CID 7050."""

_TABLE = "basic_profile.csv"


@dataclass(frozen=True)
class Rule:
    """One row of the table."""

    keyword: str
    action: str
    """A key of ACTIONS."""
    options: Mapping[str, str] = field(default_factory=dict)
    """Option to the action that it asks for in place of the basic profile's."""

    def action_under(self, methods: Mapping[str, str]) -> str:
        """The action where those options are chosen; the first option of the row that is chosen wins."""
        return next((action for code, action in self.options.items() if code in methods), self.action)


@cache
def basic_profile() -> dict[str, Rule]:
    """The rules by tag, such as `0010,0010`; x stands for any hex digit.

    Example:
        >>> basic_profile()["0010,0040"].action
        'Z'
    """
    text = files("wirsung.curation.deidentification").joinpath(_TABLE).read_text(encoding="utf-8")
    return {row["tag"]: _rule(row) for row in csv.DictReader(text.splitlines(), strict=True)}


def rule_for(tag: int) -> Rule | None:
    """What the profile says of a tag; None where the table does not name it.

    Args:
        tag: Group and element as one number, such as 0x00100010.

    Example:
        >>> rule_for(0x00100010).keyword, rule_for(0x60023000).keyword, rule_for(0x00091001).action
        ('PatientName', 'OverlayData', 'X')
        >>> rule_for(0x00180060) is None  # KVP
        True
    """
    group, element = tag >> 16, tag & 0xFFFF
    table = basic_profile()
    if group % 2:
        return table["odd,xxxx"]
    names = (f"{group:04x},{element:04x}", f"{group >> 8:02x}xx,{element:04x}", f"{group >> 8:02x}xx,xxxx")
    return next((table[name] for name in names if name in table), None)


def _rule(row: Mapping[str, str]) -> Rule:
    options = dict(pair.split(":") for pair in row["options"].split())
    return Rule(row["keyword"], row["action"], options)
