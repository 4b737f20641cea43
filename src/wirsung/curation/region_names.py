"""What a region of a SEG or RTSTRUCT stands for: by its code, else by its name.

A name is a header's text and may be a patient's. So a message shows a name only where each of its words is on
the list below; of all others it shows the number.

Source:
    AAPM TG-263 for the names that planning systems give.
"""

import re
from collections.abc import Mapping
from difflib import get_close_matches
from functools import cache

from wirsung.anatomy.schemes import Scheme, scheme, scheme_names
from wirsung.anatomy.structures import structures
from wirsung.errors import LabelError
from wirsung.imaging.dicom_regions import Region

_ALIKE = 0.85
"""From here on two names are so much alike that one is a slip of the pen."""

_SYNONYMS = {
    "aorta": ("a_aorta",),
    "bladder": ("urinary_bladder",),
    "celiac_artery": ("a_celiac", "celiac_aa", "celiac_trunk", "coeliac_trunk", "coeliac_artery"),
    "colon": ("large_bowel", "bowel_large"),
    "common_bile_duct": ("bileduct_common", "cbd"),
    "gall_bladder": ("gallbladder",),
    "pancreas_body": ("body_of_pancreas",),
    "pancreas_head": ("head_of_pancreas",),
    "pancreas_tail": ("tail_of_pancreas",),
    "pancreatic_duct": ("main_pancreatic_duct", "pancreas_duct"),
    "pancreatic_lesion": ("pancreas_lesion", "pancreas_tumor", "pancreas_tumour", "pancreatic_tumor"),
    "postcava": ("inferior_vena_cava", "ivc", "v_venacava_i"),
    "superior_mesenteric_artery": ("a_mesenteric_s", "sma"),
}
_SIDED = {
    "adrenal_gland": ("adrenal", "glnd_adrenal"),
    "femur": (),
    "kidney": (),
    "lung": (),
}
_WORDS = frozenset(
    re.findall(
        "[a-z]+",
        """avoid background bag body bone bowel canal contour cord couch ctv external gtv heart itv l left
        lesion marrow mask mass organ prv ptv r right ring roi segment skin small spinal table total tumor
        tumour vessel wall""",
    )
)


def structure_of(region: Region, labels: Scheme, *, case: str) -> str | None:
    """The official structure that a region stands for; None for none.

    A SNOMED CT code decides, with its side. Without one that is known, the name does: as PanTS, TG-263 or the
    scheme spells it, whatever its case and separators. Lesions may be numbered.

    Raises:
        LabelError: Code and name contradict each other, or the name is nearly a known one.

    Example:
        >>> structure_of(Region(1, "Kidney_L"), scheme("pants-28"), case="a")
        'kidney_left'
        >>> structure_of(Region(2, "PTV 50"), scheme("pants-28"), case="a")
    """
    known = {**_names(), **_of_scheme(labels)}
    name = plain(region.name)
    by_name = known.get(name) or (known.get(re.sub(r"_\d{1,2}$", "", name)) if "lesion" in name else None)
    by_code = _codes().get((region.code, region.side or _side(name)))
    if by_code and by_name and by_code != by_name:
        msg = (
            f"Case {case}: region {region.number} is {by_code} by its code and {by_name} by its name. "
            "Mend one of them where it was drawn."
        )
        raise LabelError(msg)
    if by_code or by_name:
        return by_code or by_name
    if name not in _dropped_names():
        near = get_close_matches(name, known, n=1, cutoff=_ALIKE)
        if near:
            msg = (
                f"Case {case}: the name of region {region.number} is nearly, but not quite, one of "
                f"{known[near[0]]}. Mend the name where it was drawn, or take the region away."
            )
            raise LabelError(msg)
    return None


def shown_name(region: Region) -> str:
    """The name where it consists of known words and numbers alone, else the number.

    Example:
        >>> shown_name(Region(3, "Liver PTV 2")), shown_name(Region(4, "Erika liver"))
        ('liver_ptv_2', 'region 4')
    """
    name = plain(region.name)
    words = name.split("_")
    is_plain = bool(name) and all(word in _vocabulary() or re.fullmatch(r"\d{1,2}", word) for word in words)
    return name if is_plain else f"region {region.number}"


def plain(name: str) -> str:
    """A name in small letters, its words joined by underscores.

    Example:
        >>> plain(" Kidney, LEFT (2)")
        'kidney_left_2'
    """
    return re.sub(r"[^a-z0-9]+", "_", name.lower()).strip("_")


@cache
def _names() -> dict[str, str]:
    """Every spelling of a structure."""
    found = {name: name for name in structures()}
    for name, others in _SYNONYMS.items():
        found |= dict.fromkeys(others, name)
    for organ, others in _SIDED.items():
        for side in ("left", "right"):
            for word in (organ, *others):
                marks = (side, side[0], f"{side[0]}t")
                spelled = [f"{word}_{mark}" for mark in marks] + [f"{mark}_{word}" for mark in marks]
                found |= dict.fromkeys(spelled, f"{organ}_{side}")
    return found


def _of_scheme(labels: Scheme) -> Mapping[str, str]:
    """The scheme's classes that are one official structure each."""
    official = structures()
    return {
        plain(item.name): item.structures[0]
        for item in labels.classes
        if len(item.structures) == 1 and item.structures[0] in official
    }


@cache
def _codes() -> dict[tuple[str, str], str]:
    found: dict[tuple[str, str], str] = {}
    for item in structures().values():
        if item.snomed_code:
            # A structure without sides may still be given one, as a lung's lobe may.
            for side in [item.laterality] if item.laterality else ["", "left", "right"]:
                found[item.snomed_code, side] = item.name
    return found


def _side(name: str) -> str:
    """The side that a name tells, for a code that tells none."""
    words = name.split("_")
    sides = [side for side in ("left", "right") if side in words or side[0] in words]
    return sides[0] if len(sides) == 1 else ""


@cache
def _dropped_names() -> frozenset[str]:
    """Names of other structures that the built-in schemes know: they are no slips of the pen."""
    return frozenset(plain(item.name) for name in scheme_names() for item in scheme(name).classes)


@cache
def _vocabulary() -> frozenset[str]:
    spellings = _dropped_names() | _names().keys()
    return _WORDS | {word for spelling in spellings for word in spelling.split("_")}
