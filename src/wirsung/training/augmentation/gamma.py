"""Gamma, of the image or of its negative, keeping mean and standard deviation."""

from collections.abc import Mapping

import torch

from wirsung.training.augmentation.rows import chosen, per_row

_SMALLEST = 1e-7
"""Of what is divided by."""


def change_gamma(rows: torch.Tensor, exponents: Mapping[int, float], *, inverted: bool) -> None:
    """Raise some rows, brought to 0 to 1, to a power, and give them their mean and deviation back, in place.

    Args:
        rows: (row, z, y, x).
        exponents: By row.
        inverted: Whether the negative of the image is raised.
    """
    if not exponents:
        return
    with chosen(rows, tuple(exponents)) as some:
        flat = some.flatten(1)
        spread, mean = torch.std_mean(flat, dim=1, keepdim=True)
        low, high = torch.aminmax(flat, dim=1, keepdim=True)
        span = high - low
        sign = -1 if inverted else 1
        flat.sub_(high if inverted else low).mul_(sign / span.clamp(min=_SMALLEST))
        # Rounding must not leave a negative number, which has no power.
        flat.clamp_(min=0).pow_(per_row(tuple(exponents.values()), flat))
        raised_spread, raised_mean = torch.std_mean(flat, dim=1, keepdim=True)
        gain = sign * span * spread / (raised_spread * span).clamp(min=_SMALLEST)
        flat.mul_(gain).add_(mean - raised_mean * gain)
