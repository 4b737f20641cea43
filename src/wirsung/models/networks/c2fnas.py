"""C2FNAS (our reading): twelve cells on four levels, each with one operation found by the authors' search.

**Unconfirmed.** The authors published no code. This is built from a description of a third party's reading of
the paper; it has 15.31 M parameters, where 17.02 M are remembered for the paper's C2FNAS-Panc. Its scores are
those of this reading and not of the paper's network.

Features (B, C, D, H, W) of level l, 1 to 4, have 2^l times the stem's width and 1 / 2^l of the resolution:

    level 1   2D, P3D ------------------------------> 3D, 2D, 3D -> head
    level 2          3D, 3D -----------------> P3D
    level 3                 3D ------> 3D, 3D
    level 4                     2D

The second cell also gets what the stem gave, and the last one the output of the cell before the one before.
The other skips are sums. The paper's network has no deep supervision; the 1 x 1 x 1 logits at the coarser
levels, for nnU-Net's recipe, are ours.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Literal

import torch
from torch import Tensor, nn

from wirsung.errors import ConfigError
from wirsung.models.networks.depth import topology_of_depth
from wirsung.models.plans import Configuration

Operation = Literal["2D", "3D", "P3D"]

_KERNELS: Mapping[Operation, tuple[tuple[int, int, int], ...]] = {
    "2D": ((1, 3, 3),),
    "3D": ((3, 3, 3),),
    "P3D": ((1, 3, 3), (3, 1, 1)),
}
"""In nnU-Net's axes, of which the first is across the slices."""
_ENCODER: tuple[tuple[Operation, ...], ...] = (("2D", "P3D"), ("3D", "3D"), ("3D",), ("2D",))
_DECODER: tuple[tuple[Operation, ...], ...] = (("3D", "2D", "3D"), ("P3D",), ("3D", "3D"))
"""Level 1 first."""
_LEVELS = len(_ENCODER)


