"""One way to map a stage over many cases: a bad case is a row in a table, and the good cases go on."""

import os
import time
import traceback
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import Future, ProcessPoolExecutor, as_completed
from concurrent.futures.process import BrokenProcessPool
from dataclasses import dataclass
from multiprocessing import get_context
from pathlib import Path
from typing import Generic, Literal, TypeVar

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

from wirsung.errors import WirsungError

T = TypeVar("T")
R = TypeVar("R")


@dataclass(frozen=True)
class Outcome(Generic[R]):
    """What became of one case."""

    case: str
    status: Literal["done", "skipped", "failed"]
    message: str = ""
    """Why it failed, fit for the user's eyes."""
    value: R | None = None
    duration_s: float = 0.0


class Skip(Exception):  # noqa: N818 - not an error
    """Raised by a stage's function where the case is done already; may carry the value."""

    def __init__(self, value: object = None) -> None:
        super().__init__()
        self.value = value


def map_cases(
    function: Callable[[T], R], tasks: Mapping[str, T], *, workers: int, description: str
) -> list[Outcome[R]]:
    """Call `function` once per case and collect the outcomes in the order of the cases.

    Args:
        function: Picklable; raises Skip where nothing is to do, a WirsungError where the case is bad.
        tasks: Case id to the function's argument.
        workers: Processes; 1 stays in this one. A case that kills its worker fails alone: the others are
            tried again, one process each.
        description: What the progress bar says.

    Example:
        >>> [outcome.value for outcome in map_cases(abs, {"a": -1, "b": 2}, workers=1, description="abs")]
        [1, 2]
    """
    with _progress() as progress:
        bar = progress.add_task(description, total=len(tasks))
        found: dict[str, Outcome[R]] = {}
        run = (
            _in_process(function, tasks)
            if min(workers, len(tasks)) <= 1
            else _pooled(function, tasks, workers)
        )
        for outcome in run:
            found[outcome.case] = outcome
            progress.advance(bar)
    return [found[case] for case in tasks]


def default_workers() -> int:
    """The cores that this process may use."""
    return len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count() or 1


def _progress() -> Progress:
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn(), TimeRemainingColumn())
    return Progress(*columns, console=Console(stderr=True))


def _in_process(function: Callable[[T], R], tasks: Mapping[str, T]) -> Iterator[Outcome[R]]:
    for case, task in tasks.items():
        yield _attempt(function, case, task)


def _pooled(function: Callable[[T], R], tasks: Mapping[str, T], workers: int) -> Iterator[Outcome[R]]:
    """All cases in one pool; where a worker dies, what is left goes on in a pool of its own each."""
    left = dict(tasks)
    try:
        yield from _one_pool(function, left, workers)
    except BrokenProcessPool:
        for case in list(left):
            alone = {case: left.pop(case)}
            try:
                yield from _one_pool(function, alone, 1)
            except BrokenProcessPool:
                message = (
                    "its worker was killed, most likely for want of memory. Try it alone with --workers 1."
                )
                yield Outcome(case, "failed", message)


def _one_pool(function: Callable[[T], R], left: dict[str, T], workers: int) -> Iterator[Outcome[R]]:
    """Yield outcomes as they come, and take each finished case out of `left`."""
    # spawn: a forked child may inherit locks of threads that torch or BLAS started.
    pool = ProcessPoolExecutor(workers, mp_context=get_context("spawn"))
    try:
        futures: dict[Future[Outcome[R]], str] = {
            pool.submit(_attempt, function, case, task): case for case, task in left.items()
        }
        for future in as_completed(futures):
            outcome = future.result()
            left.pop(futures[future])
            yield outcome
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def _attempt(function: Callable[[T], R], case: str, task: T) -> Outcome[R]:
    started = time.perf_counter()
    try:
        value = function(task)
    except Skip as skip:
        return Outcome(case, "skipped", value=skip.value)  # type: ignore[arg-type]
    except WirsungError as error:
        return Outcome(case, "failed", str(error), duration_s=time.perf_counter() - started)
    except MemoryError:
        return Outcome(case, "failed", "not enough memory. Try fewer workers.")
    except Exception as error:  # noqa: BLE001 - one bad case never ends the others
        return Outcome(case, "failed", _place_of(error), duration_s=time.perf_counter() - started)
    return Outcome(case, "done", value=value, duration_s=time.perf_counter() - started)


def _place_of(error: Exception) -> str:
    """Type and place of an unforeseen error; never its text, which may quote a patient's header."""
    frame = traceback.extract_tb(error.__traceback__)[-1]
    place = f"{Path(frame.filename).name}:{frame.lineno}"
    return f"unforeseen {type(error).__name__} at {place}. Please report it with the command that you ran."
