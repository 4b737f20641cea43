"""One way to map a stage over many cases: a bad case is a row in a table, and the good cases go on.

The cases run in this process, in supervised processes on this machine, or on a Dask cluster; the stage can't
tell the difference. What makes a run safe to kill and to repeat lies in the stage: outputs that are whole or
absent (`compute.atomic`), and a record of what is done (its own, or a `compute.ledger`).
"""

import os
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping
from contextlib import closing
from operator import length_hint
from typing import Generic, TypeVar

from wirsung.compute.connections import one_cluster
from wirsung.compute.limits import UNLIMITED, Limits
from wirsung.compute.outcome import Outcome, Skip, attempt
from wirsung.compute.progress import CaseProgress
from wirsung.compute.supervision import supervise
from wirsung.errors import ConfigError, ManifestError

__all__ = ["Limits", "Outcome", "Skip", "default_workers", "map_cases", "one_cluster", "stream_cases"]

T = TypeVar("T")
R = TypeVar("R")
Tasks = Mapping[str, T] | Iterable[tuple[str, T]]


def map_cases(
    function: Callable[[T], R],
    tasks: Tasks[T],
    *,
    workers: int,
    description: str,
    cluster: str | None = None,
    limits: Limits = UNLIMITED,
) -> list[Outcome[R]]:
    """Call `function` once per case and collect the outcomes in the order of the cases.

    Args:
        function: Picklable; raises Skip where nothing is to do, a WirsungError where the case is bad.
        tasks: Case id to the function's argument, or pairs of them.
        workers: Processes; 1 stays in this one. A case that kills its worker is tried once more and then
            fails alone.
        description: What the progress says; after a slash what it counts, where that is no case.
        cluster: `tcp://HOST:PORT` of a Dask scheduler, `local:N` or `slurm:FILE.toml`, in place of workers.
        limits: Of each case and each worker; a time or memory limit puts even one worker in its own process.

    Raises:
        ConfigError: The cluster's address is wrong or nobody answers there.
        ManifestError: A case occurs twice.
        MissingDependencyError: A cluster is asked for and Dask is not installed.

    Example:
        >>> [outcome.value for outcome in map_cases(abs, {"a": -1, "b": 2}, workers=1, description="abs")]
        [1, 2]
    """
    register = _Register(tasks)
    run = stream_cases(
        function, register, workers=workers, description=description, cluster=cluster, limits=limits
    )
    found = {outcome.case: outcome for outcome in run}
    return [found[case] for case in register.cases]


def stream_cases(
    function: Callable[[T], R],
    tasks: Tasks[T],
    *,
    workers: int,
    description: str,
    cluster: str | None = None,
    limits: Limits = UNLIMITED,
) -> Iterator[Outcome[R]]:
    """As `map_cases`, but yield each outcome as its case ends and keep none.

    Tasks are drawn as workers become free, so there may be millions of them. Close the iterator, or exhaust
    it, and the workers are gone.

    Example:
        >>> pairs = ((f"case-{number}", number) for number in range(3))
        >>> sum(outcome.value for outcome in stream_cases(abs, pairs, workers=1, description="abs"))
        3
    """
    total = _count(tasks)
    run = _run(function, tasks, workers, cluster, limits)
    with closing(run), CaseProgress(description, total) as progress:
        for outcome in run:
            progress.count(outcome)
            yield outcome


def default_workers() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


class _Register(Generic[T]):
    """The tasks, noting their order as they are drawn."""

    def __init__(self, tasks: Tasks[T]) -> None:
        self._tasks = tasks
        self.cases: dict[str, None] = {}

    def __length_hint__(self) -> int:
        count = _count(self._tasks)
        return NotImplemented if count is None else count

    def __iter__(self) -> Iterator[tuple[str, T]]:
        for case, task in _pairs(self._tasks):
            if case in self.cases:
                msg = f"Case {case} occurs twice. Each case needs a name of its own."
                raise ManifestError(msg)
            self.cases[case] = None
            yield case, task


def _count(tasks: Tasks[T]) -> int | None:
    count = length_hint(tasks, -1)
    return None if count < 0 else count


def _pairs(tasks: Tasks[T]) -> Iterator[tuple[str, T]]:
    return iter(tasks.items() if isinstance(tasks, Mapping) else tasks)


def _run(
    function: Callable[[T], R], tasks: Tasks[T], workers: int, cluster: str | None, limits: Limits
) -> Generator[Outcome[R]]:
    """The generator of the engine that was asked for."""
    if cluster is not None:
        if limits != UNLIMITED:
            msg = "Limits of time and memory belong to the cluster's own settings. Leave them out."
            raise ConfigError(msg)
        from wirsung.compute.cluster import on_cluster  # Dask takes a second to import

        return on_cluster(function, _pairs(tasks), cluster)
    count = _count(tasks)
    workers = max(1, workers if count is None else min(workers, count))
    if workers == 1 and not limits.needs_processes:
        return (attempt(function, case, task) for case, task in _pairs(tasks))
    threads = max(1, default_workers() // workers)
    return supervise(function, _pairs(tasks), workers=workers, threads=threads, limits=limits)
