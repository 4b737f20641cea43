"""Rules of the body: which way up it lies, what is left and right, where the great vessels run."""

from collections.abc import Iterator

import numpy as np
from scipy import ndimage

from wirsung.anatomy.standard import rule
from wirsung.curation.audit.facts import Facts
from wirsung.curation.audit.judging import Breach, judges

_FURTHER = (
    (
        ("liver", "spleen"),
        ("liver", "stomach"),
        ("gall_bladder", "spleen"),
        ("gall_bladder", "stomach"),
        ("postcava", "aorta"),
        ("pancreas_head", "pancreas_tail"),
    ),
    (
        ("kidney_left", "pancreas"),
        ("kidney_right", "pancreas"),
        ("kidney_left", "stomach"),
        ("kidney_right", "gall_bladder"),
        ("aorta", "pancreas"),
        ("aorta", "stomach"),
    ),
    (
        ("lung_left", "kidney_left"),
        ("lung_right", "kidney_right"),
        ("lung_left", "bladder"),
        ("lung_right", "bladder"),
        ("liver", "bladder"),
        ("spleen", "bladder"),
        ("kidney_left", "femur_left"),
        ("kidney_right", "femur_right"),
        ("liver", "femur_right"),
        ("lung_left", "pancreas"),
        ("lung_right", "pancreas"),
    ),
)
"""By axis, pairs whose first lies farther right, back or up."""

_WORDS = (
    "left and right are exchanged",
    "front and back are exchanged",
    "top and bottom are exchanged",
)
_FEWEST = 2
"""Pairs: one alone may be an odd patient."""
_PAIRED = ("kidney", "adrenal_gland", "lung", "femur")
_LONE_MM = 20.0
"""How far beyond the aorta a lone organ of a pair may lie."""
_BRANCHES = ("celiac_artery", "superior_mesenteric_artery")
_MARGIN_MM = 2.0


@judges("orientation")
def orientation(facts: Facts) -> Iterator[Breach]:
    """Organs lie to each other as in a body."""
    limit = rule("orientation").threshold
    for axis, words in enumerate(_WORDS):
        pairs, wrong = _votes(facts, axis)
        if limit is not None and len(pairs) >= _FEWEST and len(wrong) / len(pairs) > limit:
            why = f"{words}, by {len(wrong)} of {len(pairs)} pairs of organs. Mend the header."
            yield Breach(why, value=len(wrong) / len(pairs), shown=tuple(dict.fromkeys(sum(wrong[:2], ()))))


def is_reversed(facts: Facts, axis: int) -> bool:
    """Whether most pairs of organs are the wrong way round along an axis, so that the header is at fault."""
    pairs, wrong = _votes(facts, axis)
    return len(pairs) >= _FEWEST and 2 * len(wrong) > len(pairs)


@judges("side_swapped")
def side_swapped(facts: Facts) -> Iterator[Breach]:
    """What is called right lies right."""
    if is_reversed(facts, 0):
        return  # the header is at fault, not the names
    for organ in _PAIRED:
        left, right = f"{organ}_left", f"{organ}_right"
        if facts.size(left) and facts.size(right):
            wrong_mm = facts.centre_mm(left, 0) - facts.centre_mm(right, 0)
            if wrong_mm > 0:
                why = f"its centre lies {wrong_mm:.0f} mm left of that of {left}. Are the names exchanged?"
                yield Breach(why, right, wrong_mm, shown=(left,))
        else:
            yield from _lone(facts, left, right)


def _lone(facts: Facts, left: str, right: str) -> Iterator[Breach]:
    if not facts.size("aorta"):
        return
    for name, sign in ((left, 1), (right, -1)):
        if facts.size(name):
            wrong_mm = sign * (facts.centre_mm(name, 0) - facts.centre_mm("aorta", 0))
            if wrong_mm > _LONE_MM:
                why = f"its centre lies {wrong_mm:.0f} mm beyond the aorta, on the other side of the body."
                yield Breach(why, name, wrong_mm, _LONE_MM, shown=("aorta",))


@judges("postcava_left_of_aorta")
def postcava_left_of_aorta(facts: Facts) -> Iterator[Breach]:
    """The vena cava lies right of the aorta."""
    if is_reversed(facts, 0) or len(facts.there("aorta", "postcava")) < 2:
        return
    wrong_mm = facts.centre_mm("aorta", 0) - facts.centre_mm("postcava", 0)
    if wrong_mm > 0:
        why = f"its centre lies {wrong_mm:.0f} mm left of the aorta's. Are the two exchanged?"
        yield Breach(why, "postcava", wrong_mm, shown=("aorta",))


@judges("aorta_gap")
def aorta_gap(facts: Facts) -> Iterator[Breach]:
    """The aorta is in every slice between its ends."""
    for aorta in facts.there("aorta"):
        line = aorta.counts[2][aorta.box[2]]
        gaps = int(np.count_nonzero(line == 0))
        if gaps:
            yield Breach(f"{gaps} slices between its ends have none of it.", "aorta", gaps)


@judges("aorta_extent")
def aorta_extent(facts: Facts) -> Iterator[Breach]:
    """The aorta reaches over the height of the pancreas."""
    if len(facts.there("aorta", "pancreas")) < 2:
        return
    aorta, pancreas = facts.structures["aorta"].box[2], facts.structures["pancreas"].box[2]
    missing = max(aorta.start - pancreas.start, pancreas.stop - aorta.stop)
    missing_mm = missing * facts.spacing_mm[2]
    limit = rule("aorta_extent").threshold
    if limit is not None and missing_mm > limit:
        end = "below" if aorta.start - pancreas.start == missing else "above"
        why = f"the pancreas reaches {missing_mm:.0f} mm {end} its end."
        yield Breach(why, "aorta", missing_mm, shown=("pancreas",))


@judges("branch_apart")
def branch_apart(facts: Facts) -> Iterator[Breach]:
    """Celiac and superior mesenteric artery begin at the aorta."""
    limit = rule("branch_apart").threshold
    if limit is None or not facts.size("aorta"):
        return
    for branch in facts.there(*_BRANCHES):
        box = facts.grown(branch.box, limit + _MARGIN_MM)
        aorta = facts.union(("aorta",), box)
        gap_mm = limit + _MARGIN_MM
        if aorta.any():
            away_mm = ndimage.distance_transform_edt(~aorta, sampling=facts.spacing_mm)
            gap_mm = float(away_mm[facts.union((branch.name,), box)].min())
        if gap_mm > limit:
            why = f"it begins {'at least ' if not aorta.any() else ''}{gap_mm:.0f} mm away from the aorta."
            yield Breach(why, branch.name, gap_mm, shown=("aorta",))


@judges("organ_empty")
def organ_empty(facts: Facts) -> Iterator[Breach]:
    """What every patient has is there."""
    vital = ("aorta", "postcava", "liver")
    if len([item for item in facts.there() if item.name not in vital]) < 3:
        return
    for name in vital:
        if name in facts.structures and not facts.size(name):
            yield Breach("the mask is empty, but other organs are there.", name)


def _votes(facts: Facts, axis: int) -> tuple[list[tuple[str, str]], list[tuple[str, str]]]:
    """The pairs that are both there, and those of them that are the wrong way round."""
    pairs = [pair for pair in _FURTHER[axis] if len(facts.there(*pair)) == 2]
    centre = {name: facts.structures[name].centre[axis] for pair in pairs for name in pair}
    return pairs, [(first, second) for first, second in pairs if centre[first] < centre[second]]
