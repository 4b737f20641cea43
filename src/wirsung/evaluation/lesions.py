"""The lesions of one case: which were found, by which candidate, and which candidates are false.

A lesion is a 26-connected component of the reference's lesion, a candidate one of the prediction's. The
candidate's confidence is the highest probability within it.
"""

from collections.abc import Mapping
from dataclasses import asdict, dataclass
from enum import StrEnum
from typing import Any

import numpy as np

from wirsung.evaluation.lesion_matching import MIN_IOU, match_lesions
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.components import components

SIZES = ("under_2cm", "2_to_4cm", "over_4cm")
"""Classes of a lesion's largest diameter, as the T stages of pancreatic cancer are drawn."""


class Verdict(StrEnum):
    """What a candidate is."""

    FOUND = "found"
    """It is matched to a lesion."""
    FALSE = "false"
    """It overlaps no lesion enough."""
    IGNORED = "ignored"
    """It overlaps a lesion enough that another candidate is matched to."""


@dataclass(frozen=True)
class Lesion:
    """One lesion of the reference."""

    volume_ml: float
    diameter_mm: float
    """The largest one, from surface to surface."""
    iou: float = 0.0
    """With the matched candidate; 0 where it is missed."""
    confidence: float = 0.0
    """Of the matched candidate; 0 where it is missed."""
    is_found: bool = False
    """Matched one to one, with enough overlap."""
    is_touched: bool = False
    """Any candidate shares a voxel with it."""

    @property
    def size(self) -> str:
        """One of SIZES.

        Example:
            >>> Lesion(1.0, 19.9).size, Lesion(4.0, 20.0).size, Lesion(35.0, 40.1).size
            ('under_2cm', '2_to_4cm', 'over_4cm')
        """
        return SIZES[int(self.diameter_mm >= 20) + int(self.diameter_mm > 40)]


@dataclass(frozen=True)
class Candidate:
    """One lesion of the prediction."""

    volume_ml: float
    confidence: float
    verdict: Verdict
    touches: bool
    """It shares a voxel with a lesion."""


@dataclass(frozen=True)
class CaseLesions:
    """The lesions and candidates of one case."""

    lesions: tuple[Lesion, ...] = ()
    candidates: tuple[Candidate, ...] = ()

    def as_json(self) -> dict[str, Any]:
        """For a record; `CaseLesions.from_json` reads it."""
        return asdict(self)

    @classmethod
    def from_json(cls, content: Mapping[str, Any]) -> "CaseLesions":
        """What `as_json` wrote."""
        return cls(
            tuple(Lesion(**item) for item in content["lesions"]),
            tuple(
                Candidate(**item | {"verdict": Verdict(item["verdict"])}) for item in content["candidates"]
            ),
        )


def find_lesions(
    reference: Mask,
    prediction: Mask,
    *,
    spacing_mm: tuple[float, float, float],
    confidence: Voxels | None = None,
    min_iou: float = MIN_IOU,
    min_candidate_mm3: float = 0.0,
) -> CaseLesions:
    """The lesions of a case and what became of them.

    Args:
        reference: The lesions, i j k.
        prediction: The candidates, on the same grid; of a detection map whatever is above 0.
        spacing_mm: Between voxels, along i, j and k.
        confidence: A probability or detection map; its maximum within a candidate is the candidate's
            confidence. Without it every candidate is sure, 1.
        min_iou: The least overlap of a match, above 0.
        min_candidate_mm3: Smaller candidates are left out; 0 keeps all.

    Example:
        >>> lesion = np.zeros((10, 5, 5), dtype=bool)
        >>> lesion[:4] = True
        >>> shifted = np.roll(lesion, 2, axis=0)
        >>> found = find_lesions(lesion, shifted, spacing_mm=(1.0, 1.0, 1.0))
        >>> round(found.lesions[0].iou, 3), found.candidates[0].verdict.value
        (0.333, 'found')
    """
    voxel_mm3 = float(np.prod(spacing_mm))
    lesions, candidates = components(reference), components(prediction)
    if min_candidate_mm3 > 0:
        candidates = candidates.kept(candidates.sizes_voxels * voxel_mm3 >= min_candidate_mm3)
    sure = np.ones(candidates.count) if confidence is None else candidates.maxima(confidence)
    matching = match_lesions(lesions, candidates, min_iou=min_iou)
    matches = dict(zip(matching.pairs, matching.ious, strict=True))
    by_lesion = {lesion: (iou, float(sure[item]), True) for (lesion, item), iou in matches.items()}
    diameters_mm, sizes = lesions.diameters_mm(spacing_mm), lesions.sizes_voxels
    verdicts = dict.fromkeys(matching.false, Verdict.FALSE) | dict.fromkeys(matching.ignored, Verdict.IGNORED)
    return CaseLesions(
        tuple(
            Lesion(
                float(sizes[item] * voxel_mm3 / 1000),
                float(diameters_mm[item]),
                *by_lesion.get(item, (0.0, 0.0, False)),
                is_touched=item in matching.touched,
            )
            for item in range(lesions.count)
        ),
        tuple(
            Candidate(
                float(size * voxel_mm3 / 1000),
                float(sure[item]),
                verdicts.get(item, Verdict.FOUND),
                item in matching.touching,
            )
            for item, size in enumerate(candidates.sizes_voxels)
        ),
    )
