"""The structures: names, official values, groups, colours, SNOMED CT codes, and which contains which.

The data lie in `structures.toml`; this module reads them once.
"""

import tomllib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any, Literal

from wirsung.errors import LabelError, near_names


@dataclass(frozen=True)
class Structure:
    """One anatomical structure or lesion.

    Example:
        >>> structure("pancreas_head").part_of
        'pancreas'
        >>> structure("kidney_left").laterality
        'left'
    """

    name: str
    """As the PanTS release names the file, without suffix."""
    value: int
    """The official PanTS label value, 1 to 28; larger for structures that a scheme file adds."""
    group: str
    """gland, vessel, organ, hollow_organ, duct, bone, lung, pancreas, lesion, or what a scheme file says."""
    colour: str
    """Display colour, #rrggbb."""
    snomed_code: str = ""
    """SNOMED CT concept of the organ without its side; empty where unknown."""
    snomed_meaning: str = ""
    """The concept's name as DICOM gives it."""
    laterality: Literal["left", "right"] | None = None
    """The patient's side, for paired organs."""
    part_of: str | None = None
    """The structure that contains this one."""

    @property
    def title(self) -> str:
        """For people: `kidney_left` is `kidney left`."""
        return self.name.replace("_", " ")


@cache
def structures() -> dict[str, Structure]:
    """The 28 structures of PanTS by name, in the order of their official values."""
    text = files("wirsung.anatomy").joinpath("structures.toml").read_text(encoding="utf-8")
    rows: list[dict[str, Any]] = tomllib.loads(text)["structures"]
    return {row["name"]: Structure(**row) for row in rows}


def structure(name: str) -> Structure:
    """The structure of that name.

    Raises:
        LabelError: No such structure; the message lists the near names.
    """
    known = structures()
    if name not in known:
        msg = f"There is no structure named {name!r}. {near_names(name, known)}"
        raise LabelError(msg)
    return known[name]


def containers(name: str) -> tuple[str, ...]:
    """The structure itself, then what contains it, innermost first; an unregistered name stands alone.

    Example:
        >>> containers("pancreatic_lesion")
        ('pancreatic_lesion', 'pancreas')
    """
    chain = [name]
    known = structures()
    while chain[-1] in known and (outer := known[chain[-1]].part_of):
        chain.append(outer)
    return tuple(chain)


def parts(name: str) -> tuple[str, ...]:
    """The structures that `name` contains, without itself.

    Example:
        >>> parts("pancreas")
        ('pancreas_body', 'pancreas_head', 'pancreas_tail', 'pancreatic_duct', 'pancreatic_lesion')
    """
    return tuple(other for other in structures() if other != name and name in containers(other))
