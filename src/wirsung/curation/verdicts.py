"""The verdict on each stack or image: accepted, repaired or kept in quarantine, with a code."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

import pyarrow as pa
import pyarrow.parquet as pq

from wirsung.compute.atomic import atomic_path
from wirsung.imaging.dicom import Stack

Kind = Literal["accept", "repair", "quarantine"]

REPAIRS = {
    "STACK_SPLIT": "Its series holds several stacks, and each became a case of its own.",
    "TILT_DESHEARED": "The gantry was tilted, so its slices were moved back within their planes.",
    "SPACING_RESAMPLED": "Its slices lay at uneven distances and were put onto an even grid.",
    "DUP_FILE_DROPPED": "Plain copies of slices were left out.",
    "PADDING_MAPPED": "Padding was set to air.",
    "LABELS_RESAMPLED": "Labels on another grid were put onto the image's by nearest voxels, as asked.",
    "FRACTIONS_CUT": "Of a fractional segmentation, half and more was taken for inside.",
    "CONTOURS_LEFT_OUT": "Points, lines and contours of fewer than three points were left out.",
    "SHEAR_MENDED": "Its axes were slightly off the right angle and were mended.",
}
"""What is done to a stack, by code."""

SET_ASIDE = {
    "LOCALIZER": "scouts",
    "SECONDARY_CAPTURE": "screenshots and other secondary captures",
    "OTHER_OBJECT": "reports, dose sheets and other objects without slices",
    "NOT_DICOM": "files that are not DICOM",
    "TOO_FEW_SLICES": "stacks of fewer than three slices beside a larger one",
}
"""What is left out beside a stack, by code."""

_CODE = re.compile(r"(?:^|: )([A-Z]+(?:_[A-Z]+)+|MODALITY|TILT), (.*)", re.DOTALL)
_SCHEMA = pa.schema(
    [pa.field(name, pa.string(), nullable=False) for name in ("case", "verdict", "code", "sentence")]
)


@dataclass(frozen=True)
class Verdict:
    """What became of one stack or image, and why."""

    kind: Kind
    code: str = ""
    """Several repairs are joined by a plus; empty where there is nothing to say."""
    sentence: str = ""


def judge_stack(stack: Stack) -> Verdict:
    """The verdict from headers alone; reading the pixels may add to it.

    Example:
        >>> from wirsung.imaging.dicom_stacks import Problem
        >>> judge_stack(Stack((), problem=Problem("SLICE_GAP", "about 1 slices are missing"))).kind
        'quarantine'
    """
    if stack.problem is not None:
        return Verdict("quarantine", stack.problem.code, stack.problem.told(lambda _: "one of its files"))
    return judge_notes(dict.fromkeys(stack.repairs, 1))


def judge_notes(notes: Mapping[str, int]) -> Verdict:
    """The verdict on an image that was read, from what was noted on the way.

    Example:
        >>> judge_notes({"PADDING_MAPPED": 1, "LOCALIZER": 2}).code
        'PADDING_MAPPED'
        >>> judge_notes({"LOCALIZER": 2}).kind
        'accept'
    """
    codes = [code for code in REPAIRS if code in notes]
    if not codes:
        return Verdict("accept")
    return Verdict("repair", "+".join(codes), " ".join(REPAIRS[code] for code in codes))


def judge_failure(message: str) -> Verdict:
    """The verdict on a case that failed, from its message.

    Example:
        >>> judge_failure("src/a: SLICE_GAP, about 1 slices are missing. Export it again.").code
        'SLICE_GAP'
        >>> judge_failure("a.nii.gz is damaged.").code
        'UNREADABLE_CASE'
    """
    match = _CODE.search(message)
    return Verdict("quarantine", match[1] if match else "UNREADABLE_CASE", message)


def write_verdicts(path: Path, verdicts: Iterable[tuple[str, Verdict]]) -> None:
    """Write a table of case, verdict, code and sentence.

    Raises:
        StorageError: It can't be written.
    """
    rows = [
        {"case": case, "verdict": verdict.kind, "code": verdict.code, "sentence": verdict.sentence}
        for case, verdict in verdicts
    ]
    with atomic_path(path) as partial:
        pq.write_table(pa.Table.from_pylist(rows, schema=_SCHEMA), partial)


def read_verdicts(path: Path) -> dict[str, Verdict]:
    """The verdicts by case."""
    rows = pq.ParquetFile(path).read(columns=_SCHEMA.names).to_pylist()
    return {row["case"]: Verdict(row["verdict"], row["code"], row["sentence"]) for row in rows}
