"""Where a network looks: at the whole image or a part of it, and not at tiles outside the body."""

from collections.abc import Iterable
from dataclasses import dataclass, field, replace
from math import prod
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.inference.body import Body
from wirsung.inference.cropping import export_of
from wirsung.inference.export import Export
from wirsung.inference.known_tiles import Background, TileCount
from wirsung.inference.presets import Steps
from wirsung.inference.region import Chosen, reaches_border
from wirsung.models.nonzero import Box
from wirsung.models.plans import Plans, Shape


@dataclass(frozen=True)
class Focus:
    """What of one prepared image is computed, and how its logits become labels."""

    whole: Export
    """Of all of it."""
    steps: Steps
    """How far tiles are apart."""
    body: Body | None = None
    """None where no tile is left out."""
    part: Box | None = None
    """In samples of the prepared image; None for all of it."""
    why: str | None = None
    """How the part was found, or why there is none; None where none was looked for."""
    count: TileCount = field(default_factory=TileCount)

    @property
    def is_part(self) -> bool:
        """Whether only a part of the image is computed."""
        return self.part is not None

    @property
    def how(self) -> Export:
        """How the logits become labels."""
        part = None if self.part is None else export_of(self.whole, self.part)
        return part or self.whole

    def narrowed(self, chosen: Chosen) -> "Focus":
        """The same on the part that was chosen, where some voxel of the image lies in it."""
        if chosen.part is not None and export_of(self.whole, chosen.part) is None:
            return replace(self, why="the region is thinner than a voxel")
        return replace(self, part=chosen.part, why=chosen.why)

    def widened(self) -> "Focus":
        """The same on the whole image, after the part proved too small."""
        return replace(self, part=None, why="what was found in the region reaches its border")

    def cuts(self, labels: NDArray[np.generic]) -> bool:
        """Whether something was found at the border of the part.

        Args:
            labels: (z, y, x) as the network sees them, of the whole image.
        """
        return reaches_border(labels, self.how.placement.box, self.whole.placement.box)

    def background(self, patch: Shape, logits: torch.Tensor) -> Background | None:
        """The tiles of the part that hold nothing of the body.

        Args:
            patch: The shape of a tile.
            logits: (output, 1, 1, 1), what is said of their voxels.
        """
        body = self.body
        if body is None:
            return None
        first = (0, 0, 0) if self.part is None else cube(bounds[0] for bounds in self.part)
        return Background(lambda start: not body.touches(_sum(start, first), patch), logits)

    def as_json(self, plans: Plans) -> dict[str, Any]:
        """For the record; of the box the first voxel and one past the last along the image's x, y and z."""
        tiles = {"computed": self.count.computed, "repeated": self.count.repeated}
        made: dict[str, Any] = {"tiles": {**tiles, "outside_body": self.count.outside}}
        made["step"] = [round(step, 4) for step in self.steps]
        if self.why is None:
            return made
        made["region"] = {"why": self.why}
        if self.part is not None:
            placement = self.how.placement
            box = [placement.box[axis] for axis in plans.transpose_backward]
            made["region"]["box_voxels"] = [list(bounds) for bounds in reversed(box)]
            share = prod(placement.cropped_shape) / prod(placement.full_shape)
            made["region"]["share"] = round(share, 4)
        return made


def cube(sizes: Iterable[int]) -> Shape:
    """Three numbers, as a shape.

    Example:
        >>> cube([1, 2, 3])
        (1, 2, 3)
    """
    z, y, x = sizes
    return z, y, x


def _sum(start: Shape, first: Shape) -> Shape:
    return cube(at + before for at, before in zip(start, first, strict=True))
