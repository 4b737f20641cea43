"""Attention between tokens, exact and linear: q, k and v are (B, head, n, d), and so is what comes out.

Both kinds are weighted means: the weights of a token's row are not negative and sum to one.
"""

from typing import Literal

import torch
from torch.nn import functional

Kind = Literal["softmax", "linear"]
"""Exact attention, whose time grows with the square of the tokens; or linear, whose time grows with them."""

FEW_TOKENS = 512
"""Up to so many tokens exact attention is taken: see `cheaper`."""

_POWER = 3
_FLOOR = 1e-4
"""Of linear attention's features, so that no row is all zero."""


def cheaper(tokens: int) -> Kind:
    """The kind for a stage of so many tokens: exact attention as long as its price hardly shows.

    Exact attention is the stronger of the two, so it is taken while a layer with it takes at most about a
    third longer than one with linear attention; the measurement is in docs/concepts/pansegnet.md.

    Example:
        >>> cheaper(6 * 6 * 6), cheaper(32 * 32 * 32)
        ('softmax', 'linear')
    """
    return "softmax" if tokens <= FEW_TOKENS else "linear"


def softmax_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Exact attention: weights softmax(q k / sqrt(d)), without holding n x n of them.

    Source:
        Vaswani et al. 2017, section 3.2.1; computed by torch's fused kernels.
    """
    return functional.scaled_dot_product_attention(query, key, value)


def linear_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Attention with weights f(q) f(k), in time and memory that grow with n only.

    f is positive, so that a row can be divided by its sum, and it pronounces the large channels, since the
    mean over many tokens would else be nearly the same for all. Sums are in float32 whatever the input is.

    Source:
        Katharopoulos et al. 2020, arXiv:2006.16236 (the order of the products, the divisor), and Han et al.
        2023, arXiv:2308.00442 (f, with a larger floor, so that float32 suffices).
    """
    with torch.autocast(query.device.type, enabled=False):
        # The length of a query's features would cancel in the division; that of a key's is its weight.
        weight, plain = _floored(query) ** _POWER, _floored(key)
        sharp = plain**_POWER
        kept = sharp * (plain.norm(dim=-1, keepdim=True) / sharp.norm(dim=-1, keepdim=True))
        context = kept.transpose(-2, -1) @ value.float()
        total = weight @ kept.sum(-2).unsqueeze(-1)
        made: torch.Tensor = (weight @ context) / total
        return made.to(value.dtype)


def _floored(tokens: torch.Tensor) -> torch.Tensor:
    return functional.relu(tokens.float()) + _FLOOR
