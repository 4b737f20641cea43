"""A head whose weights are made, class by class, from what the class means and what the image shows.

A class's vector (a text embedding) and the pooled deepest features become 153 numbers: the weights and
offsets of three 1 x 1 x 1 convolutions, 8 to 8 to 8 to 1 channels, of that class alone. A class more costs
no new weights.
"""

from collections.abc import Sequence
from math import gcd, prod

import torch
from torch import Tensor, nn
from torch.utils.checkpoint import checkpoint

_CODE = 256
_WIDTH = 8
_SHAPES = ((_WIDTH, _WIDTH), (_WIDTH, _WIDTH), (1, _WIDTH))
"""Of the weights of the three convolutions: out, in."""
_NUMBERS = sum(out * into for out, into in _SHAPES) + sum(out for out, _ in _SHAPES)
_GROUPS = 16


class TextHead(nn.Module):
    """From feature maps to logits a class.

    The parameters are those of the paper's head; a class has none of its own. Classes are computed a few at a
    time: a class needs 17 numbers a voxel on the way, and 28 of them at 128^3 would be 4 GB a patch. Where
    gradients are kept, each few are computed again on the way back instead of being held.

    Args:
        codes: A vector a class, kept as a buffer and with the weights; not learned.
        deepest: Channels of the encoder's last feature map.
        maps: Channels of the decoder's feature maps, full resolution first. The paper has the first alone.
        classes_at_once: How many classes to compute together.

    Source:
        Liu et al., CLIP-Driven Universal Model, ICCV 2023 (arXiv 2301.00785).
    """

    codes: Tensor

    def __init__(self, codes: Tensor, deepest: int, maps: Sequence[int], classes_at_once: int) -> None:
        super().__init__()
        self.deep_supervision = False
        self.classes_at_once = classes_at_once
        self.register_buffer("codes", codes)
        self.norm = _group_norm(deepest)
        self.look = nn.Linear(deepest, _CODE)
        self.read = nn.Linear(codes.shape[1], _CODE)
        self.controller = nn.Linear(2 * _CODE, _NUMBERS)
        self.reduce = nn.ModuleList(
            nn.Sequential(_group_norm(channels), nn.ReLU(), nn.Conv3d(channels, _WIDTH, 1))
            for channels in maps
        )

    def forward(self, deepest: Tensor, maps: Sequence[Tensor]) -> Tensor | list[Tensor]:
        """Logits (B, classes, D, H, W) of the first map, or with deep supervision of each.

        Args:
            deepest: The encoder's last feature map.
            maps: The decoder's, full resolution first.
        """
        weights = self.weights(deepest)
        used = list(zip(self.reduce, maps, strict=True))[: None if self.deep_supervision else 1]
        answers = [self._answer(reduce(features), weights) for reduce, features in used]
        return answers if self.deep_supervision else answers[0]

    def weights(self, deepest: Tensor) -> Tensor:
        """The numbers of every case and class: (B, classes, 153)."""
        pooled = torch.relu(self.norm(deepest)).mean(dim=(2, 3, 4))
        shown = self.look(pooled)[:, None].expand(-1, len(self.codes), -1)
        meant = torch.relu(self.read(self.codes))[None].expand(len(deepest), -1, -1)
        made: Tensor = self.controller(torch.cat([shown, meant], dim=-1))
        return made

    def _answer(self, features: Tensor, weights: Tensor) -> Tensor:
        """The logits of all classes, a few at a time."""
        flat = features.flatten(2)
        parts = torch.split(weights, self.classes_at_once, dim=1)
        if torch.is_grad_enabled() and len(parts) > 1:
            answers = [checkpoint(class_logits, flat, part, use_reentrant=False) for part in parts]
        else:
            answers = [class_logits(flat, part) for part in parts]
        return torch.cat(answers, dim=1).reshape(*weights.shape[:2], *features.shape[2:])


def class_logits(features: Tensor, weights: Tensor) -> Tensor:
    """Three convolutions a class, with weights of its own.

    Args:
        features: (B, 8, voxels).
        weights: (B, classes, 153): the three matrices row by row, and then the three offsets.
    """
    cases, classes = weights.shape[:2]
    sizes = [out * into for out, into in _SHAPES] + [out for out, _ in _SHAPES]
    *matrices, first, second, third = torch.split(weights, sizes, dim=-1)
    hidden = features[:, None].expand(-1, classes, -1, -1).flatten(0, 1)
    for number, (matrix, offset) in enumerate(zip(matrices, (first, second, third), strict=True)):
        out, into = _SHAPES[number]
        hidden = torch.baddbmm(offset.reshape(-1, out, 1), matrix.reshape(-1, out, into), hidden)
        if number < len(_SHAPES) - 1:
            hidden = torch.relu(hidden)
    return hidden.reshape(cases, classes, prod(features.shape[2:]))


def _group_norm(channels: int) -> nn.Module:
    """16 groups as in the paper, or as many as divide a narrower map."""
    return nn.GroupNorm(gcd(_GROUPS, channels), channels)
