"""One call of attention, timed: forward and backward, with its peak memory."""

import ctypes
import json
import re
import time
from contextlib import suppress
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from wirsung.compute.peak_memory import forget_peak, peak_bytes, told_bytes

if TYPE_CHECKING:
    import torch

KINDS = ("linear", "softmax", "textbook")
"""Linear; exact by fused kernels; exact with the whole matrix of weights in memory."""

_WARM_UPS = 1
_SHARE = 0.4
"""Of the free memory: a matrix of weights that would take more is not tried."""


@dataclass(frozen=True)
class Call:
    """What was called, and what it took."""

    kind: str
    tokens: int
    channels: int
    heads: int
    repeats: int
    device: str
    seconds: tuple[float, ...] = ()
    """Of each repeat; none where it was not tried."""
    memory_mib: float | None = None
    """The most that forward and backward held beyond the inputs."""
    reason: str = ""
    """Why it was not tried."""


def measure_call(call: Call) -> Call:
    """The call with its seconds and memory.

    A matrix of weights that would not fit into memory is not tried, and the reason says so.
    """
    import torch

    matrix_gib = 3 * call.heads * call.tokens**2 * 4 / 2**30
    free_gib = _free_gib(call.device)
    if call.kind == "textbook" and free_gib is not None and matrix_gib > _SHARE * free_gib:
        return replace(call, reason=f"its matrices of weights would take {matrix_gib:.0f} GiB")
    shape = (1, call.heads, call.tokens, call.channels // call.heads)
    generator = torch.Generator().manual_seed(0)
    inputs = [torch.randn(shape, generator=generator).to(call.device).requires_grad_(True) for _ in range(3)]
    for _ in range(_WARM_UPS):
        _once(call, inputs)
    memory = _peak_mib(call, inputs)
    return replace(call, seconds=tuple(_timed(call, inputs) for _ in range(call.repeats)), memory_mib=memory)


def read_call(path: Path, call: Call) -> Call | None:
    """The same call, measured before; None where there is none."""
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        found = Call(**{**content, "seconds": tuple(content["seconds"])})
    except (OSError, ValueError, TypeError, KeyError):
        return None
    return found if replace(found, seconds=(), memory_mib=None, reason="") == call else None


def attend(kind: str, query: "torch.Tensor", key: "torch.Tensor", value: "torch.Tensor") -> "torch.Tensor":
    """Attention of that kind; all are (B, head, n, d)."""
    from wirsung.models.networks.attention import linear_attention, softmax_attention

    if kind == "linear":
        return linear_attention(query, key, value)
    if kind == "softmax":
        return softmax_attention(query, key, value)
    weights: torch.Tensor = (query @ key.transpose(-2, -1) / query.shape[-1] ** 0.5).softmax(-1)
    return weights @ value


def _once(call: Call, inputs: Any) -> None:  # noqa: ANN401 - three tensors
    for item in inputs:
        item.grad = None
    attend(call.kind, *inputs).sum().backward()  # type: ignore[no-untyped-call]


def _timed(call: Call, inputs: Any) -> float:  # noqa: ANN401
    _wait(call)
    started = time.perf_counter()
    _once(call, inputs)
    _wait(call)
    return time.perf_counter() - started


def _wait(call: Call) -> None:
    if call.device == "cuda":
        import torch

        torch.cuda.synchronize()


def _peak_mib(call: Call, inputs: Any) -> float | None:  # noqa: ANN401
    """The peak of one call above what was held before it; None where the system does not tell."""
    if call.device == "cuda":
        import torch

        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        _once(call, inputs)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    held = _reset_peak()
    _once(call, inputs)
    return None if held is None else max(peak_bytes() - held, 0) / 2**20


def _reset_peak() -> int | None:
    """Forget this process's peak; what it holds now, in bytes."""
    with suppress(OSError, AttributeError):
        # What earlier calls freed goes back to the system; else this one finds it and seems to need none.
        ctypes.CDLL("libc.so.6").malloc_trim(0)
    return told_bytes("VmRSS") if forget_peak() else None


def _free_gib(device: str) -> float | None:
    if device == "cuda":
        import torch

        return float(torch.cuda.mem_get_info()[0]) / 2**30
    try:
        text = Path("/proc/meminfo").read_text(encoding="ascii")
    except OSError:
        return None
    found = re.search(r"^MemAvailable:\s+(\d+) kB", text, re.MULTILINE)
    return int(found[1]) / 2**20 if found else None
