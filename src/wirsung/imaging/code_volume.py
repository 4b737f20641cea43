"""All masks of a case in one volume, without loss where they overlap.

The value of a voxel is an index into a table of patterns; a pattern is the set of structures that hold the
voxel, bit k for structure k. Code 0 is the empty set. A case of 28 structures has about a hundred patterns,
so one byte a voxel serves for what 28 volumes say.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cached_property

import numpy as np
from numpy.typing import NDArray

from wirsung.errors import GeometryError, LabelError, near_names
from wirsung.imaging.arrays import Affine, Voxels
from wirsung.imaging.file_order import in_file_order
from wirsung.imaging.run_kernels import (
    Integers,
    count_codes,
    find_runs,
    flat,
    look_up,
    merge,
    merge_runs,
    runs_of_members,
)
from wirsung.imaging.run_reading import MaskRuns
from wirsung.imaging.volume import Volume

_MOST_CODES = 1 << 16


@dataclass(frozen=True, eq=False)
class CodeVolume:
    """Codes at a known place, and what they stand for.

    Raises:
        LabelError: The table does not fit the codes, or a structure or a pattern is named twice.

    Example:
        >>> pancreas = Volume(np.array([1, 1, 0], dtype=bool).reshape(3, 1, 1), np.eye(4))
        >>> head = Volume(np.array([1, 0, 0], dtype=bool).reshape(3, 1, 1), np.eye(4))
        >>> codes = merge_masks([("pancreas", pancreas), ("pancreas_head", head)])
        >>> codes.volume.voxels.ravel(), codes.patterns
        (array([2, 1, 0], dtype=uint8), (0, 1, 3))
        >>> codes.mask("pancreas").voxels.ravel()
        array([ True,  True, False])
        >>> codes.label_map({"pancreas": 17, "pancreas_head": 19}).voxels.ravel()
        array([19, 17,  0], dtype=uint8)
    """

    volume: Volume
    """uint8 or uint16."""
    patterns: tuple[int, ...]
    """By code; bit k tells whether structure k holds the voxel."""
    structures: tuple[str, ...]
    """By bit; a structure may be empty."""

    def __post_init__(self) -> None:
        problem = self._problem()
        if problem:
            msg = f"A volume of codes does not fit its table: {problem}. Make both anew from the masks."
            raise LabelError(msg)

    @cached_property
    def runs(self) -> Integers:
        """First voxel, last + 1 and code of each run of equal codes, in file order; found once."""
        return find_runs(flat(self._rows()))

    def runs_of(self, structure: str) -> Integers:
        """First voxel and last + 1 of each run of the structure's mask.

        Raises:
            LabelError: No such structure.
        """
        return runs_of_members(self.runs, self.members(structure))

    def mask(self, structure: str) -> Volume:
        """The structure's mask, as it went in.

        Raises:
            LabelError: No such structure.
        """
        members = self.members(structure).view(np.uint8)
        return self._looked_up(members, np.dtype(np.uint8), as_mask=True)

    def masks(self) -> Iterator[tuple[str, Volume]]:
        """Every structure with its mask."""
        for structure in self.structures:
            yield structure, self.mask(structure)

    def label_map(self, values: Mapping[str, int]) -> Volume:
        """One value a voxel: uint8, or uint16 where a value needs it.

        Args:
            values: The value of each structure, in painting order: a later one covers those before. A
                structure that is not named is left out.

        Raises:
            LabelError: No such structure, or a value outside 1 to 65535.
        """
        painted = self._painted(values)
        kind = np.dtype(np.uint8 if painted.max() < 256 else np.uint16)
        return self._looked_up(painted.astype(kind), kind)

    def voxel_counts(self) -> dict[str, int]:
        """Voxels of each structure."""
        counts = self._counts()
        return {structure: int(counts[self.members(structure)].sum()) for structure in self.structures}

    def covered_voxels(self, values: Mapping[str, int]) -> dict[str, int]:
        """What `label_map` loses: for each structure of `values`, its voxels that show another value.

        Raises:
            LabelError: As in `label_map`.
        """
        counts, painted = self._counts(), self._painted(values)
        return {
            structure: int(counts[self.members(structure) & (painted != value)].sum())
            for structure, value in values.items()
        }

    def members(self, structure: str) -> NDArray[np.bool_]:
        """By code, whether the structure holds the voxels of that code.

        Raises:
            LabelError: No such structure.
        """
        if structure not in self.structures:
            msg = f"There is no mask of {structure!r} here. {near_names(structure, self.structures)}"
            raise LabelError(msg)
        bit = self.structures.index(structure)
        return np.array([pattern >> bit & 1 for pattern in self.patterns], dtype=np.bool_)

    def _counts(self) -> NDArray[np.int64]:
        """Voxels of each code but 0."""
        counts = np.zeros(len(self.patterns), dtype=np.int64)
        count_codes(flat(self._rows()), counts)
        return counts

    def _painted(self, values: Mapping[str, int]) -> NDArray[np.int64]:
        """By code, the value that it shows."""
        painted = np.zeros(len(self.patterns), dtype=np.int64)
        for structure, value in values.items():
            if not 0 < value < 1 << 16:
                msg = f"The label value of {structure} is {value}, but it must lie in 1 to 65535. Change it."
                raise LabelError(msg)
            painted[self.members(structure)] = value
        return painted

    def _rows(self) -> Voxels:
        return in_file_order(self.volume.voxels)

    def _looked_up(self, table: Voxels, kind: np.dtype, *, as_mask: bool = False) -> Volume:
        rows = self._rows()
        values = np.zeros(rows.shape, dtype=kind)
        look_up(flat(rows), table, values.reshape(-1))
        return self.volume.with_voxels((values.view(np.bool_) if as_mask else values).transpose(2, 1, 0))

    def _problem(self) -> str:
        if self.volume.voxels.dtype not in (np.uint8, np.uint16):
            return f"the codes are {self.volume.voxels.dtype} and not uint8 or uint16"
        if not self.patterns or self.patterns[0] != 0 or len(set(self.patterns)) != len(self.patterns):
            return "the first pattern is not empty, or a pattern is there twice"
        if len(set(self.structures)) != len(self.structures):
            return "a structure is there twice"
        if not 0 <= min(self.patterns) <= max(self.patterns) < 1 << len(self.structures):
            return f"a pattern holds more than the {len(self.structures)} structures"
        highest = int(self.volume.voxels.max())
        return f"code {highest} has no pattern" if highest >= len(self.patterns) else ""


def merge_masks(masks: Iterable[tuple[str, Volume | MaskRuns]]) -> CodeVolume:
    """The volume of codes of these masks, which may overlap in any way.

    Each mask is used once and not kept, so they may come from files one by one. Codes are numbered by their
    patterns, so that the same masks give the same codes.

    Raises:
        GeometryError: Two masks have not the same shape and affine.
        LabelError: No mask, one that is not bool, a structure twice, or more than 65535 patterns.
    """
    codes: _GrowingCodes | None = None
    structures: list[str] = []
    for structure, mask in masks:
        codes = codes or _GrowingCodes(mask)
        codes.add(structure, mask)
        structures.append(structure)
    if codes is None:
        msg = "There are no masks, so there is nothing to merge. Name at least one."
        raise LabelError(msg)
    return codes.finished(tuple(structures))


class _GrowingCodes:
    """Codes of the masks so far. Unlike the finished ones, they may have patterns without a voxel."""

    def __init__(self, first: Volume | MaskRuns) -> None:
        self._affine: Affine = first.affine
        self._shape = first.shape
        self._codes = np.zeros(int(np.prod(first.shape)), dtype=np.uint8)
        self._patterns = [0]
        self._bit = 0

    def add(self, structure: str, mask: Volume | MaskRuns) -> None:
        if mask.shape != self._shape or not np.array_equal(mask.affine, self._affine):
            msg = f"The mask of {structure} lies on another grid than those before. Bring all onto one grid."
            raise GeometryError(msg)
        if isinstance(mask, MaskRuns):
            self._add(lambda *table: merge_runs(self._codes, mask.runs, *table))
            return
        if mask.voxels.dtype != np.bool_:
            msg = f"The mask of {structure} has {mask.voxels.dtype} voxels, but bool is needed. Read a mask."
            raise LabelError(msg)
        row = flat(in_file_order(mask.voxels).view(np.uint8))
        self._add(lambda *table: merge(self._codes, row, *table))

    def _add(self, merged: Callable[[Integers, int, int], tuple[int, int]]) -> None:
        """Merge one mask, in parts where the codes run out."""
        place = 0
        while place < self._codes.size:
            successors = self._successors()
            known = len(self._patterns)
            _, place = merged(successors, known, place)
            new = np.flatnonzero(successors >= known)
            for code in new[np.argsort(successors[new])]:
                self._patterns.append(self._patterns[code] | 1 << self._bit)
            if place < self._codes.size:
                self._make_room()
        self._bit += 1

    def finished(self, structures: tuple[str, ...]) -> CodeVolume:
        self._renumber()
        kind = np.uint8 if len(self._patterns) <= 256 else np.uint16
        i, j, k = self._shape
        voxels = self._codes.astype(kind, copy=False).reshape(k, j, i).transpose(2, 1, 0)
        return CodeVolume(Volume(voxels, self._affine), tuple(self._patterns), structures)

    def _successors(self) -> np.ndarray:
        """By code, the code with the present structure added; 0 where there is none yet."""
        known = {pattern: code for code, pattern in enumerate(self._patterns)}
        successors = np.zeros(self._limit(), dtype=np.int64)
        for code, pattern in enumerate(self._patterns):
            with_bit = pattern | 1 << self._bit
            successors[code] = known.get(with_bit, 0) if with_bit != pattern else 0
        return successors

    def _limit(self) -> int:
        return 256 if self._codes.dtype == np.uint8 else _MOST_CODES

    def _make_room(self) -> None:
        self._renumber()
        roomy = self._limit() // 2 if self._codes.dtype == np.uint8 else self._limit()
        if len(self._patterns) < roomy:
            return
        if self._codes.dtype == np.uint16:
            msg = "The masks overlap in more than 65535 ways, so they are noise. Look at them."
            raise LabelError(msg)
        self._codes = self._codes.astype(np.uint16)

    def _renumber(self) -> None:
        """Number the patterns that have a voxel, in the order of their bits."""
        counts = np.zeros(len(self._patterns), dtype=np.int64)
        count_codes(flat(self._codes), counts)
        used = sorted((self._patterns[code], int(code)) for code in np.flatnonzero(counts))
        table = np.zeros(len(self._patterns), dtype=self._codes.dtype)
        for new, (_, old) in enumerate(used, 1):
            table[old] = new
        if not np.array_equal(table, np.arange(len(table))):
            look_up(flat(self._codes), table, self._codes)
        self._patterns = [0, *(pattern for pattern, _ in used)]
