"""DiNTS with the topology that its authors searched and published, on MONAI's building blocks.

The codes lie in `dints_topology.json`: which of ten paths between four resolutions each of twelve blocks has,
and which of five operations a path ends in. Different from the paper: nothing but the training, which is
nnU-Net's here.
"""

import json
from contextlib import redirect_stdout
from importlib.resources import files
from io import StringIO
from types import SimpleNamespace
from typing import Any

import numpy as np
import torch
from monai.networks.nets.dints import DiNTS, TopologyInstance
from torch import nn

from wirsung.models.networks.supervision import Switch, refuse_deep_supervision
from wirsung.models.networks.topology import check_divisible
from wirsung.models.plans import Configuration

_DIVISOR = (32, 32, 32)
_RESOLUTIONS = 4


class Dints(DiNTS):
    """DiNTS: (batch, channel, D, H, W) to logits (batch, class, D, H, W).

    Each axis must be a multiple of 32; any such patch fits the same weights.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Must be False.
        width: Times 32 feature maps at full resolution, and 64 to 512 inside.

    Raises:
        ConfigError: Deep supervision is asked for.

    Source:
        He et al. 2021 (arXiv:2103.15954); codes: `DiNTS/arch_code_cvpr.pth` of Project-MONAI's
        research-contributions (Apache-2.0).
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        width: float = 1.0,
    ) -> None:
        refuse_deep_supervision("DiNTS", deep_supervision)
        paths, operations, nodes = published_topology()
        with redirect_stdout(StringIO()):  # it prints what it recommends
            space = TopologyInstance(
                [np.asarray(paths), np.asarray(operations)],
                width,
                num_blocks=len(paths),
                num_depths=_RESOLUTIONS,
            )
        # As numbers in place of tensors, so that an export sees which paths there are.
        space.arch_code_a = [SimpleNamespace(data=row) for row in paths]  # type: ignore[assignment]
        super().__init__(space, input_channels, num_classes, node_a=nodes)
        for level, used in enumerate(nodes[0]):
            if not used:
                self.stem_down[str(level)] = _Nothing(self.filter_nums[level + 1], 2 ** (level + 1))
        self.decoder = Switch()


class _Nothing(nn.Module):
    """In place of a stem whose output the topology drops: zeros of its shape, and no weights."""

    def __init__(self, channels: int, divisor: int) -> None:
        super().__init__()
        self.channels, self.divisor = channels, divisor

    def forward(self, image: torch.Tensor) -> torch.Tensor:
        """Zeros."""
        shape = [size // self.divisor for size in image.shape[2:]]
        return image.new_zeros(image.shape[0], self.channels, *shape)


Codes = list[list[int]]


def published_topology() -> tuple[Codes, Codes, Codes]:
    """Paths (12 x 10, 0 or 1), operations (12 x 10, 0 to 4) and nodes (13 x 4, 0 or 1).

    Example:
        >>> paths, operations, nodes = published_topology()
        >>> sum(map(sum, paths)), nodes[0], nodes[12]
        (97, [1, 1, 1, 0], [1, 0, 1, 1])
    """
    text = files("wirsung.models.networks").joinpath("dints_topology.json").read_text(encoding="utf-8")
    table = json.loads(text)
    return table["paths"], table["operations"], table["nodes"]


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments for a plan: DiNTS takes any patch whose axes are multiples of 32, and needs none.

    Raises:
        ConfigError: The patch is no multiple of 32 along each axis.
    """
    check_divisible(configuration.patch_size, _DIVISOR, "DiNTS")
    return {"width": 1.0}
