"""Leaks: scans or patients that are on two sides which must not share any, of a split or of two datasets.

Four kinds, the surest first: the same voxels; nearly the same scan; the same patient code; the same shape and
spacing, and no age, sex or centre that tells them apart. The last is a lead and no proof.
"""

from collections.abc import Callable, Hashable, Iterable, Iterator, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Literal, get_args

import pyarrow as pa

from wirsung.datasets.catalog_tables import FINGERPRINTS_FILE, profiles_of, read_fingerprints
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import ManifestRow, manifest_rows
from wirsung.datasets.near_duplicates import NEAR, NearPair, Profiles, find_near

Kind = Literal["exact", "near", "patient", "metadata"]
KINDS: tuple[Kind, ...] = get_args(Kind)
PROOFS: tuple[Kind, ...] = ("exact", "near", "patient")
"""The kinds that are a leak; the others are a lead."""

_SAME_VOXELS = "the same voxels"
_REORDERED = "the same voxels in another order: one of the headers is wrong"
_MM_DIGITS = 3
_MOST = 50
"""Of scans alike, so many are looked at for one that agrees."""


@dataclass(frozen=True)
class Scan:
    """One scan and what it may be known again by."""

    dataset: str
    """A name that tells the datasets apart."""
    row: ManifestRow
    rps_sha256: str = ""
    """Empty where it has no fingerprint."""
    values_sha256: str = ""

    @property
    def case(self) -> str:
        """The id of its case."""
        return self.row.case


_Agree = Callable[[Scan, Scan], bool]


@dataclass(frozen=True)
class Leak:
    """Two scans on two sides that are one, or of one patient."""

    kind: Kind
    one: Scan
    other: Scan
    detail: str
    """For people."""
    unlikeness: float | None = None
    """Of a near duplicate, see `near_duplicates.NearPair`."""
    shift_mm: float | None = None
    """Of a near duplicate: how much farther down `one` begins."""


@dataclass(frozen=True, eq=False)
class Scans:
    """The scans of one dataset or several, with their profiles in the same order."""

    scans: tuple[Scan, ...]
    profiles: Profiles
    without: tuple[str, ...] = field(default=())
    """Cases that have no fingerprint, so that only their codes and metadata are compared."""

    @classmethod
    def of(cls, dataset: Dataset, name: str = "") -> "Scans":
        """All cases of a dataset.

        Raises:
            ManifestError: It has no fingerprints, or a table is damaged.
        """
        return _scans(dataset, name or dataset.name)

    @classmethod
    def joined(cls, parts: Sequence["Scans"]) -> "Scans":
        """The scans of all parts, in their order."""
        return cls(
            tuple(scan for part in parts for scan in part.scans),
            Profiles.joined([part.profiles for part in parts]),
            tuple(case for part in parts for case in part.without),
        )


def _always(one: Scan, other: Scan) -> bool:
    return True


def has_fingerprints(root: Path) -> bool:
    """Whether scans of the dataset in `root` can be known again."""
    return (root / FINGERPRINTS_FILE).is_file()


def find_leaks(found: Scans, sides: Sequence[Hashable], *, threshold: float = NEAR) -> list[Leak]:
    """Every two scans on two sides that are one, or of one patient; each pair once, by its surest kind.

    Of many scans that are all alike, each is named with the first of the other side and not with all. A scan
    with a proof gives no lead.

    Args:
        found: The scans.
        sides: By scan, its side.
        threshold: See `near_duplicates.NEAR`.
    """
    scans = found.scans
    leaks: dict[tuple[int, int], Leak] = {}

    def add(kind: Kind, pairs: Iterable[tuple[int, int]], detail: str) -> None:
        for one, other in pairs:
            leaks.setdefault((one, other), Leak(kind, scans[one], scans[other], detail))

    def alike(key: Callable[[Scan], Hashable], agree: _Agree = _always) -> Iterator[tuple[int, int]]:
        return _across(scans, sides, key, agree)

    add("exact", alike(lambda scan: scan.rps_sha256 or None), _SAME_VOXELS)
    add("exact", alike(lambda scan: scan.values_sha256 or None), _REORDERED)
    for pair in find_near(found.profiles, threshold=threshold):
        if sides[pair.one] != sides[pair.other]:
            leaks.setdefault((pair.one, pair.other), _near(scans, pair, threshold))
    add("patient", alike(_patient), "the same patient code")
    proven = {place for pair in leaks for place in pair}
    leads = (pair for pair in alike(_geometry, _agree) if not proven.intersection(pair))
    add("metadata", leads, "the same shape and spacing, and nothing else tells them apart")
    return sorted(leaks.values(), key=lambda leak: (KINDS.index(leak.kind), leak.one.case, leak.other.case))


