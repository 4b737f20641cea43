"""Strata: patients who are alike in what a split should keep in proportion, and an order that mixes them."""

import hashlib
from collections.abc import Mapping, Sequence

from wirsung.datasets.manifest import ManifestRow
from wirsung.errors import ConfigError, near_names

COLUMNS = ("tumour", "phase", "centre", "modality", "manufacturer", "sex")
"""The manifest's columns that a split can keep in proportion."""


def strata(rows: Sequence[ManifestRow], columns: Sequence[str]) -> dict[str, tuple[str, ...]]:
    """Patient to stratum: one value a column.

    A patient with several scans counts as one with a tumour where any scan has one, and of every modality
    that a scan has; of other columns the scan whose case comes first by name tells.

    Raises:
        ConfigError: No such column.

    Example:
        >>> rows = [ManifestRow("a", "p", phase="venous", tumour=False), ManifestRow("b", "p", tumour=True)]
        >>> strata(rows, ["tumour", "phase"])
        {'p': ('0 yes', 'venous')}
    """
    for name in columns:
        if name not in COLUMNS:
            msg = f"A split can't keep {name!r} in proportion. {near_names(name, COLUMNS)}"
            raise ConfigError(msg)
    scans: dict[str, list[ManifestRow]] = {}
    for row in sorted(rows, key=lambda row: row.case):
        scans.setdefault(row.patient, []).append(row)
    return {patient: tuple(_value(own, name) for name in columns) for patient, own in scans.items()}


def dealing_order(stratum_of: Mapping[str, tuple[str, ...]], seed: int) -> list[str]:
    """The patients stratum by stratum, within one by a hash of seed and name; to be dealt out one by one."""
    return sorted(stratum_of, key=lambda patient: (stratum_of[patient], hash_of(seed, patient)))


def mixed_order(stratum_of: Mapping[str, tuple[str, ...]], seed: int) -> list[str]:
    """The patients so that any first part of them holds every stratum in proportion, to within one patient.

    Example:
        >>> stratum_of = {name: ("yes" if name in "ab" else "no",) for name in "abcdef"}
        >>> [stratum_of[patient][0] for patient in mixed_order(stratum_of, 0)]
        ['no', 'yes', 'no', 'no', 'yes', 'no']
    """
    members: dict[tuple[str, ...], list[str]] = {}
    for patient in dealing_order(stratum_of, seed):
        members.setdefault(stratum_of[patient], []).append(patient)
    placed = [
        ((index + 0.5) / len(own), stratum, patient)
        for stratum, own in members.items()
        for index, patient in enumerate(own)
    ]
    return [patient for _, _, patient in sorted(placed)]


def hash_of(seed: int, patient: str) -> str:
    """A hash rather than a random number: the same on every machine and version, for ever."""
    return hashlib.sha256(f"{seed}\0{patient}".encode()).hexdigest()


def _value(scans: Sequence[ManifestRow], column: str) -> str:
    if column == "tumour":
        flags = [row.tumour for row in scans]
        return "0 yes" if True in flags else "2 unknown" if None in flags else "1 no"
    if column == "modality":
        return "+".join(sorted({row.modality for row in scans}))
    value = getattr(scans[0], column)
    return "" if value is None else str(value)
