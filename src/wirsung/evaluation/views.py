"""Structures as they are scored: which values of each label map, taken together, are one structure."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass

from wirsung.anatomy.schemes import LabelClass, Scheme
from wirsung.anatomy.structures import containers, parts, structures
from wirsung.errors import LabelError

_PANCREAS = "pancreas"


@dataclass(frozen=True)
class View:
    """One structure and its values in both label maps."""

    structure: str
    reference_values: tuple[int, ...]
    prediction_values: tuple[int, ...]


def views(reference: Scheme, prediction: Scheme, *, by_class: bool = False) -> tuple[View, ...]:
    """Every structure that both schemes can tell, the pancreas and its parts first, then in official order.

    A structure holds its parts: the pancreas is head, body, tail, duct and lesion together.

    Args:
        reference: Of the reference's label map.
        prediction: Of the prediction's.
        by_class: Each class of the prediction's scheme by itself instead, such as a pancreas without its
            lesion.

    Example:
        >>> from wirsung.anatomy.schemes import scheme
        >>> for view in views(scheme("pants-28"), scheme("pants-2")):
        ...     print(view.structure, view.reference_values, view.prediction_values)
        pancreas (17, 18, 19, 20, 21, 28) (1, 2)
        pancreatic_lesion (28,) (2,)
    """
    if by_class:
        return tuple(_class_views(reference, prediction))
    shared = [name for name in prediction.structure_names() if reference.values_within(name)]
    shared.sort(key=lambda name: (_PANCREAS not in containers(name), name != _PANCREAS))
    found = [View(name, reference.values_within(name), prediction.values_within(name)) for name in shared]
    # Classes such as panorama-6's arteries are no registered structure, but the same on both sides.
    for item in prediction.classes:
        if item.name in structures() or set(item.structures) <= set(shared):
            continue
        twins = [other for other in reference.classes if set(other.structures) == set(item.structures)]
        if len(twins) > 1:  # such as a kidney, its tumours and its cysts
            twins = [twin for twin in twins if twin.name == item.name]
        found += [View(item.name, (twin.value,), (item.value,)) for twin in twins]
    return tuple(found)


def _class_views(reference: Scheme, prediction: Scheme) -> Iterator[View]:
    """Each class of the prediction with what of the reference falls into it; the pancreas's classes first."""
    found = []
    for item in prediction.classes:
        # A lobe shares its structure, the lung, with others, and goes by its own name.
        alone = [_class_of(prediction, structure) for structure in item.structures] == [item]
        values = [other.value for other in reference.classes if _falls_into(other, item, prediction)]
        if values:
            name = item.structures[0] if alone else item.name
            found.append(View(name, tuple(sorted(values)), (item.value,)))
    yield from sorted(found, key=lambda view: _PANCREAS not in containers(view.structure))


def _falls_into(reference: LabelClass, item: LabelClass, prediction: Scheme) -> bool:
    if (reference.name, set(reference.structures)) == (item.name, set(item.structures)):
        return True
    return all(_class_of(prediction, structure) == item for structure in reference.structures)


def _class_of(scheme: Scheme, structure: str) -> LabelClass | None:
    """The class that holds the structure; None where the scheme has none or divides it among several."""
    try:
        return scheme.class_of(structure)
    except LabelError:
        return None


def _shares_structures(item: LabelClass, scheme: Scheme) -> bool:
    """Whether other classes hold the rest of its structures, as lobes do of a lung."""
    mine = set(item.structures)
    return any(mine & set(other.structures) for other in scheme.classes if other != item)


def is_annotated(structure_name: str, scheme: Scheme, present: Collection[str]) -> bool:
    """Whether a case with masks of the structures `present` annotates this one.

    The pancreas is annotated where its own mask is there, or those of all its parts of the same group (head,
    body and tail); a class of several structures where all of them are.

    Example:
        >>> from wirsung.anatomy.schemes import scheme
        >>> is_annotated("pancreas", scheme("pants-2"), {"pancreas_head", "pancreatic_lesion"})
        False
    """
    for item in scheme.classes:
        if item.name == structure_name and item.structures != (item.name,) and item.name not in structures():
            # A foreign label map may have been drawn with the class as one, such as PANORAMA's arteries.
            return item.name in present or (
                not _shares_structures(item, scheme)
                and all(is_annotated(name, scheme, present) for name in item.structures)
            )
    if structure_name in present:
        return True
    group = structures()[structure_name].group if structure_name in structures() else None
    pieces = [part for part in parts(structure_name) if structures()[part].group == group]
    return bool(pieces) and all(piece in present for piece in pieces)
