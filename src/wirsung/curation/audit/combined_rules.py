"""The combined label map against the masks: which map and which order of painting it follows."""

from collections.abc import Mapping
from dataclasses import dataclass

import numpy as np

from wirsung.anatomy.schemes import scheme
from wirsung.curation.combined import alphabetical_values
from wirsung.curation.findings import Findings
from wirsung.datasets.layout import COMBINED_FILE
from wirsung.datasets.painting import painting_order
from wirsung.imaging.arrays import LabelMap
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.file_order import in_file_order

_LARGEST = 256
"""Values beyond are wrong under any map."""


@dataclass(frozen=True)
class Reading:
    """What the label map turned out to follow."""

    is_alphabetical: bool
    by_value: bool
    wrong: int
    """Voxels that are not what the masks say even so."""


def read_as(combined: LabelMap, codes: CodeVolume) -> Reading:
    """The map and the order of painting under which the fewest voxels are wrong, the official ones at a tie.

    Args:
        combined: On the grid of the codes.
        codes: The masks.
    """
    table = _joint(combined, codes)
    total = int(table.sum())
    official = {name: scheme("pants-28").value(name) for name in _named(codes)}
    ranks = alphabetical_values()
    alphabetical = {name: ranks[value] for name, value in official.items()}
    found = []
    for is_alphabetical, values in ((False, official), (True, alphabetical)):
        orders = painting_order(values), tuple(sorted(values, key=values.__getitem__))
        for by_value, order in enumerate(orders):
            painted = _painted(codes, {name: values[name] for name in order})
            right = int(table[np.arange(len(painted)), painted].sum())
            found.append(Reading(is_alphabetical, bool(by_value), total - right))
    return min(found, key=lambda item: item.wrong)


def judge_combined(combined: LabelMap, codes: CodeVolume, found: Findings, *, is_release: bool) -> None:
    """Add what is wrong with the label map.

    Args:
        combined: On the grid of the codes.
        codes: The masks.
        found: Is added to.
        is_release: Of PanTS, where both the map and the order are unsettled: worth a look, no error.
    """
    read = read_as(combined, codes)
    more: dict[str, object] = {"severity": "warning"} if is_release else {}
    if read.is_alphabetical:
        why = "its values follow the alphabetical map: 22 is the lesion."
        found.add("combined_alphabetical", COMBINED_FILE, why, **more)
    if read.by_value:
        why = "it is painted by value, so that structures cover those that they contain or touch."
        found.add("combined_by_value", COMBINED_FILE, why, **more)
    if read.wrong:
        why = f"{read.wrong} voxels are not what the masks say, outer ones first."
        found.add("combined_differs", COMBINED_FILE, why, value=read.wrong, **more)


def _named(codes: CodeVolume) -> list[str]:
    official = {item.name for item in scheme("pants-28").classes}
    return [name for name in codes.structures if name in official]


def _painted(codes: CodeVolume, values: Mapping[str, int]) -> np.ndarray:
    """By code, the value on top."""
    painted = np.zeros(len(codes.patterns), dtype=np.int64)
    for name, value in values.items():
        painted[codes.members(name)] = value
    return painted


def _joint(combined: LabelMap, codes: CodeVolume) -> np.ndarray:
    """Voxels by code and value, slice by slice."""
    table = np.zeros((len(codes.patterns), _LARGEST), dtype=np.int64)
    for labels, slab in zip(in_file_order(combined), in_file_order(codes.volume.voxels), strict=True):
        place = slab.astype(np.int64) * _LARGEST + np.minimum(labels, _LARGEST - 1)
        table += np.bincount(place.ravel(), minlength=table.size).reshape(table.shape)
    return table
