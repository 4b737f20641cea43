"""From one label scheme to another, as a value that says what it loses."""

from dataclasses import dataclass

import numpy as np

from wirsung.anatomy.schemes import LabelClass, Scheme
from wirsung.errors import LabelError


@dataclass(frozen=True)
class SchemeMapping:
    """How the values of one scheme become the values of another.

    Example:
        >>> from wirsung.anatomy.schemes import scheme
        >>> mapping = map_scheme(scheme("pants-28"), scheme("pants-2"))
        >>> mapping.apply(np.array([0, 14, 17, 19, 28]))
        array([0, 0, 1, 1, 2], dtype=uint8)
        >>> mapping.is_lossy
        True
    """

    source: Scheme
    target: Scheme
    table: dict[int, int]
    """Source value to target value; a dropped class goes to 0."""
    dropped: tuple[str, ...]
    """Source classes that the target has no place for."""
    merged: dict[str, tuple[str, ...]]
    """Target classes that hold more than one source class."""
    absent: tuple[str, ...]
    """Target classes that no source class can fill: never scored, never learnt as background."""

    @property
    def is_lossy(self) -> bool:
        """Whether the way back is closed."""
        return bool(self.dropped or self.merged)

    def describe(self) -> str:
        """What is lost, in words for a log or a page.

        Example:
            >>> from wirsung.anatomy.schemes import scheme
            >>> map_scheme(scheme("msd-pancreas"), scheme("pancreas")).describe()
            'msd-pancreas to pancreas: pancreas merges pancreas, cancer.'
        """
        losses = []
        if self.dropped:
            losses.append(f"dropped {', '.join(self.dropped)}")
        losses += [f"{target} merges {', '.join(sources)}" for target, sources in self.merged.items()]
        if self.absent:
            losses.append(f"nothing to fill {', '.join(self.absent)}")
        return f"{self.source.name} to {self.target.name}: {'; '.join(losses) or 'nothing is lost'}."

    def apply(self, label_map: np.ndarray) -> np.ndarray:
        """The label map in the target scheme, uint8, or uint16 where a value needs it.

        Raises:
            LabelError: The label map holds a value that the source scheme does not.
        """
        values = np.unique(label_map)
        unknown = [int(value) for value in values if value != 0 and int(value) not in self.table]
        if unknown:
            msg = (
                f"The label map holds {unknown}, which {self.source.name} does not have. Name its own scheme."
            )
            raise LabelError(msg)
        largest = max(self.target.values)
        lookup = np.zeros(int(max(values.max(), 0)) + 1, dtype=np.uint8 if largest < 256 else np.uint16)
        for value in values[values != 0]:
            lookup[value] = self.table[int(value)]
        return np.asarray(lookup[label_map])

    def inverted(self) -> "SchemeMapping":
        """The mapping back.

        Raises:
            LabelError: This one is lossy, so there is no way back.
        """
        if self.is_lossy:
            msg = f"There is no way back: {self.describe()}"
            raise LabelError(msg)
        return map_scheme(self.target, self.source)


def map_scheme(source: Scheme, target: Scheme) -> SchemeMapping:
    """The mapping from one scheme to another.

    A class goes to the target class that holds all of its structures; one without a counterpart is dropped.

    Raises:
        LabelError: A source class would have to be taken apart, such as `arteries` into aorta and the rest.
    """
    table: dict[int, int] = {}
    filled: dict[str, list[str]] = {}
    dropped: list[str] = []
    for item in source.classes:
        place = _place(item, source, target)
        table[item.value] = place.value if place else 0
        if place:
            filled.setdefault(place.name, []).append(item.name)
        else:
            dropped.append(item.name)
    merged = {name: tuple(sources) for name, sources in filled.items() if len(sources) > 1}
    absent = tuple(item.name for item in target.classes if item.name not in filled)
    return SchemeMapping(source, target, table, tuple(dropped), merged, absent)


def _place(item: LabelClass, source: Scheme, target: Scheme) -> LabelClass | None:
    places = {name: target.class_of(name) for name in item.structures}
    if len(set(places.values())) == 1:
        return next(iter(places.values()))
    split = ", ".join(f"{name} to {place.name if place else 'nothing'}" for name, place in places.items())
    msg = f"{source.name} can't be mapped to {target.name}: its class {item.name} would be split ({split})."
    raise LabelError(msg)
