"""Which cases are to be predicted, and which were done before."""

from collections.abc import Mapping
from dataclasses import dataclass, field

from wirsung.compute.outcome import Outcome, Skip, attempt
from wirsung.errors import WirsungError
from wirsung.inference.case import CaseTask, Predicted, label_file, lesion_file
from wirsung.inference.outline import Outline
from wirsung.inference.record import Known
from wirsung.inference.sources import Source


@dataclass
class Sifted:
    """The cases of one call."""

    tasks: dict[str, CaseTask] = field(default_factory=dict)
    """To be predicted."""
    outcomes: list[Outcome[Predicted]] = field(default_factory=list)
    """Of the others: done before, or quarantined."""
    moved: dict[str, Mapping[str, list[int]]] = field(default_factory=dict)
    """Cases whose files were known by their SHA-256 alone: size and time of each."""


def sifted(outline: Outline, known: Known, sources: Mapping[str, Source]) -> Sifted:
    """Part the cases that are to be predicted from the others.

    Args:
        outline: Model and settings.
        known: What earlier calls left.
        sources: By case.
    """
    found = Sifted()

    def task(source: Source) -> CaseTask:
        key = outline.key(source)
        _check(source.case, key, outline, known, found)
        return CaseTask(source, key)

    for case, source in sources.items():
        outcome = attempt(task, case, source)
        if outcome.status == "done" and outcome.value is not None:
            found.tasks[case] = outcome.value
        else:
            found.outcomes.append(outcome)  # type: ignore[arg-type] # a task comes with "done" alone
    return found


def _check(case: str, key: str, outline: Outline, known: Known, found: Sifted) -> None:
    """Do nothing where the case is to be predicted."""
    settings = outline.settings
    why = "" if settings.retry else known.quarantine(case, key)
    if why:
        raise WirsungError(why)
    done = known.predicted(case, key)
    if done is None or (settings.strict and done.notes):
        return
    paths = [label_file(settings.out, case)]
    if settings.lesion_probability:
        paths.append(lesion_file(settings.out, case))
    states = known.whole_files(case, paths)
    if states is None:
        return
    if states != known.states.get(case):
        found.moved[case] = states
    raise Skip(done)
