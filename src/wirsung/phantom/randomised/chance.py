"""Where each kind of randomisation takes its chance from."""

from typing import get_args

import numpy as np

from wirsung.phantom.settings import Kind

KINDS: tuple[Kind, ...] = get_args(Kind)
_STREAM = 8
"""Of the seed; 1 to 7 belong to the ordinary phantom."""


def chance(seed: int, number: int, kind: Kind) -> np.random.Generator:
    """The generator of one kind for case `number` of a seed, which no other kind draws from.

    Example:
        >>> float(chance(0, 1, "noise").random()) == float(chance(0, 1, "noise").random())
        True
        >>> float(chance(0, 1, "noise").random()) == float(chance(0, 1, "contrast").random())
        False
    """
    return np.random.default_rng([seed, _STREAM, number, KINDS.index(kind)])
