"""Brightness and contrast."""

from collections.abc import Mapping

import torch

from wirsung.training.augmentation.rows import chosen, per_row


def brighten(rows: torch.Tensor, factors: Mapping[int, float]) -> None:
    """Multiply some rows, in place."""
    for row, factor in factors.items():
        rows[row].mul_(factor)


def contrast(rows: torch.Tensor, factors: Mapping[int, float]) -> None:
    """Stretch some rows about their means and clip them to the range they had, in place."""
    if not factors:
        return
    with chosen(rows, tuple(factors)) as some:
        flat = some.flatten(1)
        mean, low, high = flat.mean(1, keepdim=True), *torch.aminmax(flat, dim=1, keepdim=True)
        factor = per_row(tuple(factors.values()), flat)
        flat.mul_(factor).add_(mean * (1 - factor))
        torch.clamp(flat, low, high, out=flat)