def same_scans(found: Scans, *, threshold: float = NEAR) -> list[Leak]:
    """Every scan that is one with another, exactly or nearly, wherever it is; enough pairs to join them."""
    scans, pairs = found.scans, []
    for detail, key in ((_SAME_VOXELS, "rps_sha256"), (_REORDERED, "values_sha256")):
        firsts: dict[str, Scan] = {}
        for scan in scans:
            mark = getattr(scan, key)
            first = firsts.setdefault(mark, scan) if mark else scan
            if first is not scan:
                pairs.append(Leak("exact", first, scan, detail))
    near = find_near(found.profiles, threshold=threshold)
    return [*pairs, *(_near(scans, pair, threshold) for pair in near)]


def leaks_table(leaks: Sequence[Leak]) -> pa.Table:
    """A row a leak."""
    rows = [
        {
            "kind": leak.kind,
            "dataset": leak.one.dataset,
            "case": leak.one.case,
            "other_dataset": leak.other.dataset,
            "other_case": leak.other.case,
            "unlikeness": leak.unlikeness,
            "shift_mm": leak.shift_mm,
            "detail": leak.detail,
        }
        for leak in leaks
    ]
    texts = ("kind", "dataset", "case", "other_dataset", "other_case")
    schema = pa.schema(
        [
            *((name, pa.string()) for name in texts),
            ("unlikeness", pa.float64()),
            ("shift_mm", pa.float64()),
            ("detail", pa.string()),
        ]
    )
    return pa.Table.from_pylist(rows, schema=schema)


def _scans(dataset: Dataset, name: str) -> Scans:
    table = read_fingerprints(dataset.root)
    places = {case: place for place, case in enumerate(table["case"].to_pylist())}
    rows = manifest_rows(dataset)
    known = [row for row in rows if row.case in places]
    table = table.take(pa.array([places[row.case] for row in known], pa.int64()))
    marks = zip(known, table["rps_sha256"].to_pylist(), table["values_sha256"].to_pylist(), strict=True)
    unknown = [row for row in rows if row.case not in places]
    scans = [Scan(name, row, rps or "", values or "") for row, rps, values in marks]
    profiles = Profiles.joined([profiles_of(table), Profiles.empty(len(unknown))])
    return Scans(
        (*scans, *(Scan(name, row) for row in unknown)), profiles, tuple(row.case for row in unknown)
    )


def _near(scans: Sequence[Scan], pair: NearPair, threshold: float) -> Leak:
    detail = f"nearly the same scan, unlikeness {pair.unlikeness:.3f} of at most {threshold:g}"
    return Leak("near", scans[pair.one], scans[pair.other], detail, pair.unlikeness, pair.shift_mm)


def _across(
    scans: Sequence[Scan], sides: Sequence[Hashable], key: Callable[[Scan], Hashable], agree: _Agree
) -> Iterator[tuple[int, int]]:
    """Pairs on two sides with the same key that agree: each scan with the first of each other side."""
    groups: dict[Hashable, list[int]] = {}
    for place, scan in enumerate(scans):
        value = key(scan)
        if value is not None:
            groups.setdefault(value, []).append(place)
    for group in groups.values():
        by_side: dict[Hashable, list[int]] = {}
        for place in group:
            by_side.setdefault(sides[place], []).append(place)
        pairs = {
            (min(place, first), max(place, first))
            for place in group
            for side, own in by_side.items()
            if side != sides[place]
            and (first := next((item for item in own[:_MOST] if agree(scans[item], scans[place])), -1)) >= 0
        }
        yield from sorted(pairs)


def _patient(scan: Scan) -> Hashable:
    """The code of the patient, where it is more than the name of the case."""
    return scan.row.patient if scan.row.patient != scan.row.case else None


def _geometry(scan: Scan) -> Hashable:
    """Voxels and their distance along each axis, in whatever order the axes are."""
    row = scan.row
    axes = (
        (row.shape_i, row.spacing_i_mm),
        (row.shape_j, row.spacing_j_mm),
        (row.shape_k, row.spacing_k_mm),
    )
    known = [(side, round(step, _MM_DIGITS)) for side, step in axes if side is not None and step is not None]
    return tuple(sorted(known)) if len(known) == len(axes) else None


def _agree(one: Scan, other: Scan) -> bool:
    """Within a dataset the same age, sex and centre; of two datasets no age and no sex that differs."""
    same = ("age_years", "sex", "centre") if one.dataset == other.dataset else ("age_years", "sex")
    pairs = [(getattr(one.row, name), getattr(other.row, name)) for name in same]
    if one.dataset == other.dataset:
        return all(first == second for first, second in pairs)
    return all(first == second or None in (first, second) for first, second in pairs)
