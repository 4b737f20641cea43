"""The second map that label maps of PanTS follow; which of the two, `audit.combined_rules` finds out."""

from functools import cache

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures


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
