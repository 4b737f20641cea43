"""Attention inside windows of a grid of tokens, and the bias by where two tokens lie to each other.

Tokens are laid out as (batch, depth, height, width, channels). A window larger than the grid is cut to it,
and a grid that is no multiple of the window is padded with tokens that no true token attends to.
"""

from collections.abc import Sequence

import torch
import torch.nn.functional as F  # noqa: N812 - everybody's name for it
from torch import Tensor, nn

Shape = tuple[int, int, int]


def partition(tokens: Tensor, window: Shape) -> Tensor:
    """The windows of a grid, (batch x windows, tokens of a window, channels), in raster order.

    Example:
        >>> partition(torch.arange(4).reshape(1, 1, 2, 2, 1), (1, 1, 2)).squeeze(-1).tolist()
        [[0, 1], [2, 3]]
    """
    batch, *grid, channels = tokens.shape
    counts = [size // width for size, width in zip(grid, window, strict=True)]
    split = tokens.reshape(batch, counts[0], window[0], counts[1], window[1], counts[2], window[2], channels)
    return split.permute(0, 1, 3, 5, 2, 4, 6, 7).reshape(-1, window[0] * window[1] * window[2], channels)


def merge(windows: Tensor, window: Shape, grid: Shape) -> Tensor:
    """The grid of tokens that `partition` took apart.

    Example:
        >>> merge(torch.tensor([[[0], [1]], [[2], [3]]]), (1, 1, 2), (1, 2, 2)).flatten().tolist()
        [0, 1, 2, 3]
    """
    counts = [size // width for size, width in zip(grid, window, strict=True)]
    split = windows.reshape(-1, *counts, *window, windows.shape[-1])
    return split.permute(0, 1, 4, 2, 5, 3, 6, 7).reshape(-1, *grid, windows.shape[-1])


def relative_index(window: Shape, table: Shape) -> Tensor:
    """Where in the bias table each pair of tokens of a window finds its entry; different offsets never meet.

    The strides of the index are those of an array of (2a-1, 2b-1, 2c-1), for a table made for windows of
    (a, b, c). nnFormer's released code has 3a-1 for the first, by which different offsets share an entry.

    Args:
        window: Of the tokens at hand, at most `table` along each axis.
        table: The window the table was made for.

    Example:
        >>> relative_index((1, 1, 2), (1, 1, 2)).tolist()
        [[1, 0], [2, 1]]
    """
    axes = [torch.arange(width) for width in window]
    places = torch.stack(torch.meshgrid(*axes, indexing="ij")).flatten(1)
    offsets = places[:, :, None] - places[:, None, :]
    strides = ((2 * table[1] - 1) * (2 * table[2] - 1), 2 * table[2] - 1, 1)
    index = torch.zeros_like(offsets[0])
    for offset, width, stride in zip(offsets, table, strides, strict=True):
        index = index + (offset + width - 1) * stride
    return index


def may_attend(grid: Shape, window: Shape, shift: Shape) -> Tensor:
    """Which tokens of a window may see each other: (windows, tokens, tokens), true where they may.

    After the grid is rolled, a window at its end holds tokens from both ends, which are no neighbours; and
    after padding, some that are no tokens at all.

    Args:
        grid: Before padding.
        window: The size of a window.
        shift: By how many tokens the padded grid is rolled.

    Example:
        >>> may_attend((1, 1, 4), (1, 1, 2), (0, 0, 1)).tolist()
        [[[True, True], [True, True]], [[True, False], [False, True]]]
    """
    kinds = []
    for size, width, by in zip(grid, window, shift, strict=True):
        padded = -(-size // width) * width
        place = torch.arange(padded) + by
        wrapped = place >= padded
        missing = place % padded >= size
        kinds.append(wrapped.long() + 2 * missing.long())
    kind = (kinds[0][:, None, None] * 4 + kinds[1][None, :, None]) * 4 + kinds[2][None, None, :]
    whole: Shape = (kind.shape[0], kind.shape[1], kind.shape[2])
    groups = partition(kind.reshape(1, *whole, 1), window).squeeze(-1)
    return groups[:, :, None] == groups[:, None, :]


class WindowAttention(nn.Module):
    """Multi-head attention inside windows, of a grid to itself or of one grid to another.

    Args:
        channels: Of a token; a multiple of `heads`.
        heads: Each with its own bias table.
        window: Along (depth, height, width), in tokens.
        shifted: Whether the windows lie half a window further.
        crossed: Whether queries come from a second grid. They are then taken as they are, without a
            projection, as nnFormer's skip attention does.
    """

    def __init__(
        self,
        channels: int,
        heads: int,
        window: Sequence[int],
        *,
        shifted: bool = False,
        crossed: bool = False,
    ) -> None:
        super().__init__()
        self.heads = heads
        self.window: Shape = (int(window[0]), int(window[1]), int(window[2]))
        self.shifted = shifted
        self.crossed = crossed
        self.inputs = nn.Linear(channels, channels * (2 if crossed else 3))
        self.output = nn.Linear(channels, channels)
        offsets = [2 * width - 1 for width in self.window]
        self.bias_table = nn.Parameter(torch.zeros(offsets[0] * offsets[1] * offsets[2], heads))
        nn.init.trunc_normal_(self.bias_table, std=0.02)

    def forward(self, tokens: Tensor, queries: Tensor | None = None) -> Tensor:
        """Tokens of the same grid.

        Args:
            tokens: (batch, depth, height, width, channels), normalised.
            queries: The same shape; only where the attention is crossed.
        """
        grid: Shape = (tokens.shape[1], tokens.shape[2], tokens.shape[3])
        window, shift = self._fitted(grid)
        padded, rolled = self._laid(tokens, window, shift)
        values = self.inputs(partition(rolled, window))
        if self.crossed:
            asked = tokens if queries is None else queries
            query = partition(self._laid(asked, window, shift)[1], window)
            key, value = values.chunk(2, dim=-1)
        else:
            query, key, value = values.chunk(3, dim=-1)
        bias = self._bias(grid, window, shift).to(values.dtype)
        if len(bias) > 1:
            bias = bias.repeat(len(tokens), 1, 1, 1)
        seen = F.scaled_dot_product_attention(
            self._split(query), self._split(key), self._split(value), attn_mask=bias
        )
        merged = merge(self.output(seen.transpose(1, 2).flatten(2)), window, padded)
        unrolled = torch.roll(merged, shift, dims=(1, 2, 3)) if any(shift) else merged
        return unrolled[:, : grid[0], : grid[1], : grid[2]]

    def _fitted(self, grid: Shape) -> tuple[Shape, Shape]:
        """Window and shift on this grid: along an axis that one window covers, there is nothing to shift."""
        window = [min(width, size) for width, size in zip(self.window, grid, strict=True)]
        shift = [
            width // 2 if self.shifted and width < size else 0
            for width, size in zip(window, grid, strict=True)
        ]
        return (window[0], window[1], window[2]), (shift[0], shift[1], shift[2])

    def _laid(self, tokens: Tensor, window: Shape, shift: Shape) -> tuple[Shape, Tensor]:
        """The grid padded to whole windows, and the tokens on it, rolled."""
        missing = [-size % width for size, width in zip(tokens.shape[1:4], window, strict=True)]
        if any(missing):
            tokens = F.pad(tokens, (0, 0, 0, missing[2], 0, missing[1], 0, missing[0]))
        if any(shift):
            tokens = torch.roll(tokens, [-by for by in shift], dims=(1, 2, 3))
        return (tokens.shape[1], tokens.shape[2], tokens.shape[3]), tokens

    def _split(self, values: Tensor) -> Tensor:
        """(windows, heads, tokens, channels of a head)."""
        return values.reshape(*values.shape[:2], self.heads, -1).transpose(1, 2)

    def _bias(self, grid: Shape, window: Shape, shift: Shape) -> Tensor:
        """What is added to the scores: (windows of a case or 1, heads, tokens, tokens)."""
        index = relative_index(window, self.window).to(self.bias_table.device)
        bias = self.bias_table[index.flatten()].reshape(*index.shape, self.heads).permute(2, 0, 1)[None]
        if not any(shift) and not any(size % width for size, width in zip(grid, window, strict=True)):
            return bias
        allowed = may_attend(grid, window, shift).to(bias.device)[:, None]
        return bias.masked_fill(~allowed, float("-inf"))
