"""Cases on a Dask cluster, with the same promises as on local workers.

No more cases are submitted than the cluster has threads, so tasks may be drawn from millions. A case whose
worker is lost is tried once more, after all others and at most one to a worker; then it is quarantined.
"""

import importlib
import os
import queue
import time
import uuid
from collections.abc import Callable, Generator, Iterable, Iterator
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Any, Generic, TypeVar

from wirsung.compute.connections import held
from wirsung.compute.one_try import KEY_PREFIX
from wirsung.compute.outcome import Outcome, attempt, quarantined, unforeseen
from wirsung.compute.schedulers import connected
from wirsung.errors import MissingDependencyError, WirsungError

T = TypeVar("T")
R = TypeVar("R")

_LOOK_EVERY_S = 2.0
"""How often it is asked how many threads the cluster has."""
_PATIENCE_S = 300.0
"""How long a cluster may be without a worker; Slurm's jobs may wait for longer."""
_LOST = "its worker was lost"


def on_cluster(
    function: Callable[[T], R], tasks: Iterable[tuple[str, T]], address: str
) -> Generator[Outcome[R]]:
    """Call `function` on each task on the cluster; outcomes come as the cases end.

    Args:
        function: Importable by the workers. Its results travel to this process, so they should be small.
        tasks: Case and argument; drawn one by one as workers become free.
        address: `tcp://HOST:PORT` of a running scheduler, `local:N` or `slurm:FILE.toml`.

    Raises:
        ConfigError: The address is wrong, nobody answers there, or the versions differ.
        MissingDependencyError: Dask is not installed.
        WirsungError: The scheduler or all workers were lost on the way.
    """
    try:
        distributed = importlib.import_module("distributed")
    except ImportError as error:
        msg = "--cluster needs Dask. Install it with: pip install 'wirsung[cluster]'"
        raise MissingDependencyError(msg) from error
    with held(address, connected) as client:
        patience_s = float("inf") if address.startswith("slurm:") else _PATIENCE_S
        flight: _Flight[R] = _Flight(distributed, client, function, patience_s)
        try:
            yield from flight.outcomes(iter(tasks))
        finally:
            flight.cancel()


def attempt_in(
    home: str, function: Callable[[T], R], case: str, task: T, *, is_again: bool = False
) -> Outcome[R]:
    """As `attempt`, in the folder where the command runs, so that relative paths mean the same everywhere."""
    try:
        os.chdir(home)
    except OSError:
        msg = (
            "its worker does not see the folder in which the command runs. Run it in a folder that all nodes "
            "see under the same path, and have inputs and outputs there too."
        )
        return Outcome(case, "failed", msg)
    return attempt(function, case, task, is_again=is_again)


@dataclass(frozen=True)
class _Passenger:
    """A case on its way through the cluster."""

    case: str
    task: Any
    is_again: bool = False
    worker: str = ""
    """The one that it is sent to; empty where any will do."""
    departed: float = 0.0


class _Flight(Generic[R]):
    """The cases that the cluster has in hand."""

    def __init__(
        self,
        distributed: Any,  # noqa: ANN401 - a module
        client: Any,  # noqa: ANN401 - a Client
        function: Callable[[Any], R],
        patience_s: float,
    ) -> None:
        self._distributed, self._client, self._function = distributed, client, function
        self._patience_s = patience_s
        self._keys = f"{KEY_PREFIX}{uuid.uuid4().hex[:12]}"
        self._flying: dict[Any, _Passenger] = {}
        self._landed: queue.SimpleQueue[Any] = queue.SimpleQueue()
        self._submitted = 0
        self._threads: dict[str, int] = {}
        """By the address of the worker."""
        self._looked = self._had_workers = time.monotonic()

    def outcomes(self, tasks: Iterator[tuple[str, Any]]) -> Iterator[Outcome[R]]:
        again: list[_Passenger] = []
        first = (_Passenger(case, task) for case, task in tasks)
        yield from self._fly(first, lambda: sum(self._threads.values()), again)
        # One to a worker, as the death of a worker with several threads does not say whose fault it was.
        yield from self._fly(iter(again), lambda: len(self._threads), [])

    def cancel(self) -> None:
        """Take back what no worker has begun; what has begun ends by itself."""
        if self._flying and self._client.status == "running":
            self._client.cancel(list(self._flying), force=True)
        self._flying.clear()

    def _fly(
        self, passengers: Iterator[_Passenger], seats: Callable[[], int], lost: list[_Passenger]
    ) -> Iterator[Outcome[R]]:
        outcome = None
        self._look()
        while True:
            while len(self._flying) < max(1, seats()):
                passenger = next(passengers, None)
                if passenger is None:
                    break
                self._submit(passenger)
            if outcome is not None:  # only now, so that the cluster never waits for who takes the outcomes
                yield outcome
            if not self._flying:
                return
            outcome = self._wait(lost)

    def _submit(self, passenger: _Passenger) -> None:
        self._submitted += 1
        key = f"{self._keys}-{self._submitted}"  # not the case's name: keys are shown on dashboards
        function, case, task = self._function, passenger.case, passenger.task
        taken = {other.worker for other in self._flying.values()}
        free = [worker for worker in self._threads if passenger.is_again and worker not in taken][:1]
        home = str(Path.cwd())
        # Where that worker is lost before it begins, another may take the case.
        place = {"workers": free, "allow_other_workers": True} if free else {}
        call = partial(attempt_in, is_again=passenger.is_again)
        future = self._client.submit(call, home, function, case, task, key=key, pure=False, **place)
        self._flying[future] = replace(passenger, worker="".join(free), departed=time.monotonic())
        future.add_done_callback(self._landed.put)

    def _wait(self, lost: list[_Passenger]) -> Outcome[R] | None:
        """The next outcome; None where there is none yet, or the case is to be tried again."""
        try:
            future = self._landed.get(timeout=_LOOK_EVERY_S)
        except queue.Empty:
            self._look()
            return None
        if time.monotonic() - self._looked > _LOOK_EVERY_S:
            self._look()
        passenger = self._flying.pop(future)
        try:
            outcome: Outcome[R] = future.result()
        except self._distributed.KilledWorker:
            if not passenger.is_again:
                lost.append(replace(passenger, is_again=True))
                return None
            message = quarantined(_LOST, _LOST)
            return Outcome(
                passenger.case, "failed", message, duration_s=time.monotonic() - passenger.departed
            )
        except self._distributed.CancelledError as error:
            msg = "The cluster's scheduler was lost. Cases that were done are done; run again to go on."
            raise WirsungError(msg) from error
        except Exception as error:  # what could not be pickled or imported over there, which may be anything
            return Outcome(passenger.case, "failed", unforeseen(error))
        return outcome

    def _look(self) -> None:
        """See how many workers there are, and give up where there have been none for long."""
        self._threads = dict(self._client.nthreads())
        self._looked = time.monotonic()
        if self._threads:
            self._had_workers = self._looked
        elif self._looked - self._had_workers > self._patience_s:
            msg = (
                f"The cluster has had no worker for {self._patience_s / 60:g} min. "
                "Cases that were done are done; start workers and run again to go on."
            )
            raise WirsungError(msg)
