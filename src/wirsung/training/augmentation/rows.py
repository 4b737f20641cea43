"""Channels of samples as rows, of which a transform changes a few in place."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager

import torch


@contextmanager
def chosen(rows: torch.Tensor, picked: Sequence[int]) -> Iterator[torch.Tensor]:
    """Some rows as one tensor; what is done to it in place is done to the rows.

    Args:
        rows: (row, z, y, x).
        picked: At least one, each once.

    Example:
        >>> rows = torch.zeros(3, 1, 1, 1)
        >>> with chosen(rows, [0, 2]) as some:
        ...     some += 1
        >>> rows.flatten().tolist()
        [1.0, 0.0, 1.0]
    """
    if len(picked) == 1:
        yield rows[picked[0]][None]
        return
    places = torch.tensor(picked, device=rows.device)
    copied = rows.index_select(0, places)
    yield copied
    rows.index_copy_(0, places, copied)


def per_row(values: Sequence[float], rows: torch.Tensor) -> torch.Tensor:
    """One value a row, to be multiplied with (row, z, y, x)."""
    made = torch.tensor(values, dtype=rows.dtype, device=rows.device)
    return made.view(-1, *[1] * (rows.ndim - 1))
