"""The voxels being painted: shapes in, tissue codes out."""

from collections.abc import Callable
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from wirsung.phantom.frame import Box, Floats, Frame, Lattice, interpolate
from wirsung.phantom.tissues import Tissue

COARSE_MM = 3.0
"""Distance between samples of a large, smooth shape; its surface is interpolated between them."""
CHUNK_VOXELS = 4_000_000
Block = NDArray[np.uint8]
"""Some of the tissue codes, to be painted on."""
Rule = Callable[..., None]
"""Paints a block of voxels: called with the tissue codes, then the value of each field there."""


class Solid(Protocol):
    """What can be painted."""

    def window(self, frame: Frame, step_mm: float) -> Lattice | None:
        """The samples it needs."""

    def distance(self, frame: Frame, lattice: Lattice) -> Floats:
        """Signed distance at each sample."""


class Canvas:
    """Tissue codes on a grid; what is painted later covers what was painted before."""

    def __init__(self, frame: Frame) -> None:
        self.frame = frame
        self.tissue: NDArray[np.uint8] = np.zeros(frame.grid.shape, dtype=np.uint8)
        self.boxes: dict[int, Box] = {}

    def paint(
        self,
        solid: Solid,
        tissue: Tissue,
        *,
        step_mm: float = COARSE_MM,
        over: tuple[Tissue, ...] = tuple(Tissue),
        spare: tuple[Tissue, ...] = (),
    ) -> None:
        """Fill the solid where the voxels hold one of the tissues `over`, and none to `spare`."""
        allowed = np.zeros(256, dtype=bool)
        allowed[list(over)] = True
        allowed[list(spare)] = False

        def rule(block: Block, distance: Floats) -> None:
            inside = distance < 0
            if spare or len(over) < len(Tissue):
                inside &= allowed[block]
            np.copyto(block, np.uint8(tissue), where=inside)

        self.layer(solid, (tissue,), rule, step_mm=step_mm)

    def layer(
        self,
        solid: Solid,
        tissues: tuple[Tissue, ...],
        rule: Rule,
        *,
        step_mm: float = COARSE_MM,
        level: bool = False,
    ) -> None:
        """Apply a rule to the solid's distance, and with `level` also to the height above the table in mm."""
        lattice = solid.window(self.frame, step_mm)
        if lattice is not None:
            fields = [solid.distance(self.frame, lattice)]
            if level:
                height = self.frame.ras_mm(lattice)[1] - np.float32(self.frame.patient.shift_mm[1])
                fields.append(np.broadcast_to(height, fields[0].shape))
            self.fields(lattice, fields, tissues, rule)

    def fields(self, lattice: Lattice, fields: list[Floats], tissues: tuple[Tissue, ...], rule: Rule) -> None:
        """Apply a rule to fields sampled on a lattice, block by block, interpolated where it is coarser."""
        box = tuple(slice(int(np.ceil(axis[0])), int(axis[-1]) + 1) for axis in lattice.positions)
        for tissue in tissues:
            self.boxes[tissue] = _union(self.boxes.get(tissue), (box[0], box[1], box[2]))
        if tuple(part.stop - part.start for part in box) == fields[0].shape:
            rule(self.tissue[box], *fields)
            return
        i, j, k = (np.arange(part.start, part.stop, dtype=np.float32) for part in box)
        rows = max(1, CHUNK_VOXELS // (len(j) * len(k)))
        for start in range(0, len(i), rows):
            some = i[start : start + rows]
            first = max(int(np.searchsorted(lattice.positions[0], some[0], side="right")) - 1, 0)
            last = int(np.searchsorted(lattice.positions[0], some[-1], side="left")) + 1
            source = (lattice.positions[0][first:last], *lattice.positions[1:])
            values = [interpolate(field[first:last], source, (some, j, k)) for field in fields]
            rule(self.tissue[slice(int(some[0]), int(some[-1]) + 1), box[1], box[2]], *values)


def shell_rule(inner: Tissue, outer: Tissue, thick_mm: float) -> Rule:
    """A rule that paints a shell of one tissue around another."""

    def rule(block: Block, distance: Floats) -> None:
        np.copyto(block, np.uint8(inner), where=distance < 0)
        np.copyto(block, np.uint8(outer), where=np.abs(distance + thick_mm / 2) < thick_mm / 2)

    return rule


def _union(one: Box | None, other: Box) -> Box:
    if one is None:
        return other
    i, j, k = (slice(min(a.start, b.start), max(a.stop, b.stop)) for a, b in zip(one, other, strict=True))
    return i, j, k
