"""Classes that nobody drew in some of the training cases: there they would be learnt as background."""

from collections.abc import Collection, Mapping, Sequence

from wirsung.anatomy.schemes import LabelClass, Scheme, scheme, scheme_names
from wirsung.anatomy.structures import containers, structures
from wirsung.datasets.layout import Case
from wirsung.errors import LabelError, counted
from wirsung.evaluation.views import is_annotated

_FEW = 5


def refuse_undrawn(chosen: Scheme, cases: Sequence[Case], drawn: Mapping[str, Collection[str]]) -> None:
    """Pass where every class of the scheme was drawn in every case.

    Args:
        chosen: What is to be learnt.
        cases: What is learnt from.
        drawn: By case, what was drawn.

    Raises:
        LabelError: A class was not, or only in part; the message counts its cases and says what to do.
    """
    lacking = {
        item.name: [case.id for case in cases if not is_drawn(item, chosen, drawn[case.id])]
        for item in chosen.classes
    }
    lacking = {name: without for name, without in lacking.items() if without}
    if not lacking:
        return
    told = _told(lacking, len(cases))
    some = {case for without in lacking.values() for case in without}
    leave = "" if len(some) == len(cases) else f" Or leave the {_counted(len(some))} out of the dataset."
    msg = (
        f"Of {chosen.name}, nobody drew {'; '.join(told)}: there it would be learnt as background. "
        f"{_remedy(cases, drawn)}{leave}"
    )
    raise LabelError(msg)


def is_drawn(item: LabelClass, chosen: Scheme, drawn: Collection[str]) -> bool:
    """Whether all that the class holds was drawn.

    Example:
        >>> two = scheme("pants-2")
        >>> [is_drawn(item, two, {"pancreas"}) for item in two.classes]
        [True, False]
    """
    if item.name not in structures():
        return is_annotated(item.name, chosen, drawn)
    whole = [name for name in item.structures if set(containers(name)[1:]).isdisjoint(item.structures)]
    return all(is_annotated(name, chosen, drawn) for name in whole)


def _told(lacking: Mapping[str, Sequence[str]], count: int) -> list[str]:
    """The classes that some cases lack, each with its cases, then those that all lack."""
    nowhere = [name for name, without in lacking.items() if len(without) == count]
    partly = [name for name in lacking if name not in nowhere]
    told = [f"{name} in {len(lacking[name])} of {_counted(count)} ({_few(lacking[name])})" for name in partly]
    told = told[:_FEW] + [f"{len(told) - _FEW} more classes in some of them"] * (len(told) > _FEW)
    where = "the only case" if count == 1 else f"any of the {_counted(count)}"
    return [*told, f"{_few(nowhere)} in {where}"] if nowhere else told


def _few(names: Sequence[str]) -> str:
    return ", ".join(names[:_FEW]) + (f" and {len(names) - _FEW} more" if len(names) > _FEW else "")


def _counted(count: int) -> str:
    return counted(count, "case", "cases")


def _remedy(cases: Sequence[Case], drawn: Mapping[str, Collection[str]]) -> str:
    """A scheme whose every class is drawn everywhere: the labels' own, else the one of most classes."""
    own = cases[0].style.scheme_name
    fitting = [
        found
        for found in map(scheme, scheme_names())
        if all(is_drawn(item, found, drawn[case.id]) for case in cases for item in found.classes)
    ]
    if not fitting:
        return (
            "No built-in scheme fits all cases: train on cases that share their classes, and name those in a "
            ".toml of your own with --scheme."
        )
    best = max(fitting, key=lambda found: (found.name == own, len(found.classes)))
    return f"Choose a scheme that fits, such as --scheme {best.name}."
