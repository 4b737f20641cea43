"""Trying again with less memory."""

import gc
from collections.abc import Callable
from typing import TypeVar

import torch

from wirsung.compute.outcome import quarantined
from wirsung.errors import WirsungError

ADVICE = "Try it again with --retry, where there is more memory."
"""How the message of a quarantined case ends."""
_CAUSE = "there was not enough memory"
_OF_THE_CPU = "DefaultCPUAllocator"

R = TypeVar("R")


def is_out_of_memory(error: BaseException) -> bool:
    """Whether memory was wanting, the GPU's or the machine's.

    Example:
        >>> is_out_of_memory(MemoryError()), is_out_of_memory(RuntimeError("CUDA error"))
        (True, False)
    """
    if isinstance(error, MemoryError | torch.OutOfMemoryError):
        return True
    return isinstance(error, RuntimeError) and _OF_THE_CPU in str(error)


def sparing(first: Callable[[], R], again: Callable[[], R]) -> R:
    """What `first` makes; where it runs out of memory, what `again` makes.

    Raises:
        WirsungError: Both ran out of memory.

    Example:
        >>> len(sparing(lambda: bytearray(2**62), lambda: bytearray(2)))
        2
    """
    try:
        return first()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    release()
    try:
        return again()
    except (MemoryError, RuntimeError) as error:
        if not is_out_of_memory(error):
            raise
    release()
    raise WirsungError(quarantined(_CAUSE, _CAUSE, ADVICE))


def release() -> None:
    """Give back what nobody uses any more."""
    gc.collect()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
