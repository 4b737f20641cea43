"""lesions.csv: every lesion of the references and every candidate of the predictions, a row each."""

import csv
from collections.abc import Iterator
from pathlib import Path

from wirsung.compute.atomic import atomic_path
from wirsung.evaluation.scores import Scores

LESIONS_FILE = "lesions.csv"
COLUMNS = (
    "method",
    "case",
    "kind",
    "verdict",
    "volume_ml",
    "diameter_mm",
    "iou",
    "confidence",
    "shares_a_voxel",
)


def write_lesions(folder: Path, scores: Scores) -> None:
    """Write `lesions.csv`; without lesions it holds its header alone."""
    with (
        atomic_path(folder / LESIONS_FILE) as partial,
        partial.open("w", newline="", encoding="utf-8") as file,
    ):
        writer = csv.writer(file)
        writer.writerow(COLUMNS)
        writer.writerows(_rows(scores))


def _rows(scores: Scores) -> Iterator[tuple[object, ...]]:
    """Lesions before candidates, by method and case; a candidate has neither diameter nor IoU."""
    for method, cases in scores.lesions.items():
        for case, found in cases.items():
            for lesion in found.lesions:
                yield (
                    method,
                    case,
                    "lesion",
                    "found" if lesion.is_found else "missed",
                    lesion.volume_ml,
                    lesion.diameter_mm,
                    lesion.iou,
                    lesion.confidence,
                    lesion.is_touched,
                )
            for item in found.candidates:
                told = (item.verdict.value, item.volume_ml, "", "", item.confidence, item.touches)
                yield (method, case, "candidate", *told)
