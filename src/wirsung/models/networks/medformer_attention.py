"""The attending parts of MedFormer: voxels and a few tokens update each other, at every scale."""

from collections.abc import Sequence
from math import prod

import torch
from torch import Tensor, nn
from torch.nn import functional

from wirsung.models.networks.medformer_blocks import NORM_EPS, FeedForward, NormActConv, Separable, Sizes
from wirsung.models.plans import Shape


class MapMaking(nn.Module):
    """Tokens of an image: means over its voxels, each with weights of its own that sum to 1."""

    def __init__(self, channels: int, map_size: Shape) -> None:
        super().__init__()
        self.map_size = map_size
        self.base_proj = nn.Conv3d(channels, channels, 3, padding=1, bias=False)
        self.semantic_proj = nn.Conv3d(channels, prod(map_size), 3, padding=1, bias=False)

    def forward(self, image: Tensor) -> Tensor:
        """(B, channels, D, H, W) to (B, channels, *map_size)."""
        weights = self.semantic_proj(image).flatten(2).softmax(2)
        found: Tensor = self.base_proj(image).flatten(2) @ weights.transpose(1, 2)
        return found.reshape(*found.shape[:2], *self.map_size)


class BothWays(nn.Module):
    """One matrix of scores between voxels and tokens, used in both directions.

    Its softmax over the tokens updates the voxels, its softmax over the voxels the tokens; so the cost is
    linear in the voxels. Channels of a head lie `heads` apart, as in the released weights.
    """

    def __init__(self, channels: int, wanted: int, kernel: Shape, heads: int, *, updates_map: bool) -> None:
        super().__init__()
        self.heads = heads
        inner = wanted // heads * heads
        self.feat_qv = Separable(channels, 2 * inner, kernel)
        self.feat_out = Separable(inner, wanted, kernel)
        self.map_qv = nn.Conv3d(wanted, 2 * inner, 1, bias=False)
        self.map_out = nn.Conv3d(inner, wanted, 1, bias=False) if updates_map else None

    def forward(self, image: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor | None]:
        """Updates of (B, channels, D, H, W) and of the tokens (B, wanted, d, h, w)."""
        query, value = (self._heads(item) for item in self.feat_qv(image).chunk(2, dim=1))
        key, meaning = (self._heads(item) for item in self.map_qv(tokens).chunk(2, dim=1))
        scores = query @ key.transpose(2, 3) * query.shape[3] ** -0.5
        voxels = self.feat_out(self._joined(scores.softmax(3) @ meaning, image))
        if self.map_out is None:
            return voxels, None
        return voxels, self.map_out(self._joined(scores.softmax(2).transpose(2, 3) @ value, tokens))

    def _heads(self, image: Tensor) -> Tensor:
        """(B, heads, places, channels of a head)."""
        batch, channels = image.shape[:2]
        return image.reshape(batch, channels // self.heads, self.heads, -1).permute(0, 2, 3, 1)

    def _joined(self, found: Tensor, like: Tensor) -> Tensor:
        batch, heads, _, width = found.shape
        return found.permute(0, 3, 1, 2).reshape(batch, heads * width, *like.shape[2:])


class AttentionBlock(nn.Module):
    """Attention both ways, then the feed-forward part for the voxels."""

    def __init__(
        self, channels: int, wanted: int, kernel: Shape, sizes: Sizes, *, updates_map: bool = True
    ) -> None:
        super().__init__()
        self.norm1, self.norm2 = nn.InstanceNorm3d(channels), nn.InstanceNorm3d(wanted)
        self.attn = BothWays(channels, wanted, kernel, sizes.heads, updates_map=updates_map)
        self.shortcut = (
            nn.Sequential()
            if channels == wanted
            else NormActConv(channels, wanted, activation=sizes.activation)
        )
        self.feedforward = FeedForward(wanted, kernel, sizes.activation)

    def forward(self, image: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Voxels of `wanted` channels, and the tokens."""
        voxels, update = self.attn(self.norm1(image), self.norm2(tokens))
        found = self.feedforward(voxels + self.shortcut(image))
        return found, tokens if update is None else tokens + update


class Attending(nn.Module):
    """Blocks one after the other, voxels and tokens side by side."""

    def __init__(
        self, channels: int, wanted: int, kernel: Shape, sizes: Sizes, *, updates_map: bool = True
    ) -> None:
        super().__init__()
        count = sizes.transformer_blocks
        self.blocks = nn.ModuleList(
            AttentionBlock(
                channels if number == 0 else wanted,
                wanted,
                kernel,
                sizes,
                updates_map=updates_map or number < count - 1,
            )
            for number in range(count)
        )

    def forward(self, image: Tensor, tokens: Tensor) -> tuple[Tensor, Tensor]:
        """Voxels of `wanted` channels, and the tokens."""
        for block in self.blocks:
            image, tokens = block(image, tokens)
        return image, tokens


class MapFusion(nn.Module):
    """A transformer over the tokens of all scales together."""

    def __init__(self, channels: Sequence[int], width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.in_proj = nn.ModuleList(nn.Conv3d(size, width, 1, bias=False) for size in channels)
        self.out_proj = nn.ModuleList(nn.Conv3d(width, size, 1, bias=False) for size in channels)
        self.fusion = _Transformer(width, depth, heads)

    def forward(self, maps: Sequence[Tensor]) -> list[Tensor]:
        """A map a scale, (B, channels of the scale, *map_size) each, to the same."""
        size = maps[0].shape[2:]
        inside = [project(item).flatten(2) for project, item in zip(self.in_proj, maps, strict=True)]
        found = self.fusion(torch.cat(inside, dim=2).transpose(1, 2)).transpose(1, 2)
        parts = found.chunk(len(maps), dim=2)
        return [project(part.unflatten(2, size)) for project, part in zip(self.out_proj, parts, strict=True)]


class _Transformer(nn.Module):
    """Pre-norm layers: (B, token, width) to the same."""

    def __init__(self, width: int, depth: int, heads: int) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            nn.ModuleList([_PreNorm(width, _SelfAttention(width, heads)), _PreNorm(width, _Mlp(width))])
            for _ in range(depth)
        )

    def forward(self, tokens: Tensor) -> Tensor:
        """The same shape."""
        for layer in self.layers:
            for part in layer.children():
                tokens = tokens + part(tokens)
        return tokens


class _PreNorm(nn.Module):
    def __init__(self, width: int, part: nn.Module) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(width, eps=NORM_EPS)
        self.fn = part

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.fn(self.norm(tokens))
        return found


class _SelfAttention(nn.Module):
    def __init__(self, width: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        inner = width // heads * heads
        self.to_qkv = nn.Linear(width, 3 * inner, bias=False)
        self.to_out = nn.Linear(inner, width)

    def forward(self, tokens: Tensor) -> Tensor:
        parts = self.to_qkv(tokens).chunk(3, dim=2)
        query, key, value = (item.unflatten(2, (self.heads, -1)).transpose(1, 2) for item in parts)
        found = functional.scaled_dot_product_attention(query, key, value)
        joined: Tensor = self.to_out(found.transpose(1, 2).flatten(2))
        return joined


class _Mlp(nn.Module):
    def __init__(self, width: int) -> None:
        super().__init__()
        self.fc1, self.fc2 = nn.Linear(width, width), nn.Linear(width, width)

    def forward(self, tokens: Tensor) -> Tensor:
        found: Tensor = self.fc2(functional.gelu(self.fc1(tokens)))
        return found
