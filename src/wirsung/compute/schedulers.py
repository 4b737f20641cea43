"""Where a Dask scheduler is: one that runs, our own on this machine, or our own with Slurm jobs."""

import importlib
import logging
import tomllib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.compute.one_try import OneTry
from wirsung.errors import ConfigError, MissingDependencyError

_PROTOCOLS = ("tcp://", "tls://")
_ANSWER_S = 10.0
_FIRST_WORKER_S = 60.0
_KEYS = {"workers", "job"}


@contextmanager
def connected(address: str) -> Iterator[Any]:
    """A Dask client of the scheduler at `address`, with at least one worker that can run our cases.

    Args:
        address: `tcp://HOST:PORT` or `tls://HOST:PORT` of a running scheduler, `local:N` for N processes
            here, or `slurm:FILE.toml` for Slurm jobs; these wait in the queue for as long as it takes.

    Raises:
        ConfigError: The address or the file is wrong, nobody answers, or the versions differ.
        MissingDependencyError: dask-jobqueue is not installed and Slurm was asked for.
    """
    kind, _, rest = address.partition(":")
    if address.startswith(_PROTOCOLS):
        with _client(address) as client:
            yield _prepared(client, address, _FIRST_WORKER_S)
    elif kind == "local":
        with _local(rest) as cluster, _client(cluster) as client:
            yield _prepared(client, address, _FIRST_WORKER_S)
    elif kind == "slurm":
        with _slurm(Path(rest)) as cluster, _client(cluster) as client:
            yield _prepared(client, address, None)
    else:
        msg = f"{address!r} names no cluster. Give tcp://HOST:PORT, local:N or slurm:FILE.toml."
        raise ConfigError(msg)


def _client(where: Any) -> Any:  # noqa: ANN401 - Dask's own types are not at hand everywhere
    kind: Any = importlib.import_module("distributed").Client
    client = kind.__new__(kind)
    try:
        client.__init__(where, timeout=_ANSWER_S, set_as_default=False)
    except (OSError, ValueError) as error:
        # Left to the garbage collector, it would be closed under whatever lock is held just then: for good.
        client.close()
        msg = f"No Dask scheduler answers at {where}. Start one with `dask scheduler`, or mend the address."
        raise ConfigError(msg) from error
    return client


def _local(count: str) -> Any:  # noqa: ANN401 - as above
    if not count.isdecimal() or int(count) < 1:
        msg = f"local:{count} asks for no number of workers. Give one, such as local:4."
        raise ConfigError(msg)
    distributed = importlib.import_module("distributed")
    return distributed.LocalCluster(
        n_workers=int(count),
        threads_per_worker=1,
        host="127.0.0.1",
        dashboard_address=None,
        silence_logs=logging.CRITICAL,
    )


def _slurm(path: Path) -> Any:  # noqa: ANN401 - as above
    """Slurm jobs as workers; the table `job` is passed to dask_jobqueue.SLURMCluster as it is."""
    workers, job = _slurm_settings(path)
    try:
        jobqueue = importlib.import_module("dask_jobqueue")
    except ImportError as error:
        msg = "Slurm needs dask-jobqueue. Install it with: pip install 'wirsung[cluster]'"
        raise MissingDependencyError(msg) from error
    try:
        cluster = jobqueue.SLURMCluster(**job)
    except (TypeError, ValueError) as error:
        msg = f"{path}: dask_jobqueue.SLURMCluster does not take the table [job]: {error}."
        raise ConfigError(msg) from error
    cluster.scale(jobs=workers)
    return cluster


def _slurm_settings(path: Path) -> tuple[int, dict[str, Any]]:
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        msg = f"{path}: can't be read as TOML ({error}). docs/how-to/cluster.md shows one."
        raise ConfigError(msg) from error
    workers: Any = table.get("workers")
    job: Any = table.get("job")
    is_count = isinstance(workers, int) and not isinstance(workers, bool) and workers > 0
    if set(table) != _KEYS or not is_count or not isinstance(job, dict):
        msg = f"{path}: wants `workers = N` (jobs, at least 1) and a table [job], and nothing else."
        raise ConfigError(msg)
    return int(workers), job


def _prepared(client: Any, address: str, patience_s: float | None) -> Any:  # noqa: ANN401 - as above
    """The client, once a worker is there and all have our version."""
    try:
        client.wait_for_workers(1, timeout=patience_s)
    except TimeoutError as error:
        msg = f"{address} has no worker after {patience_s:g} s. Start some with: dask worker {address}"
        raise ConfigError(msg) from error
    found = client.run(version, on_error="return")
    try:
        found["its scheduler"] = client.run_on_scheduler(version)
        client.register_plugin(OneTry())
    except Exception as error:  # what the other side raised, which may be anything
        found["its scheduler"] = error
    for place, other in found.items():
        if other != __version__:
            said = f"Wirsung {other}" if isinstance(other, str) else "no Wirsung that works"
            msg = f"{address}: {place} has {said}, and here is {__version__}. Install the same everywhere."
            raise ConfigError(msg)
    return client


def version() -> str:
    """The version of Wirsung where this runs."""
    return __version__
