"""What attention costs: a training step of PanSegNet-2, and linear attention against exact attention.

Promises: a step of pansegnet-2 takes at most 1.10 times that of the same U-Net without attention; time and
memory of linear attention grow with the tokens (exponent of the fit at most 1.1 from 4^3 to 32^3), and at
32^3 it is at least 50 times cheaper than exact attention that writes its matrix down.

    .venv/bin/python benchmarks/networks.py            about 12 minutes on two cores, 10 GB
    .venv/bin/python benchmarks/networks.py --small    a minute, to see that it works; records nothing
"""

import argparse
import gc
import json
import math
import time
from collections.abc import Callable
from functools import partial
from statistics import median
from typing import Any

import numpy as np
import torch
from recording import record

from wirsung.models.networks.attention import linear_attention
from wirsung.models.networks.attention_block import AttentionLayer
from wirsung.models.networks.pansegnet2 import PanSegNet2, fit
from wirsung.models.networks.topology import plan_of_patch

PLANS = {
    # The demo's preset, nnU-Net's own widths on an isotropic patch, and its plan for thick slices; steps.
    "48^3, 12 to 96 features": ((48, 48, 48), (1.0, 1.0, 1.0), (12, 96), 60),
    "96^3, 32 to 320 features": ((96, 96, 96), (1.0, 1.0, 1.0), (32, 320), 7),
    "32 x 112 x 112 at 4.4 x 1.1 x 1.1 mm, 32 to 320 features": (
        (32, 112, 112),
        (4.4, 1.1, 1.1),
        (32, 320),
        7,
    ),
}
EDGES = (4, 8, 12, 16, 24, 32)
"""Of a cube of tokens."""
FEW = (216, 512, 768, 1024, 1536, 2048, 4096)
WIDTH, HEADS = 128, 4
"""Of the stage at a quarter of the resolution."""


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="see that it works; record nothing")
    small = parser.parse_args().small
    torch.manual_seed(0)
    plans = dict(list(PLANS.items())[:1]) if small else PLANS
    figures = {
        "threads": torch.get_num_threads(),
        "torch": torch.__version__,
        "step": {name: step(*plan) for name, plan in plans.items()},
        "attention": attention(EDGES[:4] if small else EDGES),
        "layer": layer_ratio(FEW[:3] if small else FEW),
    }
    if small:
        print(json.dumps(figures, indent=2))
    else:
        record("networks", figures)


def step(
    patch: tuple[int, int, int],
    spacing_mm: tuple[float, float, float],
    features: tuple[int, int],
    rounds: int,
) -> dict[str, Any]:
    """A training step with attention and without, in turns; the first step of each is not counted."""
    plan = plan_of_patch(patch, spacing_mm, features=features)
    networks = {}
    for kind in ("none", "auto"):
        network = PanSegNet2(1, 3, deep_supervision=True, **fit(plan, kind))
        network.apply(network.initialize)
        networks[kind] = network.to(memory_format=torch.channels_last_3d)
    image = torch.randn(2, 1, *patch).to(memory_format=torch.channels_last_3d)
    taken: dict[str, list[float]] = {kind: [] for kind in networks}
    for turn in range(rounds + 1):
        for kind, network in networks.items():
            seconds = timed(lambda: train(network, image))  # noqa: B023
            taken[kind] += [seconds] if turn else []
    ratios = [with_ / without for with_, without in zip(taken["auto"], taken["none"], strict=True)]
    return {
        "attention_per_stage": fit(plan)["attention_per_stage"],
        "unet_s": round(median(taken["none"]), 3),
        "pansegnet2_s": round(median(taken["auto"]), 3),
        "ratio": round(median(ratios), 3),
        "ratio_lowest_highest": [round(min(ratios), 3), round(max(ratios), 3)],
    }


def train(network: torch.nn.Module, image: torch.Tensor) -> None:
    network.zero_grad()
    sum(answer.square().mean() for answer in network(image)).backward()


def attention(edges: tuple[int, ...]) -> dict[str, Any]:
    """Linear attention from few tokens to many, forward and backward; exact attention's matrix at the end."""
    rows = []
    for edge in edges:
        inputs = tokens(edge**3, HEADS)
        run = differentiated(linear_attention, inputs)
        rows.append({"tokens": edge**3, "s": best(run), "peak_mb": peak_mb(run)})
    counts = [row["tokens"] for row in rows]
    last = tokens(counts[-1], 1)
    runs = {
        name: partial(function, *last)
        for name, function in (("linear", linear_attention), ("explicit", explicit_attention))
    }
    with torch.no_grad():
        taken = {name: best(run, rounds=3) for name, run in runs.items()}
        memory = {name: peak_mb(run) for name, run in runs.items()}
    return {
        "linear": rows,
        "exponent_of_time": exponent(counts, [row["s"] for row in rows]),
        "exponent_of_memory": exponent(counts, [row["peak_mb"] for row in rows]),
        f"explicit / linear at {counts[-1]} tokens, one head, forward": {
            "time": round(taken["explicit"] / taken["linear"], 1),
            "memory": round(memory["explicit"] / memory["linear"], 1),
        },
    }


def layer_ratio(counts: tuple[int, ...]) -> dict[str, float]:
    """A training step of a whole layer with exact attention over that with linear, by the tokens."""
    made = {}
    for count in counts:
        grid = torch.randn(1, count, 1, 1, 320)
        layers = {kind: AttentionLayer(320, kind) for kind in ("softmax", "linear")}
        taken: dict[str, list[float]] = {kind: [] for kind in layers}
        for _ in range(7):
            for kind, layer in layers.items():
                taken[kind].append(timed(lambda: layer(grid).square().mean().backward()))  # noqa: B023
        made[str(count)] = round(min(taken["softmax"]) / min(taken["linear"]), 2)
    return made


def explicit_attention(query: torch.Tensor, key: torch.Tensor, value: torch.Tensor) -> torch.Tensor:
    """Exact attention with its n x n weights written down."""
    return (query / math.sqrt(query.shape[-1]) @ key.transpose(-2, -1)).softmax(-1) @ value


def tokens(count: int, heads: int) -> list[torch.Tensor]:
    """Queries, keys and values."""
    return [torch.randn(1, heads, count, WIDTH // HEADS, requires_grad=True) for _ in range(3)]


def differentiated(function: Callable[..., torch.Tensor], inputs: list[torch.Tensor]) -> Callable[[], None]:
    """The function and its gradients."""

    def run() -> None:
        torch.autograd.grad(function(*inputs).sum(), inputs)

    return run


def exponent(counts: list[int], prices: list[float]) -> float:
    """Of the straight line through the logarithms."""
    return round(float(np.polyfit(np.log(counts), np.log(prices), 1)[0]), 3)


def timed(run: Callable[[], object]) -> float:
    started = time.perf_counter()
    run()
    return time.perf_counter() - started


def best(run: Callable[[], object], rounds: int = 15) -> float:
    """The shortest of some runs, after one that is not counted."""
    run()
    return round(min(timed(run) for _ in range(rounds)), 6)


def peak_mb(run: Callable[[], object]) -> float:
    """The most memory that the run's tensors take at once, as torch's allocator counts it."""
    gc.collect()
    with torch.profiler.profile(
        activities=[torch.profiler.ProfilerActivity.CPU], profile_memory=True
    ) as made:
        run()
    events = [event for event in made.profiler.kineto_results.events() if event.name() == "[memory]"]
    held = np.cumsum([event.nbytes() for event in sorted(events, key=lambda event: event.start_ns())])
    return round(float(held.max()) / 2**20, 4)


if __name__ == "__main__":
    main()
