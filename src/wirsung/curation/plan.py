"""The plan of a curation: how many cases, how long, how large, and what will be refused.

It stands on headers alone. What only pixels tell (damaged pixels, text in the image, labels on another grid)
is found when the cases are curated, so a few more may be refused then.
"""

import shutil
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from functools import cached_property
from pathlib import Path
from typing import Any

from wirsung.compute.progress import duration
from wirsung.curation.plan_cases import PlannedCase
from wirsung.curation.plan_rates import Kind, Rates
from wirsung.curation.verdicts import SET_ASIDE
from wirsung.curation.verdicts import Kind as VerdictKind

PAGE_FILE = "plan.html"
_KINDS: tuple[Kind, ...] = ("ct", "mr")
_SHOWN_CODES = 5


@dataclass(frozen=True)
class Sizes:
    """Bytes on the disk."""

    images: Mapping[Kind, float]
    labels: float

    @property
    def total(self) -> float:
        """Of all."""
        return sum(self.images.values()) + self.labels


@dataclass(frozen=True)
class Plan:
    """What a curation would do; written nowhere but on its page."""

    cases: Sequence[PlannedCase]
    rates: Rates
    set_aside: Mapping[str, int]
    """Files that are no slices, by code."""
    workers: int
    out: Path
    page: Path
    done: frozenset[str] = field(default_factory=frozenset)
    """Cases that are in the dataset already; they count for the verdicts, and for neither time nor size."""

    is_saved = False
    """Its settings are not those of a dataset."""

    @cached_property
    def to_make(self) -> list[PlannedCase]:
        """The cases that would be made."""
        return [item for item in self.cases if not item.is_refused and item.case not in self.done]

    @cached_property
    def seconds(self) -> float:
        """Of workers, for all that is to be made."""
        return sum(self.rates.seconds(item.extent.voxels) for item in self.to_make)

    def wall_seconds(self, workers: int) -> float:
        """From begin to end, with a core for each worker and a fast disk; at least the largest case."""
        longest = max((self.rates.seconds(item.extent.voxels) for item in self.to_make), default=0.0)
        return max(self.seconds / workers, longest)

    @cached_property
    def sizes(self) -> Sizes:
        """Of all that is to be made."""
        images = dict.fromkeys(_KINDS, 0.0)
        labels = 0.0
        for item in self.to_make:
            images[item.extent.kind] += self.rates.image_bytes(item.extent.kind, item.extent.voxels)
            labels += self.rates.label_bytes(item.extent.voxels) if item.has_labels else 0.0
        return Sizes({kind: size for kind, size in images.items() if size}, labels)

    @property
    def bytes_to_read(self) -> int:
        """Of the images in SRC."""
        return sum(item.extent.bytes for item in self.to_make)

    @cached_property
    def by_verdict(self) -> dict[VerdictKind, list[PlannedCase]]:
        """The cases, accepted, repaired and refused."""
        found: dict[VerdictKind, list[PlannedCase]] = {"accept": [], "repair": [], "quarantine": []}
        for item in self.cases:
            found[item.verdict.kind].append(item)
        return found

    @property
    def free_bytes(self) -> int:
        """On the disk where the dataset would lie."""
        place = self.out.resolve()
        return shutil.disk_usage(next(path for path in (place, *place.parents) if path.exists())).free

    @property
    def warning(self) -> str:
        """Where the disk is too small; else empty."""
        if self.sizes.total <= self.free_bytes:
            return ""
        return f"Only {megabytes(self.free_bytes)} are free at {self.out}. Choose a larger disk."

    def lines(self) -> list[str]:
        """For the terminal."""
        accepted, repaired, refused = self.by_verdict.values()
        found = [
            f"By headers alone, {_cases(len(self.cases))}: {len(accepted):,} to accept, "
            f"{len(repaired):,} to repair{_codes(repaired)}, {len(refused):,} to refuse{_codes(refused)}."
        ]
        counts = self.set_aside
        aside = [f"{what} ({counts[code]:,})" for code, what in SET_ASIDE.items() if code in counts]
        if aside:
            found.append(f"Set aside: {', '.join(aside)}.")
        if self.done:
            found.append(f"In {self.out} already, and not counted below: {_cases(len(self.done))}.")
        found += [self.told_time(), self.told_size(), self.warning]
        found.append(f"Each refusal with its reason: {self.page}")
        return [line for line in found if line]

    def told_time(self) -> str:
        """A sentence or two."""
        wall = told_duration(self.wall_seconds(self.workers))
        cores = f"{self.seconds / 3600:,.1f} core-hours, " if self.seconds >= 360 else ""
        return f"Time: {cores}{wall} with --workers {self.workers}; measured on {self.rates.seconds_from}."

    def told_size(self) -> str:
        """A sentence or two."""
        parts = [f"{megabytes(size)} {kind.upper()}" for kind, size in self.sizes.images.items()]
        parts += [f"{megabytes(self.sizes.labels)} labels"] if self.sizes.labels else []
        of = f" ({', '.join(parts)})" if parts else ""
        read = megabytes(self.bytes_to_read)
        whence = self.rates.bytes_from
        return f"Size: {megabytes(self.sizes.total)}{of}, from {read} of images; measured on {whence}."

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        codes = Counter(item.verdict.code for item in self.by_verdict["quarantine"])
        return {
            "planned": {kind: len(items) for kind, items in self.by_verdict.items()},
            "refused": dict(codes.most_common()),
            "set_aside": dict(self.set_aside),
            "done": len(self.done),
            "core_s": round(self.seconds, 1),
            "wall_s": round(self.wall_seconds(self.workers), 1),
            "workers": self.workers,
            "image_mb": {kind: round(size / 1e6, 1) for kind, size in self.sizes.images.items()},
            "label_mb": round(self.sizes.labels / 1e6, 1),
            "read_mb": round(self.bytes_to_read / 1e6, 1),
            "seconds_from": self.rates.seconds_from,
            "bytes_from": self.rates.bytes_from,
            "page": str(self.page),
        }


def told_duration(seconds: float) -> str:
    """A duration as far as a plan can tell it.

    Example:
        >>> told_duration(7), told_duration(7500)
        ('under a minute', '2 h 5 min')
    """
    return "under a minute" if seconds < 60 else duration(seconds)


def megabytes(size: float) -> str:
    """A size in the unit that suits it, with two or three digits.

    Example:
        >>> megabytes(2_345_678), megabytes(70_700_000_000), megabytes(2.8e12)
        ('2.3 MB', '71 GB', '2.8 TB')
    """
    factor, unit = (1e12, "TB") if size >= 1e12 else (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / factor:,.{1 if size < 10 * factor else 0}f} {unit}"


def _cases(count: int) -> str:
    return f"{count:,} case{'s' * (count != 1)}"


def _codes(items: Sequence[PlannedCase]) -> str:
    times = Counter(item.verdict.code for item in items).most_common()
    if not times:
        return ""
    told = [f"{count:,} {code}" for code, count in times[:_SHOWN_CODES]]
    rest = len(times) - _SHOWN_CODES
    return f" ({', '.join(told)}{f' and {rest} other reasons' if rest > 0 else ''})"
