"""Cases whose volume, HU or spacing is far from those of the others, by the robust z-score.

Volumes and spacings are compared as logarithms, since they vary by factors. HU are compared within a contrast
phase where ten cases share it. Images of another modality are never compared with CT. A spacing or an age
that a hundredth of the cases share is no outlier, however far it lies: it is how a centre works.
"""

import math
from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wirsung.datasets.contents import Contents
from wirsung.datasets.tables.summaries import Numbers

FEWEST_CASES = 10
"""Of fewer, nobody can say what is usual."""

_COMMON, _FEWEST_OF_COMMON = 0.01, 5
_TO_SD = 0.6744897501960817  # the upper quartile of the normal distribution
_TO_SD_BY_MEAN = math.sqrt(math.pi / 2)
_OF_CASES = {
    "in_plane_spacing_mm": ("in-plane spacing", "mm"),
    "slice_thickness_mm": ("slice thickness", "mm"),
    "age_years": ("age", "years"),
}
_OF_STRUCTURES = {"volume_ml": ("volume", "ml"), "hu_mean": ("mean", "HU")}
_CT = "ct"
_AS_LOGARITHM = {"volume_ml", "in_plane_spacing_mm", "slice_thickness_mm"}
_WITHIN_PHASE = {"hu_mean"}


@dataclass(frozen=True)
class Outlier:
    """One value that is far from the others."""

    case: str
    structure: str
    """Empty where the value is of the whole case."""
    quantity: str
    value: float
    unit: str
    median: float
    """Of the cases it was compared with."""
    robust_z: float
    """Signed; of the logarithm where the quantity varies by factors."""
    compared: str
    """With which cases, such as `411 cases in the venous phase`."""

    @property
    def reason(self) -> str:
        """Why it is here, in words."""
        of = f"{self.structure.replace('_', ' ')}: " if self.structure else ""
        side = "above" if self.robust_z > 0 else "below"
        score = f"{self.robust_z:+.1f}".replace("-", "−")
        return (
            f"{of}{self.quantity} {_told(self.value)} {self.unit} is far {side} the median of "
            f"{_told(self.median)} {self.unit} of {self.compared} (robust z {score})"
        )


def find_outliers(contents: Contents, threshold: float = 3.5) -> tuple[Outlier, ...]:
    """All outliers of a dataset, the farthest first.

    Args:
        contents: Of the dataset.
        threshold: Smallest absolute robust z-score of an outlier.

    Source:
        Iglewicz and Hoaglin, How to Detect and Handle Outliers, 1993: the modified z-score and its 3.5.
    """
    found = [*_of_cases(contents, threshold), *_of_structures(contents, threshold)]
    return tuple(sorted(found, key=lambda item: (-abs(item.robust_z), item.case, item.structure)))


def robust_z(values: Numbers) -> Numbers:
    """The distance of each value from the median, in robust standard deviations; NaN where nothing varies.

    The scale is the median absolute deviation; where more than half of the values are equal, the mean one.

    Example:
        >>> robust_z(np.array([1.0, 2.0, 3.0, 4.0, 13.0])).round(2).tolist()
        [-1.35, -0.67, 0.0, 0.67, 6.74]
    """
    known = values[~np.isnan(values)]
    if not known.size:
        return np.full(values.shape, np.nan)
    median = np.median(known)
    apart = np.abs(known - median)
    scale = float(np.median(apart)) / _TO_SD
    if scale == 0:
        scale = float(apart.mean()) * _TO_SD_BY_MEAN
    return (values - median) / scale if scale > 0 else np.full(values.shape, np.nan)


def _of_cases(contents: Contents, threshold: float) -> Iterator[Outlier]:
    numbers = contents.cohort().numbers
    cases = contents.manifest["case"].to_pylist()
    for column, (quantity, unit) in _OF_CASES.items():
        if column in numbers:
            values = numbers[column]
            groups = _by_modality(contents, np.arange(len(cases)))
            yield from _found(_Values(cases, "", quantity, unit, values), groups, column, threshold)


