"""What attention costs on a GPU by the tokens: linear, exact in one fused kernel, and exact written down.

Time and peak memory of forward and backward in half precision, 4 heads of 32 channels. Promise: time and
memory of linear attention grow with the tokens (exponent of the fit at most 1.1 from 16^3 on, where the GPU
is busy).
Without a GPU it says so and ends with status 0.

    .venv/bin/python benchmarks/gpu/attention.py        a minute
    .venv/bin/python benchmarks/gpu/attention.py --device cpu --tiny    (no record)
"""

import math
import time
from collections.abc import Callable
from statistics import median
from typing import Any

import numpy as np
import torch
from asking import asked, ended, peak_gib, reset_peak, synchronise

from wirsung.models.networks.attention import linear_attention, softmax_attention

EDGES = (4, 8, 12, 16, 24, 32, 48, 64)
"""Of a cube of tokens."""
BUSY = 16**3
WRITTEN = 24**3
"""Up to so many tokens the matrix is written down: 1.5 GB a head and copy beyond that."""
FUSED = 48**3
"""Up to so many tokens exact attention is run: its time grows with their square."""
HEADS, WIDTH = 4, 32
ROUNDS = 9


def main() -> None:
    """Measure and record."""
    found = asked(__doc__)
    torch.manual_seed(0)
    edges = EDGES[:3] if found.tiny else EDGES
    rows = [row(edge**3, found.device) for edge in edges]
    ended("attention", {"by tokens": rows, **exponents(rows)}, found)


def row(count: int, device: torch.device) -> dict[str, Any]:
    """Seconds and peak MB of each kind that so many tokens allow."""
    dtype = torch.float16 if device.type == "cuda" else torch.float32
    shape = (1, HEADS, count, WIDTH)
    inputs = [torch.randn(shape, device=device, dtype=dtype, requires_grad=True) for _ in range(3)]
    kinds: dict[str, Callable[..., torch.Tensor]] = {"linear": linear_attention}
    if count <= FUSED:
        kinds["softmax"] = softmax_attention
    if count <= WRITTEN:
        kinds["written"] = written_attention
    made: dict[str, Any] = {"tokens": count}
    for name, function in kinds.items():
        reset_peak(device)
        before_gib = peak_gib(device)
        made[f"{name}_s"] = seconds(lambda: torch.autograd.grad(function(*inputs).sum(), inputs), device)  # noqa: B023
        made[f"{name}_mb"] = round((peak_gib(device) - before_gib) * 1024, 1)
    return made


def written_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Exact attention with its n x n weights in memory."""
    return (query / math.sqrt(query.shape[-1]) @ key.transpose(-2, -1)).softmax(-1) @ value


def seconds(run: Callable[[], object], device: torch.device) -> float:
    """Median of some runs, after two that are not counted."""
    taken = []
    for _ in range(ROUNDS + 2):
        synchronise(device)
        started = time.perf_counter()
        run()
        synchronise(device)
        taken.append(time.perf_counter() - started)
    return float(f"{median(taken[2:]):.4g}")


def exponents(rows: list[dict[str, Any]]) -> dict[str, Any]:
    """Of the straight lines through the logarithms, where the GPU is busy; then the cheapest size of each."""
    busy = [item for item in rows if item["tokens"] >= BUSY] or rows
    made: dict[str, Any] = {}
    for name in ("linear", "softmax"):
        for unit in ("s", "mb"):
            points = [(item["tokens"], item[f"{name}_{unit}"]) for item in busy if item.get(f"{name}_{unit}")]
            if len(points) > 1:
                tokens, prices = np.log(np.array(points)).T
                made[f"exponent of {name}, {unit}"] = round(float(np.polyfit(tokens, prices, 1)[0]), 3)
    ratios = {
        item["tokens"]: round(item["softmax_s"] / item["linear_s"], 2) for item in rows if "softmax_s" in item
    }
    return {**made, "softmax / linear, time": ratios}


if __name__ == "__main__":
    main()
