"""The combined label map against the masks, under whichever of the two maps in use it follows."""

from functools import cache

import numpy as np

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.imaging.arrays import LabelMap

MAPS = ("official", "alphabetical")


@cache
def alphabetical_values() -> dict[int, int]:
    """Official value to the one in a map that sorts all 28 names, so that the lesion is 22 and not 28.

    Source:
        The label maps of BodyMaps-website; those of the PanTS release may be either.

    Example:
        >>> values = alphabetical_values()
        >>> values[21], values[28], values[22], values[27]
        (21, 22, 23, 28)
    """
    ranks = {name: rank for rank, name in enumerate(sorted(structures()), start=1)}
    return {scheme("pants-28").value(name): rank for name, rank in ranks.items()}


def compare_with_masks(combined: LabelMap, painted: LabelMap) -> tuple[str, int]:
    """The map that the combined labels follow, and the voxels in which they differ from the painted masks.

    Args:
        combined: As the file has it.
        painted: The masks painted with the official values.

    Example:
        >>> masks = np.array([[[0, 28, 27]]])
        >>> compare_with_masks(np.array([[[0, 22, 28]]]), masks)
        ('alphabetical', 0)
        >>> compare_with_masks(np.array([[[0, 28, 28]]]), masks)
        ('official', 1)
    """
    official = int(np.count_nonzero(combined != painted))
    if official == 0:
        return MAPS[0], 0
    table = np.zeros(max(scheme("pants-28").values) + 1, dtype=painted.dtype)
    for value, other in alphabetical_values().items():
        table[value] = other
    alphabetical = int(np.count_nonzero(combined != table[painted]))
    return (MAPS[1], alphabetical) if alphabetical < official else (MAPS[0], official)