def _of_structures(contents: Contents, threshold: float) -> Iterator[Outlier]:
    table = contents.structures
    if table is None:
        return
    place = _places(contents.manifest["case"], table["case"])
    names = table["structure"].to_pylist()
    for structure in dict.fromkeys(names):
        rows = np.flatnonzero(np.asarray(pc.equal(table["structure"], structure)) & (place >= 0))
        of_it = table.take(pa.array(rows))
        cases = of_it["case"].to_pylist()
        for column, (quantity, unit) in _OF_STRUCTURES.items():
            values = np.asarray(of_it[column].cast(pa.float64()).to_numpy(), dtype=np.float64)
            groups = _by_modality(contents, place[rows], by_phase=column in _WITHIN_PHASE)
            yield from _found(_Values(cases, structure, quantity, unit, values), groups, column, threshold)


@dataclass(frozen=True)
class _Values:
    """One quantity, a value a case."""

    cases: Sequence[str]
    structure: str
    quantity: str
    unit: str
    values: Numbers


@dataclass(frozen=True)
class _Group:
    """Cases that are compared with each other."""

    told: str
    """With a place for their number."""
    rows: NDArray[np.intp]
    is_ct: bool


def _found(told: _Values, groups: Iterable[_Group], column: str, threshold: float) -> Iterator[Outlier]:
    is_log = column in _AS_LOGARITHM
    for group in groups:
        rows, values = group.rows, told.values[group.rows]
        values = np.where(values > 0, values, np.nan) if is_log else values
        known = int((~np.isnan(values)).sum())
        if known < FEWEST_CASES:
            continue
        scores = robust_z(np.log(values) if is_log else values)
        median = float(np.nanmedian(values))
        far = np.abs(scores) >= threshold
        for index in np.flatnonzero(far & ~_is_common(values)):
            yield Outlier(
                told.cases[rows[index]],
                told.structure,
                told.quantity,
                float(values[index]),
                told.unit if group.is_ct or told.unit != "HU" else "(arbitrary units)",
                median,
                float(scores[index]),
                group.told.format(count=known),
            )


def _is_common(values: Numbers) -> NDArray[np.bool_]:
    """Whether so many cases have the very same value that it is a habit of a centre and no outlier."""
    _, where, times = np.unique(values, return_inverse=True, return_counts=True)
    enough = max(_FEWEST_OF_COMMON, _COMMON * values.size)
    return np.asarray(times[where] >= enough)


def _by_modality(contents: Contents, places: NDArray[np.intp], by_phase: bool = False) -> Iterator[_Group]:
    """The groups of cases within which values are compared."""
    manifest = contents.manifest.select(["modality", "phase"]).take(pa.array(places))
    modality = np.array(manifest["modality"].to_pylist(), dtype=object)
    phase = np.array(manifest["phase"].to_pylist(), dtype=object)
    kinds = list(dict.fromkeys(modality.tolist()))
    for kind in kinds:
        rest = modality == kind
        for name in dict.fromkeys(phase[rest].tolist()) if by_phase else ():
            same = (modality == kind) & (phase == name)
            if name is not None and same.sum() >= FEWEST_CASES:
                yield _Group(f"{{count:,}} cases in the {name} phase", np.flatnonzero(same), kind == _CT)
                rest = rest & ~same
        named = f"{{count:,}} {str(kind).upper()} cases" if len(kinds) > 1 else "{count:,} cases"
        yield _Group(named, np.flatnonzero(rest), kind == _CT)


def _places(cases: pa.ChunkedArray, wanted: pa.ChunkedArray) -> NDArray[np.intp]:
    """The row of each wanted case; -1 where it has none."""
    found: Any = pc.fill_null(pc.index_in(wanted, value_set=cases.combine_chunks()), -1)
    return np.asarray(found).astype(np.intp)


def _told(value: float) -> str:
    """Three digits, or as many as the whole part has."""
    size = abs(value)
    text = f"{value:,.0f}" if size >= 100 or value == int(value) else f"{value:.{1 if size >= 10 else 2}f}"
    return text.replace("-", "−")
