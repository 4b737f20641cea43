"""Rules of the pancreas: its parts, its duct, its lesions."""

from collections.abc import Iterator
from itertools import combinations

import numpy as np
from scipy import ndimage

from wirsung.anatomy.standard import rule
from wirsung.curation.audit.body_rules import is_reversed
from wirsung.curation.audit.facts import Facts
from wirsung.curation.audit.judging import Breach, judges

PARTS = ("pancreas_head", "pancreas_body", "pancreas_tail")
WHOLE, DUCT, LESION = "pancreas", "pancreatic_duct", "pancreatic_lesion"

_ARTERY = "superior_mesenteric_artery"
_CORNERS = np.ones((3, 3, 3), dtype=bool)
_SPECK_ML = 0.5
"""Few voxels of 5 mm make a lesion all the same."""


@judges("parts_overlap", needs_body=False)
def parts_overlap(facts: Facts) -> Iterator[Breach]:
    """Head, body and tail have no voxel in common."""
    for one, other in combinations(PARTS, 2):
        shared = _shared(facts, one, other)
        if shared:
            yield Breach(f"{shared} voxels are in {one} too.", other, shared, shown=(one,))


@judges("part_outside_pancreas", needs_body=False)
def part_outside_pancreas(facts: Facts) -> Iterator[Breach]:
    """Head, body and tail lie in the pancreas."""
    if WHOLE not in facts.structures:
        return
    for name in PARTS:
        outside = facts.size(name) - _shared(facts, name, WHOLE)
        if outside:
            why = f"{outside} of {facts.size(name)} voxels lie outside the pancreas."
            yield Breach(why, name, outside, shown=(WHOLE,))


@judges("parts_not_whole")
def parts_not_whole(facts: Facts) -> Iterator[Breach]:
    """The parts, with duct and lesion, make up the pancreas."""
    if not facts.there(WHOLE) or not all(name in facts.structures for name in PARTS):
        return
    box = facts.structures[WHOLE].box
    whole, told = facts.union((WHOLE,), box), facts.union((*PARTS, DUCT, LESION), box)
    missing = float(np.count_nonzero(whole & ~told) / facts.size(WHOLE))
    limit = rule("parts_not_whole").threshold
    if limit is not None and missing > limit:
        why = f"{missing:.0%} of the pancreas is neither head, body, tail, duct nor lesion."
        yield Breach(why, WHOLE, missing, shown=PARTS)


@judges("pancreas_empty", needs_body=False)
def pancreas_empty(facts: Facts) -> Iterator[Breach]:
    """The pancreas is not empty."""
    if WHOLE in facts.structures and not facts.size(WHOLE):
        yield Breach("the mask is empty. Is the pancreas in the image?", WHOLE)


@judges("parts_order")
def parts_order(facts: Facts) -> Iterator[Breach]:
    """From right to left come head, body and tail."""
    if is_reversed(facts, 0):
        return
    for right, left in combinations(PARTS, 2):
        if facts.size(right) and facts.size(left):
            ahead_mm = facts.centre_mm(left, 0) - facts.centre_mm(right, 0)
            if ahead_mm > 0:
                why = f"its centre lies {ahead_mm:.0f} mm left of that of {left}, but should lie right of it."
                yield Breach(why, right, ahead_mm, shown=(left,))


@judges("head_left_of_vessels")
def head_left_of_vessels(facts: Facts) -> Iterator[Breach]:
    """The head lies right of the superior mesenteric artery."""
    yield from _wrong_side(facts, "pancreas_head", "left")


@judges("tail_right_of_vessels")
def tail_right_of_vessels(facts: Facts) -> Iterator[Breach]:
    """The tail lies left of the superior mesenteric artery."""
    yield from _wrong_side(facts, "pancreas_tail", "right")


@judges("lesion_apart", needs_body=False)
def lesion_apart(facts: Facts) -> Iterator[Breach]:
    """Every piece of the lesion touches the pancreas."""
    if not facts.size(LESION) or not facts.there(WHOLE, *PARTS):
        return
    box = facts.grown(facts.structures[LESION].box, 0)
    pieces, _ = ndimage.label(facts.union((LESION,), box), _CORNERS)
    near = ndimage.binary_dilation(facts.union((WHOLE, *PARTS, DUCT), box), _CORNERS)
    sizes = np.bincount(pieces.ravel())
    touching = np.unique(pieces[near])
    apart = np.setdiff1d(np.arange(1, len(sizes)), touching)
    if apart.size:
        voxels = int(sizes[apart].sum())
        why = f"{apart.size} of {len(sizes) - 1} pieces, {voxels} voxels, don't touch the pancreas."
        yield Breach(why, LESION, voxels, shown=(WHOLE,))


@judges("lesion_tiny", needs_body=False)
def lesion_tiny(facts: Facts) -> Iterator[Breach]:
    """A lesion is more than a slip of the pen."""
    size, least = facts.size(LESION), rule("lesion_tiny").threshold
    if least is not None and 0 < size < least and facts.volume_ml(LESION) < _SPECK_ML:
        yield Breach(f"it has {size} voxels in all. Is it a slip of the pen?", LESION, size, shown=(WHOLE,))


@judges("duct_outside")
def duct_outside(facts: Facts) -> Iterator[Breach]:
    """The duct lies in the pancreas, or where it leaves it."""
    if not facts.size(DUCT) or not facts.there(WHOLE, *PARTS):
        return
    box = facts.grown(facts.structures[DUCT].box, 0)
    homes = facts.union((WHOLE, *PARTS, LESION, "common_bile_duct", "duodenum"), box)
    duct = facts.union((DUCT,), box)
    outside = float(
        np.count_nonzero(duct & ~ndimage.binary_dilation(homes, _CORNERS)) / np.count_nonzero(duct)
    )
    limit = rule("duct_outside").threshold
    if limit is not None and outside > limit:
        why = f"{outside:.0%} of it lie neither in the pancreas nor where the duct may go."
        yield Breach(why, DUCT, outside, shown=(WHOLE,))


def _wrong_side(facts: Facts, name: str, side: str) -> Iterator[Breach]:
    if not facts.size(name) or not facts.size(_ARTERY) or is_reversed(facts, 0):
        return
    beyond = facts.structures[name].beyond(facts.structures[_ARTERY].centre[0])
    wrong = beyond if side == "right" else 1 - beyond
    limit = rule("head_left_of_vessels" if side == "left" else "tail_right_of_vessels").threshold
    if limit is not None and wrong > limit:
        why = f"{wrong:.0%} of it lie {side} of the superior mesenteric artery."
        yield Breach(why, name, wrong, shown=(_ARTERY, WHOLE))


def _shared(facts: Facts, one: str, other: str) -> int:
    return facts.overlaps.get((one, other), 0) + facts.overlaps.get((other, one), 0)
