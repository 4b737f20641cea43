"""Which stack each SEG or RTSTRUCT was drawn on, by the UIDs that it refers to, wherever the files lie."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass
from itertools import chain
from pathlib import Path

from wirsung.curation.index_rows import DAMAGED_LABELS, DrawnFile
from wirsung.curation.intake import Source
from wirsung.imaging.dicom import Stack

_CASE = "labels"
_OTHER_FRAME = (
    "LABELS_FRAME, its SEG or RTSTRUCT names these slices, but another frame of reference. Export the labels "
    "again, with the series that they belong to."
)
_UNMATCHED = (
    "LABELS_UNMATCHED, no series in SRC is the one that these labels were drawn on. Add that series, or take "
    "the file away."
)
_DAMAGED = "LABELS_DAMAGED, the header of a SEG or RTSTRUCT is cut. Export it again from where it came."


@dataclass(frozen=True)
class Drawings:
    """What was drawn on one stack."""

    files: tuple[Path, ...] = ()
    problem: str = ""
    """Why it can't be used; empty where it can be tried."""


class LabelFiles:
    """The files, as they find their stacks one after the other."""

    def __init__(self, files: Sequence[DrawnFile], slices: Collection[str]) -> None:
        self._files = files
        self._matched: set[int] = set()
        self._wanted: dict[str, list[int]] = {}
        for number, item in enumerate(files):
            known = [uid for uid in item.refers_to if uid in slices]
            for uid in known or item.refers_to:
                self._wanted.setdefault(uid, []).append(number)

    def of(self, stack: Stack) -> Drawings:
        """The files that refer to a slice of the stack; where no such slice is in SRC, to its series.

        Of a series with several stacks, only a slice tells which one is meant.
        """
        if not self._wanted:
            return Drawings()
        members = [*stack.slices, *chain.from_iterable(stack.twins)]
        uids = {item.instance for item in members}
        if not stack.is_split:
            uids |= {item.series_uid for item in members}
        found = sorted({number for uid in uids - {""} for number in self._wanted.get(uid, ())})
        self._matched.update(found)
        files = tuple(self._files[number].path for number in found)
        frames = {self._files[number].frame_of_reference for number in found} - {""}
        own = stack.slices[0].declared[1]
        return Drawings(files, _OTHER_FRAME if own and frames - {own} else "")

    def strays(self) -> list[Source]:
        """The files that belong to no stack, each with its problem.

        They are named by number, as files are often named after patients.
        """
        left = [item for number, item in enumerate(self._files) if number not in self._matched]
        return [
            Source(
                f"{_CASE}-{number}",
                f"{_CASE}-{number}",
                "dicom",
                item.path,
                problem=_DAMAGED if item.kind == DAMAGED_LABELS else _UNMATCHED,
            )
            for number, item in enumerate(left, start=1)
        ]
