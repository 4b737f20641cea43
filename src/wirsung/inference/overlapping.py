"""Cases through three steps that overlap: while one is computed, the next is read and the last is written."""

from collections.abc import Callable, Iterable, Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import replace
from typing import Generic, NamedTuple, TypeVar

from wirsung.compute.outcome import Outcome, attempt

T = TypeVar("T")
A = TypeVar("A")
B = TypeVar("B")
R = TypeVar("R")


class Steps(NamedTuple, Generic[T, A, B, R]):
    """What is done with each case, in three threads; each may raise, `Skip` included."""

    read: Callable[[T], A]
    compute: Callable[[A], B]
    write: Callable[[B], R]


def overlapped(steps: Steps[T, A, B, R], tasks: Iterable[tuple[str, T]]) -> Iterator[Outcome[R]]:
    """The outcome of each case, in order; at most one case lies read and one unwritten.

    Example:
        >>> steps = Steps(lambda text: int(text), lambda number: number + 1, lambda number: number * 10)
        >>> [(outcome.case, outcome.status, outcome.value) for outcome in overlapped(steps, [("a", "1")])]
        [('a', 'done', 20)]
    """
    with ExitStack() as stack:
        reader = stack.enter_context(ThreadPoolExecutor(1))
        writer = stack.enter_context(ThreadPoolExecutor(1))
        unwritten: Future[Outcome[R]] | None = None
        for case, read in _ahead(reader, steps.read, tasks):
            made = _then(read, steps.compute, case)
            if unwritten is not None:
                yield unwritten.result()
            unwritten = writer.submit(_then, made, steps.write, case)
            del read, made
        if unwritten is not None:
            yield unwritten.result()


def _ahead(
    reader: ThreadPoolExecutor, read: Callable[[T], A], tasks: Iterable[tuple[str, T]]
) -> Iterator[tuple[str, Outcome[A]]]:
    """Each case read, while the one after it is being read."""
    waiting: tuple[str, Future[Outcome[A]]] | None = None
    for case, task in tasks:
        following = case, reader.submit(attempt, read, case, task)
        if waiting is not None:
            yield waiting[0], waiting[1].result()
        waiting = following
    if waiting is not None:
        yield waiting[0], waiting[1].result()


def _then(before: Outcome[A], step: Callable[[A], R], case: str) -> Outcome[R]:
    """The next step, where the one before went well; durations add up."""
    if before.status != "done":
        return replace(before)  # type: ignore[return-value]
    made = attempt(step, case, before.value)  # type: ignore[arg-type]
    return replace(made, duration_s=before.duration_s + made.duration_s)
