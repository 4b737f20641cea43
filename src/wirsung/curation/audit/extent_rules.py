"""Rules of extent: how large a structure is, in how many pieces, what it overlaps, what the image cuts."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from wirsung.anatomy.standard import norm, rule
from wirsung.anatomy.structures import containers, structures
from wirsung.curation.audit.facts import Facts, StructureFacts
from wirsung.curation.audit.judging import Breach, judges

_ADULT_YEARS = 18
_CORNERS = np.ones((3, 3, 3), dtype=bool)
_REACH_SIDES = ("lung_left", "lung_right", "colon")
"""What a field of view may cut without harm: arms, breasts and bowel lie at the skin."""
_MUST_END = ("pancreas", "pancreas_head", "pancreas_body", "pancreas_tail", "pancreatic_lesion")
_MAY_OVERLAP = ("pancreatic_lesion", "pancreatic_duct", "common_bile_duct")
"""A lesion grows into its neighbours; the ducts run through organs."""


@judges("several_pieces")
def several_pieces(facts: Facts) -> Iterator[Breach]:
    """What is one piece in a body is one."""
    limit = rule("several_pieces").threshold
    for item in _in_one_piece(facts):
        pieces, apart = _pieces(facts, item)
        if limit is not None and apart > limit * item.voxels:
            why = f"it is in {pieces} pieces; {apart / item.voxels:.0%} of it are apart from the largest."
            yield Breach(why, item.name, apart / item.voxels)


@judges("specks")
def specks(facts: Facts) -> Iterator[Breach]:
    """What is one piece in a body has no specks besides."""
    limit = rule("several_pieces").threshold
    for item in _in_one_piece(facts):
        pieces, apart = _pieces(facts, item)
        if limit is not None and 0 < apart <= limit * item.voxels:
            yield Breach(f"{apart} voxels lie apart from it, in {pieces - 1} pieces.", item.name, apart)


@judges("organs_overlap")
def organs_overlap(facts: Facts) -> Iterator[Breach]:
    """Structures that don't contain each other have little in common."""
    limit = rule("organs_overlap").threshold
    for (one, other), shared in facts.overlaps.items():
        if {one, other} & {*_MAY_OVERLAP} or _are_nested(one, other):
            continue
        small, large = sorted((one, other), key=facts.size)
        fraction = shared / facts.size(small)
        if limit is not None and fraction > limit:
            yield Breach(f"{fraction:.0%} of it are in {large} too.", small, fraction, shown=(large,))


@judges("volume_low")
def volume_low(facts: Facts) -> Iterator[Breach]:
    """No structure is smaller than a body allows."""
    age = facts.row.age_years if facts.row else None
    if age is not None and age < _ADULT_YEARS:
        return
    for item in facts.there():
        allowed, volume_ml = norm(item.name), facts.volume_ml(item.name)
        if allowed and volume_ml < allowed.volume_ml[0] and not _is_cut(facts, item, (0, 1, 2)):
            low = allowed.volume_ml[0]
            yield Breach(
                f"it has {volume_ml:.3g} ml, but should have at least {low:g} ml.", item.name, volume_ml, low
            )


@judges("volume_high")
def volume_high(facts: Facts) -> Iterator[Breach]:
    """No structure is larger than a body allows."""
    for item in facts.there():
        allowed, volume_ml = norm(item.name), facts.volume_ml(item.name)
        if allowed and volume_ml > allowed.volume_ml[1]:
            high = allowed.volume_ml[1]
            yield Breach(
                f"it has {volume_ml:.4g} ml, but should have at most {high:g} ml.", item.name, volume_ml, high
            )


@judges("cut_at_side")
def cut_at_side(facts: Facts) -> Iterator[Breach]:
    """The field of view holds the organs."""
    for item in facts.there():
        if item.name in structures() and item.name not in _REACH_SIDES and _is_cut(facts, item, (0, 1)):
            yield Breach("it reaches the side of the image, so that part of it may be missing.", item.name)


@judges("cut_at_end")
def cut_at_end(facts: Facts) -> Iterator[Breach]:
    """The scan doesn't end in the pancreas."""
    for item in facts.there(*_MUST_END):
        if _is_cut(facts, item, (2,)):
            yield Breach("it reaches the first or last slice, so that part of it may be missing.", item.name)


def _in_one_piece(facts: Facts) -> list[StructureFacts]:
    return [item for item in facts.there() if (allowed := norm(item.name)) and allowed.one_piece]


def _pieces(facts: Facts, item: StructureFacts) -> tuple[int, int]:
    """How many, and the voxels outside the largest."""
    if item.name not in facts.pieces:
        labelled, count = ndimage.label(facts.union((item.name,), item.box), _CORNERS)
        largest = int(np.bincount(labelled.ravel())[1:].max())
        facts.pieces[item.name] = int(count), item.voxels - largest
    return facts.pieces[item.name]


def _are_nested(one: str, other: str) -> bool:
    return one in containers(other) or other in containers(one)


def _is_cut(facts: Facts, item: StructureFacts, axes: tuple[int, ...]) -> bool:
    return any(item.box[axis].start == 0 or item.box[axis].stop == facts.shape[axis] for axis in axes)
