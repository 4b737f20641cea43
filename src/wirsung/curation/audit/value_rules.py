"""Rules of the image's values: HU of structures, contrast phases, and whether it is an abdomen at all."""

from collections.abc import Iterator

import numpy as np

from wirsung.anatomy.standard import norm, phase_norms, rule
from wirsung.curation.audit.facts import Facts
from wirsung.curation.audit.judging import Breach, judges

_ABDOMEN = ("liver", "spleen", "kidney_left", "kidney_right", "pancreas")
_FEWEST = 3
_TISSUE_HU, _BONE_HU = -200, 300
_LEAST_VOXELS = 30
"""Of a mask, for its median to mean anything."""


@judges("hu_implausible")
def hu_implausible(facts: Facts) -> Iterator[Breach]:
    """A structure is as bright as it can be."""
    for item in facts.there():
        allowed, median = norm(item.name), item.median_hu
        if allowed is None or np.isnan(median) or item.voxels < _LEAST_VOXELS:
            continue
        low, high = allowed.hu
        if not low <= median <= high:
            why = f"its median is {median:.0f} HU, but should lie between {low:g} and {high:g} HU."
            yield Breach(why, item.name, median, low if median < low else high)


@judges("phase_hu")
def phase_hu(facts: Facts) -> Iterator[Breach]:
    """The vessels are as bright as the contrast phase says."""
    phase = facts.row.phase if facts.row else None
    if phase not in phase_norms():
        return
    told = phase_norms()[phase]
    for name, (low, high) in (("aorta", told.aorta), ("veins", told.veins)):
        for item in facts.there(name):
            if np.isnan(item.median_hu) or low <= item.median_hu <= high:
                continue
            why = (
                f"its median is {item.median_hu:.0f} HU, but the phase is said to be {phase}, "
                f"which gives {low:g} to {high:g} HU."
            )
            yield Breach(why, name, item.median_hu, low if item.median_hu < low else high)


@judges("not_abdomen")
def not_abdomen(facts: Facts) -> Iterator[Breach]:
    """The image shows the abdomen."""
    told = [name for name in _ABDOMEN if name in facts.structures]
    if len(told) >= _FEWEST:
        if not facts.there(*told):
            yield Breach(f"the masks of {', '.join(told)} are empty. Does the image show the abdomen?")
        return
    if facts.is_ct and facts.image is not None:
        voxels = facts.image.voxels
        tissue = np.count_nonzero(voxels > _TISSUE_HU)
        bone = np.count_nonzero(voxels > _BONE_HU) / max(int(tissue), 1)
        limit = rule("not_abdomen").threshold
        if limit is not None and bone > limit:
            yield Breach(f"{bone:.0%} of the tissue are bone. Does the image show the abdomen?", value=bone)
