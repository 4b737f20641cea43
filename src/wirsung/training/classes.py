"""What the network learns: the classes of a scheme that the dataset has masks for."""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from wirsung.anatomy.schemes import LabelClass, Scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.layout import Case
from wirsung.errors import LabelError
from wirsung.training.undrawn import refuse_undrawn


@dataclass(frozen=True)
class Classes:
    """The learnt classes in the order of their values; index 1 is the first, 0 is background."""

    scheme: Scheme
    learnt: tuple[LabelClass, ...]

    @property
    def labels(self) -> dict[str, int]:
        """As `dataset.json` has them."""
        return {"background": 0} | {item.name: index for index, item in enumerate(self.learnt, start=1)}

    @property
    def name_sides(self) -> bool:
        """Whether a class stands for one side of the body only, so that mirroring would teach a lie."""
        known = structures()
        names = [name for item in self.learnt for name in item.structures]
        return any(name in known and known[name].laterality is not None for name in names)

    def indices(self, label_map: NDArray[np.integer]) -> NDArray[np.int16]:
        """The label map's values as class indices; values that are not learnt become background."""
        lookup = np.zeros(max(self.scheme.values) + 1, np.int16)
        for index, item in enumerate(self.learnt, start=1):
            lookup[item.value] = index
        taken: NDArray[np.int16] = lookup[label_map]
        return taken


def choose_classes(
    scheme: Scheme, cases: Sequence[Case], drawn: Mapping[str, Collection[str]] | None = None
) -> Classes:
    """The scheme's classes that the cases have masks for.

    Args:
        scheme: What is to be learnt.
        cases: What is learnt from.
        drawn: By case what was drawn, where the dataset says so, as `datasets.annotated` tells it. Then every
            class of the scheme must be drawn in every case: a voxel of it elsewhere would be a lie.

    Raises:
        LabelError: A case has no masks, or lacks one that others have: its voxels would be learnt as
            background. Or no class of the scheme has a mask anywhere.
    """
    masks = {case.id: set(case.structure_names()) for case in cases}
    _refuse("no masks", [case for case, names in masks.items() if not names])
    if drawn is not None:
        refuse_undrawn(scheme, cases, drawn)
        return Classes(scheme, tuple(sorted(scheme.classes, key=lambda item: item.value)))
    annotated = {name for names in masks.values() for name in names if scheme.class_of(name)}
    for name in sorted(annotated):
        without = [case for case, names in masks.items() if name not in names]
        _refuse(f"no mask of {name}, which others have", without)
    filled = {place.value for name in annotated if (place := scheme.class_of(name))}
    learnt = tuple(sorted((item for item in scheme.classes if item.value in filled), key=lambda c: c.value))
    if not learnt:
        msg = f"No case has a mask that {scheme.name} has a class for. Choose another --scheme."
        raise LabelError(msg)
    return Classes(scheme, learnt)


def _refuse(what: str, cases: Sequence[str]) -> None:
    if cases:
        more = f" and {len(cases) - 5} more" if len(cases) > 5 else ""
        msg = (
            f"{', '.join(cases[:5])}{more}: {what}, so it can't be learnt from. "
            "Add the masks (empty where the structure is absent), or take the cases out of the dataset."
        )
        raise LabelError(msg)
