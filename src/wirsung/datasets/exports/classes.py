"""What an export's label maps tell: the classes of a scheme that somebody drew, with values 1, 2, 3, ..."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import numpy as np

from wirsung.anatomy.schemes import LabelClass, Scheme
from wirsung.anatomy.structures import parts, structures
from wirsung.datasets.layout import Case
from wirsung.errors import LabelError
from wirsung.imaging.volume import Volume


@dataclass(frozen=True)
class ExportClasses:
    """The exported classes in the order of their values in the scheme."""

    scheme: Scheme
    kept: tuple[LabelClass, ...]

    @property
    def labels(self) -> dict[str, int]:
        """Name to value, background first.

        Example:
            >>> from wirsung.anatomy.schemes import scheme
            >>> found = scheme("pants-28")
            >>> ExportClasses(found, (found.classes[16], found.classes[27])).labels
            {'background': 0, 'pancreas': 1, 'pancreatic_lesion': 2}
        """
        return {"background": 0} | {item.name: index for index, item in enumerate(self.kept, start=1)}

    @property
    def left_out(self) -> tuple[str, ...]:
        """The scheme's classes that nobody drew."""
        return tuple(item.name for item in self.scheme.classes if item not in self.kept)

    @property
    def is_renumbered(self) -> bool:
        """Whether a class has another value than in the scheme."""
        return any(self.labels[item.name] != item.value for item in self.kept)

    def missing_in(self, case: Case) -> tuple[str, ...]:
        """The classes that nobody drew in this case, so that their voxels would pass for background."""
        names = set(case.structure_names())
        return tuple(item.name for item in self.kept if not is_drawn(item, names))

    def label_map(self, case: Case) -> Volume:
        """The case's masks as one label map of these values.

        Raises:
            LabelError: The case has no masks, or a class was not drawn in it.
            GeometryError: Its masks lie on different grids.
        """
        missing = self.missing_in(case)
        if missing:
            msg = (
                f"case {case.id} has no mask of {', '.join(missing)}, which others have, so its voxels would "
                "pass for background. Add the masks, or choose another --scheme."
            )
            raise LabelError(msg)
        painted = case.label_map(self.scheme)
        kind = np.uint8 if len(self.kept) < 256 else np.uint16
        lookup = np.zeros(int(max(self.scheme.values)) + 1, kind)
        for item in self.kept:
            lookup[item.value] = self.labels[item.name]
        return painted.with_voxels(lookup[painted.voxels])


def export_classes(scheme: Scheme, cases: Sequence[Case]) -> ExportClasses:
    """The scheme's classes that were drawn in at least one of the cases.

    Raises:
        LabelError: There is none.
    """
    drawn = [set(case.structure_names()) for case in cases]
    kept = [item for item in scheme.classes if any(is_drawn(item, names) for names in drawn)]
    if not kept:
        what = (
            f"masks that make a class of {scheme.name}. Choose another --scheme" if any(drawn) else "labels"
        )
        msg = f"No case has {what}."
        raise LabelError(msg)
    return ExportClasses(scheme, tuple(sorted(kept, key=lambda item: item.value)))


def is_drawn(item: LabelClass, names: Iterable[str]) -> bool:
    """Whether masks of those names make up the class: each of its structures, whole or by a part.

    A class that a foreign label map keeps as one, such as the arteries of PANORAMA, has a name of its own.

    Example:
        >>> from wirsung.anatomy.schemes import scheme
        >>> arteries = scheme("panorama-6").classes[2]
        >>> is_drawn(arteries, ["aorta"]), is_drawn(scheme("pants-2").classes[0], ["pancreas_head"])
        (False, True)
    """
    known = set(names)
    if item.name in known and item.name not in structures():
        return True
    return bool(item.structures) and all(
        name in known or not known.isdisjoint(parts(name)) for name in item.structures
    )