class C2Fnas(nn.Module):
    """C2FNAS in our reading, which is unconfirmed; see the module.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Whether it also answers at levels 1 to 3, after the full resolution (ours).
        features: Of the stem; 32 in the reading.
        strides: [1, 1, 1], that of the stem and those of the three steps down; 2 in the reading.

    Raises:
        ConfigError: There are not five strides.

    Source:
        Yu et al., C2FNAS, CVPR 2020 (arXiv 1912.09628), after a third party's reading of it.
    """

    def __init__(
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        features: int = 32,
        strides: Sequence[Sequence[int]] = ((1, 1, 1), (2, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2)),
    ) -> None:
        super().__init__()
        if len(strides) != _LEVELS + 1:
            msg = f"C2FNAS steps down {_LEVELS} times, but {len(strides) - 1} strides are given."
            raise ConfigError(msg)
        widths = [features * 2**level for level in range(_LEVELS + 1)]
        self.stem = nn.Sequential(
            nn.Conv3d(input_channels, features, 3, padding=1, bias=False),
            _norm(features),
            nn.ReLU(inplace=True),
            nn.Conv3d(features, widths[1], 3, _shape(strides[1]), padding=1, bias=False),
            _norm(widths[1]),
        )
        self.cells = nn.ModuleList(
            nn.ModuleList(
                _Cell(operation, width, inputs=2 if width == widths[1] and number == 1 else 1)
                for number, operation in enumerate(operations)
            )
            for operations, width in zip(_ENCODER, widths[1:], strict=True)
        )
        self.downs = nn.ModuleList(
            nn.Sequential(
                nn.ReLU(),
                nn.Conv3d(width, 2 * width, 3, _shape(stride), padding=1, bias=False),
                _norm(2 * width),
            )
            for width, stride in zip(widths[1:-1], strides[2:], strict=True)
        )
        self.decoder = _Decoder(num_classes, widths, strides)
        self.decoder.deep_supervision = deep_supervision

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Logits of the image's size, or with deep supervision a list that begins with them."""
        found: list[Tensor] = []
        stem: Tensor = self.stem(image)
        for level, cells in enumerate(self.cells):
            features = self.downs[level - 1](found[-1]) if level else stem
            for number, cell in enumerate(cells.children()):
                features = cell(features, stem) if level == 0 and number == 1 else cell(features)
            found.append(features)
        answer: Tensor | list[Tensor] = self.decoder(found)
        return answer

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """Fresh weights: He's for convolutions."""
        if isinstance(module, nn.Conv3d):
            nn.init.kaiming_normal_(module.weight)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `C2Fnas` for nnU-Net's plan: its first four steps down, and its first width.

    Raises:
        ConfigError: The patch is too small for four steps down, or the strides don't divide it.
    """
    topology = topology_of_depth(configuration, _LEVELS, "C2FNAS")
    return {"features": topology.features[0], "strides": [list(item) for item in topology.strides]}


class _Decoder(nn.Module):
    """The cells on the way up and the head."""

    deep_supervision: bool

    def __init__(self, num_classes: int, widths: Sequence[int], strides: Sequence[Sequence[int]]) -> None:
        super().__init__()
        features, width = widths[0], widths[1]
        self.cells = nn.ModuleList(
            nn.ModuleList(
                _Cell(operation, size, inputs=2 if level == 0 and number == len(operations) - 1 else 1)
                for number, operation in enumerate(operations)
            )
            for level, (operations, size) in enumerate(zip(_DECODER, widths[1:-1], strict=True))
        )
        self.ups = nn.ModuleList(
            nn.Sequential(_up(stride), nn.ReLU(), nn.Conv3d(2 * size, size, 1, bias=False), _norm(size))
            for size, stride in zip(widths[1:-1], strides[2:], strict=True)
        )
        self.head = nn.Sequential(
            nn.ReLU(),
            nn.Conv3d(2 * width, width, 3, padding=1, bias=False),
            _norm(width),
            nn.ReLU(inplace=True),
            _up(strides[1]),
            nn.Conv3d(width, features, 3, padding=1, bias=False),
            _norm(features),
            nn.ReLU(inplace=True),
            nn.Conv3d(features, num_classes, 1),
        )
        self.heads = nn.ModuleList(nn.Conv3d(size, num_classes, 1) for size in widths[1:-1])

    def forward(self, found: list[Tensor]) -> Tensor | list[Tensor]:
        """Logits, or with deep supervision those of levels 1 to 3 after them."""
        features = found[-1]
        coarser: list[Tensor] = []
        outputs: list[Tensor] = []
        for level in reversed(range(_LEVELS - 1)):
            features = self.ups[level](features) + found[level]
            outputs = []
            for number, cell in enumerate(self.cells[level].children()):
                last = level == 0 and number == len(_DECODER[0]) - 1
                features = cell(features, outputs[-2]) if last else cell(features)
                outputs.append(features)
            if self.deep_supervision:
                coarser.insert(0, self.heads[level](features))
        logits: Tensor = self.head(torch.cat(outputs[-2:], dim=1))
        return [logits, *coarser] if self.deep_supervision else logits


class _Cell(nn.Module):
    """A 1 x 1 x 1 convolution an input, their sum, one operation, and a 1 x 1 x 1 convolution."""

    def __init__(self, operation: Operation, width: int, inputs: int) -> None:
        super().__init__()
        self.before = nn.ModuleList(nn.Conv3d(width, width, 1, bias=False) for _ in range(inputs))
        self.operation = nn.Sequential(
            *(
                nn.Conv3d(width, width, kernel, padding=_shape([size // 2 for size in kernel]), bias=False)
                for kernel in _KERNELS[operation]
            )
        )
        self.norm = _norm(width)
        self.after = nn.Conv3d(width, width, 1, bias=False)

    def forward(self, *inputs: Tensor) -> Tensor:
        """Features of the same shape as each input."""
        terms = [convolution(item) for convolution, item in zip(self.before, inputs, strict=True)]
        summed = terms[0] if len(terms) == 1 else terms[0] + terms[1]
        answer: Tensor = self.after(self.norm(self.operation(nn.functional.relu(summed))))
        return answer


def _norm(width: int) -> nn.Module:
    return nn.InstanceNorm3d(width, eps=1e-5, affine=True)


def _up(stride: Sequence[int]) -> nn.Module:
    scale = tuple(float(value) for value in stride)
    return nn.Upsample(scale_factor=scale, mode="trilinear", align_corners=False)


def _shape(values: Sequence[int]) -> tuple[int, int, int]:
    first, second, third = (int(value) for value in values)
    return first, second, third
