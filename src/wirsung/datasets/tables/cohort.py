"""A cohort as columns, one value a case, ready for a table."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
import pyarrow as pa
import pyarrow.compute as pc
from numpy.typing import NDArray

from wirsung.datasets.tables.summaries import Numbers

Words = Sequence[str | None]

_LESION, _PANCREAS = "pancreatic_lesion", "pancreas"
_ML_MM3 = 1000.0
_SAME = 0.01


@dataclass(frozen=True)
class Cohort:
    """Cases under one name."""

    name: str
    cases: int
    numbers: Mapping[str, Numbers]
    """Column to a value a case; a column that nobody measured is not there."""
    words: Mapping[str, Words]


def cohort(name: str, manifest: pa.Table, structures: pa.Table | None = None) -> Cohort:
    """The columns that a table of cohorts tells, from a dataset's manifest and its measured masks.

    In-plane spacing and slice thickness are told from the three spacings, see `slice_axis`. Volume and HU of
    the tumour are those of all lesions of a case together; both are missing where there is none. An image
    that is no CT has no HU.

    Args:
        name: What the table calls the cohort.
        manifest: As `read_manifest` gives it; a column `dilated_duct` (bool) is told where it is there.
        structures: As `read_structures` gives it.
    """
    spacing = np.stack([_floats(manifest[f"spacing_{axis}_mm"]) for axis in "ijk"], axis=1)
    axis = slice_axis(spacing)
    rows = np.arange(len(axis))
    numbers = {
        "age_years": _floats(manifest["age_years"]),
        "in_plane_spacing_mm": spacing[rows, (axis + 1) % 3],
        "slice_thickness_mm": spacing[rows, axis],
    }
    words: dict[str, Words] = {
        "sex": manifest["sex"].to_pylist(),
        "phase": manifest["phase"].to_pylist(),
        "tumour": _yes_or_no(manifest["tumour"]),
    }
    if "dilated_duct" in manifest.column_names:
        words["dilated_duct"] = _yes_or_no(manifest["dilated_duct"])
    if structures is not None:
        is_ct = np.asarray(pc.equal(manifest["modality"], "ct"), dtype=np.bool_)
        numbers |= _measured(manifest["case"], structures, is_ct)
    return Cohort(name, len(manifest), numbers, words)


def cohorts_by(whole: Cohort, levels: Words) -> tuple[Cohort, ...]:
    """The cohort in parts, one a level, the largest first; cases without a level are in none.

    Example:
        >>> whole = Cohort("all", 3, {"age_years": np.array([50.0, 60.0, 70.0])}, {})
        >>> [(part.name, part.cases) for part in cohorts_by(whole, ["test", None, "test"])]
        [('test', 2)]
    """
    of_level = np.array(levels, dtype=object)
    counts = {level: int((of_level == level).sum()) for level in dict.fromkeys(levels) if level is not None}
    ordered = sorted(counts, key=lambda level: (-counts[level], level))
    return tuple(_part(whole, level, np.flatnonzero(of_level == level)) for level in ordered)


def _part(whole: Cohort, level: str, rows: NDArray[np.intp]) -> Cohort:
    numbers = {name: values[rows] for name, values in whole.numbers.items()}
    words = {name: [values[row] for row in rows.tolist()] for name, values in whole.words.items()}
    return Cohort(level, len(rows), numbers, words)


def slice_axis(spacing_mm: NDArray[np.float64]) -> NDArray[np.int64]:
    """The axis across the slices of each case: whose spacing is unlike the two others, else the third.

    The other two must agree within 1 %. Where all three agree, or none do, it is the third axis.

    Args:
        spacing_mm: Cases x 3.

    Example:
        >>> slice_axis(np.array([[0.8, 0.8, 2.5], [5.0, 0.8, 0.8], [1.0, 1.0, 1.0], [0.7, 3.0, 0.7]]))
        array([2, 0, 2, 1])
    """
    alike = np.stack([_alike(spacing_mm[:, (a + 1) % 3], spacing_mm[:, (a + 2) % 3]) for a in range(3)], 1)
    lonely = alike.sum(axis=1) == 1
    return np.where(lonely, alike.argmax(axis=1), 2)


def _alike(one: Numbers, other: Numbers) -> NDArray[np.bool_]:
    return np.asarray(np.abs(one - other) <= _SAME * np.maximum(one, other))


def _measured(cases: pa.ChunkedArray, structures: pa.Table, is_ct: NDArray[np.bool_]) -> dict[str, Numbers]:
    lesion = _by_case(cases, structures, _LESION, ("volume_ml", "hu_mean", "components"))
    pancreas = _by_case(cases, structures, _PANCREAS, ("volume_ml", "hu_mean"))
    has_lesion = lesion["volume_ml"] > 0
    return {
        "tumours_per_positive_ct": np.where(has_lesion, lesion["components"], np.nan),
        "tumour_volume_mm3": np.where(has_lesion, lesion["volume_ml"] * _ML_MM3, np.nan),
        "tumour_hu": np.where(has_lesion & is_ct, lesion["hu_mean"], np.nan),
        "pancreas_volume_mm3": np.where(pancreas["volume_ml"] > 0, pancreas["volume_ml"] * _ML_MM3, np.nan),
        "pancreas_hu": np.where(is_ct, pancreas["hu_mean"], np.nan),
    }


def _by_case(
    cases: pa.ChunkedArray, structures: pa.Table, structure: str, columns: Sequence[str]
) -> dict[str, Numbers]:
    """A structure's measurements in the order of the cases, NaN where it has none."""
    own = structures.select(["case", *columns]).filter(pc.equal(structures["structure"], structure))
    place = pc.index_in(cases, value_set=own["case"].combine_chunks())
    return {name: _floats(own[name].take(place)) for name in columns}


def _floats(column: pa.ChunkedArray) -> Numbers:
    return np.asarray(column.cast(pa.float64()).to_numpy(), dtype=np.float64)


def _yes_or_no(column: pa.ChunkedArray) -> Words:
    return [None if value is None else "yes" if value else "no" for value in column.to_pylist()]
