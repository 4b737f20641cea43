"""How long curating takes and how much it writes: rates, and where each is from.

The rates that come with Wirsung are of phantoms and of one machine. Every curation leaves beside its dataset
how long it took and how much it wrote, so a trial of some cases makes the plan for all of them one's own.
"""

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field
from math import isfinite
from pathlib import Path
from typing import Any, Literal, Self

from wirsung import __version__
from wirsung.compute.atomic import write_json
from wirsung.compute.outcome import Outcome
from wirsung.curation.places import report_folder
from wirsung.curation.records import Record
from wirsung.datasets.layout import IMAGE_FOLDERS, LABEL_FOLDERS, Subset

Kind = Literal["ct", "mr"]
PACE_FILE = "pace.json"
_SCHEMA = 1


@dataclass(frozen=True)
class Rates:
    """What a case costs."""

    seconds_per_case: float
    """Seconds of one worker for each case, however small."""
    seconds_per_megavoxel: float
    """Seconds of one worker for each million voxels besides."""
    image_bytes_per_voxel: Mapping[Kind, float]
    """On the disk, compressed."""
    label_bytes_per_voxel: float
    """Of all masks, their codes and the label map, on the disk, for each voxel of the image."""
    seconds_from: str
    """What the seconds were measured on."""
    bytes_from: str
    """What the sizes were measured on."""

    def seconds(self, voxels: int) -> float:
        """Seconds of one worker for a case of so many voxels.

        Example:
            >>> round(OURS.seconds(100_000_000), 1)
            4.5
        """
        return self.seconds_per_case + self.seconds_per_megavoxel * voxels / 1e6

    def image_bytes(self, kind: Kind, voxels: int) -> float:
        """Bytes of an image on the disk."""
        return self.image_bytes_per_voxel[kind] * voxels

    def label_bytes(self, voxels: int) -> float:
        """Bytes of all that lies in a case's label folder."""
        return self.label_bytes_per_voxel * voxels


OURS = Rates(
    seconds_per_case=0.3,
    seconds_per_megavoxel=0.042,
    image_bytes_per_voxel={"ct": 0.92, "mr": 1.25},
    label_bytes_per_voxel=0.045,
    seconds_from="phantoms, DICOM with 28 masks, of up to 512 x 512 x 319, on an AMD EPYC",
    bytes_from="phantoms, CT of 512 x 512 x 319 and MR of 192 x 160 x 110, with 28 masks",
)
"""Those that come with Wirsung."""


@dataclass(frozen=True)
class Pace:
    """What curating took and wrote, summed over the cases that were made."""

    cases: int = 0
    voxels: int = 0
    seconds: float = 0.0
    """Of workers; two that work at once for a second are two."""
    image_voxels: Mapping[Kind, int] = field(default_factory=dict)
    image_bytes: Mapping[Kind, int] = field(default_factory=dict)
    labelled_voxels: int = 0
    """Of the images that have labels."""
    label_bytes: int = 0

    def with_case(self, record: Record, seconds: float, out: Path) -> "Pace":
        """The same with one more case, whose files are looked at."""
        row = record.row
        kind: Kind = "ct" if row.modality == "ct" else "mr"
        voxels = (row.shape_i or 0) * (row.shape_j or 0) * (row.shape_k or 0)
        subset: Subset = "test" if row.subset == "test" else "train"
        labels = _bytes_below(out / LABEL_FOLDERS[subset] / record.case)
        return Pace(
            self.cases + 1,
            self.voxels + voxels,
            self.seconds + seconds,
            _plus(self.image_voxels, kind, voxels),
            _plus(self.image_bytes, kind, _bytes_below(out / IMAGE_FOLDERS[subset] / record.case)),
            self.labelled_voxels + (voxels if row.has_labels else 0),
            self.label_bytes + labels,
        )

    def rates(self, known: Rates = OURS) -> Rates:
        """The known rates in proportion to what was measured; sizes of what was not seen stay."""
        if not (self.voxels and self.seconds):
            return known
        expected = known.seconds_per_case * self.cases + known.seconds_per_megavoxel * self.voxels / 1e6
        factor = self.seconds / expected
        sizes = {
            kind: self.image_bytes[kind] / self.image_voxels[kind] if self.image_voxels.get(kind) else rate
            for kind, rate in known.image_bytes_per_voxel.items()
        }
        labels = self.label_bytes / self.labelled_voxels if self.labelled_voxels else None
        told = f"{self.cases:,} case{'s' * (self.cases != 1)} of this dataset"
        is_whole = labels is not None and set(sizes) == set(self.image_voxels)
        return Rates(
            known.seconds_per_case * factor,
            known.seconds_per_megavoxel * factor,
            sizes,
            known.label_bytes_per_voxel if labels is None else labels,
            told,
            told if is_whole else f"{told}, and for what they had none of on {known.bytes_from}",
        )

    @classmethod
    def from_table(cls, table: Mapping[str, Any]) -> Self:
        """As `asdict` gave it.

        Raises:
            TypeError, ValueError, AttributeError: It is something else.
        """
        pace = cls(**table)
        numbers = [pace.cases, pace.voxels, pace.seconds, pace.labelled_voxels, pace.label_bytes]
        numbers += [*pace.image_voxels.values(), *pace.image_bytes.values()]
        if not all(isfinite(number) and number >= 0 for number in numbers):
            msg = "a count is no number"
            raise ValueError(msg)
        return pace


def extend_pace(out: Path, outcomes: Iterable[Outcome[Record]]) -> None:
    """Add what the cases of a run took to what is known of the dataset; cases that were skipped took nothing.

    Raises:
        StorageError: It can't be written.
    """
    pace, made = read_pace(out), [item for item in outcomes if item.status == "done" and item.value]
    for item in made:
        if item.value is not None:
            pace = pace.with_case(item.value, item.duration_s, out)
    if made:
        write_json(_path(out), {"schema": _SCHEMA, "wirsung": __version__, **asdict(pace)})


def read_pace(out: Path) -> Pace:
    """What is known of the dataset; nothing where it is damaged or of another version of Wirsung."""
    try:
        table = json.loads(_path(out).read_text(encoding="utf-8"))
        if (table.pop("schema"), table.pop("wirsung")) != (_SCHEMA, __version__):
            return Pace()
        return Pace.from_table(table)
    except (OSError, ValueError, KeyError, TypeError, AttributeError):
        return Pace()


def _path(out: Path) -> Path:
    return report_folder(out) / PACE_FILE


def _plus(counts: Mapping[Kind, int], kind: Kind, number: int) -> dict[Kind, int]:
    return {**counts, kind: counts.get(kind, 0) + number}


def _bytes_below(folder: Path) -> int:
    return sum(path.stat().st_size for path in folder.rglob("*") if path.is_file())
