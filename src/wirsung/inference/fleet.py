"""Cases in several processes: each holds a warm model, and they share one queue.

On this machine the processes are supervised: one that dies takes only its case with it, which is tried once
more on less memory and then quarantined. On a Dask cluster the same holds. Correctness lies in the files,
which are whole or absent, and in the record that the calling process keeps.
"""

import os
import threading
from collections.abc import Generator, Iterable
from contextlib import closing
from dataclasses import replace
from functools import lru_cache, partial

import torch

from wirsung.compute.cases import default_workers
from wirsung.compute.outcome import ADVICE, Outcome, unforeseen
from wirsung.compute.supervision import supervise
from wirsung.errors import CheckpointError, ConfigError, WirsungError
from wirsung.inference import memory
from wirsung.inference.case import CaseTask, CaseWork, Written
from wirsung.inference.settings import PredictSettings

NO_MODEL = "A worker can't load the model"
"""How a case's message begins where every other case would fail likewise."""
_BROKEN_GPU = 70
"""Exit code of a worker that leaves because its GPU answers nothing any more; sysexits.h's EX_SOFTWARE."""
_ONE_AT_A_TIME = threading.Lock()


def fleet(settings: PredictSettings, tasks: Iterable[tuple[str, CaseTask]]) -> Generator[Outcome[Written]]:
    """The outcome of each case as it ends.

    Args:
        settings: With `workers`, `gpus` or `cluster`.
        tasks: Drawn one by one as workers become free.

    Raises:
        ConfigError: There are fewer GPUs than are asked for, or there is no such cluster.
        MissingDependencyError: A cluster is asked for and Dask is not installed.
        WirsungError: Workers can't be started, or the cluster was lost.
    """
    with closing(_engine(settings, tasks)) as outcomes:
        for outcome in outcomes:
            yield replace(outcome, message=outcome.message.replace(ADVICE, memory.ADVICE))


def places_of(settings: PredictSettings) -> list[dict[str, str]]:
    """What the environment says of each worker on this machine: its GPU, where they have some.

    Raises:
        ConfigError: There are fewer GPUs than are asked for.

    Example:
        >>> from pathlib import Path
        >>> places_of(PredictSettings(Path("scans"), Path("out"), workers=2))
        [{}, {}]
    """
    if settings.gpus is None:
        return [{} for _ in range(settings.workers)]
    found = torch.cuda.device_count()
    if found < settings.gpus:
        msg = (
            f"--gpus {settings.gpus} asks for more than the {found} that torch {torch.__version__} finds. "
            "Ask for fewer, or leave it out for the CPU."
        )
        raise ConfigError(msg)
    told = os.environ.get("CUDA_VISIBLE_DEVICES")
    names = told.split(",") if told else [str(index) for index in range(found)]
    workers = max(settings.workers, settings.gpus)
    return [{"CUDA_VISIBLE_DEVICES": names[index % settings.gpus]} for index in range(workers)]


def predict_case(settings: PredictSettings, task: CaseTask) -> Written:
    """One case in a worker process, which keeps its model for the next.

    Raises:
        CheckpointError: The model, which the calling process could load, can't be loaded here.
    """
    try:
        with _ONE_AT_A_TIME:  # Dask's workers may have several threads
            work = _warm(settings)
    except Exception as error:  # whatever it is, it is no case's fault
        said = str(error) if isinstance(error, WirsungError) else unforeseen(error)
        msg = f"{NO_MODEL}: {said}"
        raise CheckpointError(msg) from error
    try:
        return work(task)
    except RuntimeError as error:
        if isinstance(error, WirsungError) or "CUDA error" not in str(error):
            raise
        # After such an error every later call fails too, so this process is of no use to other cases.
        os._exit(_BROKEN_GPU)


@lru_cache(maxsize=1)
def _warm(settings: PredictSettings) -> CaseWork:
    if settings.threads is not None:
        torch.set_num_threads(settings.threads)
    return CaseWork.of(settings)


def _engine(settings: PredictSettings, tasks: Iterable[tuple[str, CaseTask]]) -> Generator[Outcome[Written]]:
    if settings.cluster is not None:
        from wirsung.compute.cluster import on_cluster  # Dask takes a second to import

        return on_cluster(partial(predict_case, settings), tasks, settings.cluster)
    places = places_of(settings)
    threads = max(1, (settings.threads or default_workers()) // len(places))
    own = replace(
        settings,
        threads=None if settings.threads is None else threads,
        device=settings.device if settings.gpus is None else "cuda",
    )
    return supervise(partial(predict_case, own), tasks, workers=len(places), threads=threads, places=places)
