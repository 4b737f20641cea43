"""One training shared by several processes, each with its GPU: nnU-Net's own way, which is torch's DDP.

On the CPU the processes are joined by gloo instead of nccl; all else is the same, so that it is tested for
real where there is no GPU.
"""

import os
import signal
import sys
import tempfile
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from pathlib import Path
from types import FrameType
from typing import Any, TypeVar

import torch
import torch.distributed as dist
import torch.multiprocessing as mp
from torch import nn
from torch.multiprocessing.spawn import ProcessException, ProcessRaisedException, spawn

from wirsung.errors import ConfigError, WirsungError
from wirsung.training.stopping import TrainingStopped

T = TypeVar("T")

_PATIENCE_S = 10.0
"""How long the others may take to notice that one process failed."""
_TOLD = (WirsungError, TrainingStopped, torch.OutOfMemoryError)
"""What a process tells the one that started it."""


def check_gpus(gpus: int, device: torch.device, batch_size: int | None = None) -> None:
    """Do nothing where a batch can be shared out to so many.

    Raises:
        ConfigError: There are fewer GPUs, or fewer patches in a batch.
    """
    if gpus > 1 and device.type == "mps":
        msg = f"--gpus is {gpus}, but a training on mps can't be shared. Leave --gpus out."
        raise ConfigError(msg)
    there = torch.cuda.device_count() if device.type == "cuda" else gpus
    if gpus > there:
        msg = (
            f"--gpus is {gpus}, but this machine has {there} that torch can use. "
            f"Say --gpus {there}, or look at CUDA_VISIBLE_DEVICES."
        )
        raise ConfigError(msg)
    if batch_size is not None and gpus > batch_size:
        msg = (
            f"A batch of {batch_size} patches can't be shared out to {gpus} GPUs. "
            f"Say --gpus {batch_size} or fewer, or a larger --batch-size."
        )
        raise ConfigError(msg)


def shared(learn: Callable[[T], None], job: T, count: int, device: torch.device) -> None:
    """Call `learn` with the job in so many new processes that know each other.

    Ctrl-C and SIGTERM reach all of them, and this call ends when they have.

    Raises:
        WirsungError: What the first of them raised; also where the system ended one.
        TrainingStopped: They stopped before the end.
        torch.OutOfMemoryError: A GPU was too small.
    """
    told = mp.get_context("spawn").SimpleQueue()
    with tempfile.TemporaryDirectory(prefix="wirsung-") as folder:
        arguments = (learn, job, _Meeting(count, device.type, Path(folder) / "meeting", told))
        start: Any = spawn  # which has no types
        context = start(_one, arguments, nprocs=count, join=False)
        try:
            with _forwarded(context.pids()):
                while not context.join(grace_period=_PATIENCE_S):
                    pass
        except ProcessException as error:
            raise _first(told) or _lost(error) from error
        finally:
            for process in context.processes:
                if process.is_alive():
                    process.kill()
    found = _first(told)
    if found is not None:
        raise found


@dataclass(frozen=True)
class _Meeting:
    """Where the processes find each other, and whom they tell how it went."""

    count: int
    kind: str
    """Of the device."""
    place: Path
    told: Any
    """A queue to the process that started them."""


def _one(rank: int, learn: Callable[[T], None], job: T, meeting: _Meeting) -> None:
    """What each process does."""
    kind = meeting.kind
    if kind == "cpu" and sys.platform == "linux":
        os.environ.setdefault("GLOO_SOCKET_IFNAME", "lo")  # the host's name need not be known to itself
    backend = "nccl" if kind == "cuda" else "gloo"
    if kind == "cuda":
        torch.cuda.set_device(rank)
    place = meeting.place.as_uri()
    dist.init_process_group(backend, init_method=place, rank=rank, world_size=meeting.count)
    try:
        learn(job)
    except TrainingStopped as stopped:  # by all at once, so that one may tell it
        if rank == 0:
            meeting.told.put(stopped)
    except _TOLD as error:
        meeting.told.put(error)
        raise
    finally:
        dist.destroy_process_group()


@contextmanager
def _forwarded(processes: list[int]) -> Iterator[None]:
    """Hand Ctrl-C and SIGTERM on to the processes, which end when they may; the second time, end them."""
    before: dict[signal.Signals, Any] = {}

    def hand_on(number: int, _: FrameType | None) -> None:
        for process in processes:
            with suppress(ProcessLookupError):
                os.kill(process, number)
        restore()

    def restore() -> None:
        for kind, handler in before.items():
            signal.signal(kind, handler)

    if threading.current_thread() is threading.main_thread():
        for kind in (signal.SIGINT, signal.SIGTERM):
            before[kind] = signal.signal(kind, hand_on)
    try:
        yield
    finally:
        restore()


def _first(told: Any) -> Exception | None:  # noqa: ANN401 - a queue
    found: Exception | None = None if told.empty() else told.get()
    return found


def _lost(error: ProcessException) -> Exception:
    if isinstance(error, ProcessRaisedException):
        return error
    msg = (
        f"Process {error.error_index} of the training was ended ({error.msg}), as the system does where "
        "memory runs out. The last checkpoint is kept: go on with fewer --workers or fewer --gpus."
    )
    return WirsungError(msg)


def agreed(code: int) -> int:
    """The largest code of all processes; in a training that is not shared, the code itself."""
    if not (dist.is_available() and dist.is_initialized()):
        return code
    device = torch.device("cuda" if dist.get_backend() == "nccl" else "cpu")
    vote = torch.tensor(code, device=device)
    dist.all_reduce(vote, op=dist.ReduceOp.MAX)
    return int(vote)


def gathered(value: list[float]) -> tuple[tuple[float, ...], ...]:
    """The value of each process, in their order."""
    if not (dist.is_available() and dist.is_initialized()):
        return (tuple(value),)
    rows: list[Any] = [None] * dist.get_world_size()
    dist.all_gather_object(rows, value)
    return tuple(tuple(row) for row in rows)


def wrapped(network: nn.Module, device: torch.device) -> nn.Module:
    """The network, its gradients shared with the other processes, as nnU-Net wraps it."""
    # torch can't share batch statistics on the CPU; none of our networks that train there has any.
    if device.type == "cuda":
        network = nn.SyncBatchNorm.convert_sync_batchnorm(network)  # type: ignore[no-untyped-call]
    places = [device.index] if device.type == "cuda" else None
    return nn.parallel.DistributedDataParallel(network, device_ids=places)
