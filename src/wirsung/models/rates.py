"""How fast a device is, measured in a second: operations and bytes, for the time that a network will take."""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass

import torch
from torch.nn import functional

from wirsung.models.tracing import Work

_TRIALS = 3


@dataclass(frozen=True)
class Rates:
    """What a device does in a second."""

    flops: float
    """Floating-point operations in a convolution; a multiplication and an addition are two."""
    moved: float
    """Bytes read and written in an elementwise operation."""

    def seconds(self, work: Sequence[Work]) -> float:
        """The time of the operations, each bound by computing or by memory.

        Example:
            >>> Rates(100.0, 10.0).seconds([Work(flops=200, moved=10), Work(flops=0, moved=30)])
            5.0
        """
        return sum(max(item.flops / self.flops, item.moved / self.moved) for item in work)


def measure_rates(device: torch.device, *, mixed: bool = False, size: int = 48) -> Rates:
    """The device's rates: the best of three short trials.

    Args:
        device: To be measured.
        mixed: Whether convolutions are computed in half precision, as under automatic mixed precision.
        size: Voxels along each axis of the convolved volume.
    """
    kind = torch.float16 if mixed else torch.float32
    channels = 32
    image = torch.randn(1, channels, size, size, size, device=device, dtype=kind)
    weight = torch.randn(channels, channels, 3, 3, 3, device=device, dtype=kind)
    with torch.inference_mode():
        convolved_s = _best_s(lambda: functional.conv3d(image, weight, padding=1), device)
        summed_s = _best_s(lambda: image + image, device)
    voxels = image.numel()
    return Rates(
        flops=2 * voxels * channels * 27 / convolved_s, moved=3 * voxels * image.element_size() / summed_s
    )


def _best_s(operation: Callable[[], torch.Tensor], device: torch.device) -> float:
    """Of the trials; one before them warms up."""
    operation()
    found = []
    for _ in range(_TRIALS):
        _wait(device)
        started = time.perf_counter()
        operation()
        _wait(device)
        found.append(time.perf_counter() - started)
    return max(min(found), 1e-9)


def _wait(device: torch.device) -> None:
    if device.type == "cuda":
        torch.cuda.synchronize(device)
