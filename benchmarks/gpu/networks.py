"""Every network of the catalog on one GPU: step and memory of training, against nnU-Net and the estimate.

A step is what nnU-Net's trainer does with a batch: forward and backward under autocast, gradient clipping and
SGD, on random data of the same patch. nnU-Net's own is measured anew before each network; the ratio of the
medians counts. Without a GPU it says so and ends with status 0.

    .venv/bin/python benchmarks/gpu/networks.py         it ends within ten minutes
    .venv/bin/python benchmarks/gpu/networks.py --device cpu --patch 32 --networks pansegnet-2   (no record)
"""

import argparse
import gc
import sys
import time
from collections.abc import Iterator
from pathlib import Path
from statistics import median
from typing import Any

import torch

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from recording import record

from wirsung.errors import WirsungError
from wirsung.models.cost import estimate
from wirsung.models.networks import build_network, catalog, entry
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import Configuration

PEER = "nnunet"
CLASSES, BATCH = 3, 2
WARM_UP, STEPS = 3, 8
LIMIT_S = 480
"""No further network is begun after this, so that the whole ends within ten minutes."""


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cuda")
    parser.add_argument("--patch", type=int, default=96)
    parser.add_argument("--networks", nargs="*", default=[name for name in catalog() if name != PEER])
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("Skipped: torch finds no CUDA device.")
        return
    torch.manual_seed(0)
    plan = plan_of_patch((asked.patch,) * 3)
    device = torch.device(asked.device)
    rows = dict(measured(asked.networks, plan, device))
    if asked.device == "cuda":
        facts = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "patch": asked.patch}
        record("gpu_networks", {**facts, "step": rows})
    else:
        print(rows)


def measured(names: list[str], plan: Configuration, device: torch.device) -> Iterator[tuple[str, Any]]:
    """Name and figures of each network; the error's sentence where one can't be run."""
    begun = time.perf_counter()
    for name in names:
        if time.perf_counter() - begun > LIMIT_S:
            yield name, "not run: the time was up"
            continue
        try:
            yield name, against_nnunet(name, plan, device)
        except (WirsungError, torch.OutOfMemoryError) as error:
            yield name, str(error).splitlines()[0]


def against_nnunet(name: str, plan: Configuration, device: torch.device) -> dict[str, Any]:
    """Seconds a step and peak memory of the network, beside nnU-Net's just before."""
    image = torch.randn(BATCH, 1, *plan.patch_size, device=device)
    target = torch.randint(0, CLASSES, (BATCH, *plan.patch_size), device=device)
    seconds: dict[str, list[float]] = {name: [], PEER: []}
    peaks_gib: dict[str, float] = {}
    for kind in (PEER, name):
        network, optimiser = trainable(kind, plan, device)
        gc.collect()
        reset_peak(device)
        for turn in range(WARM_UP + STEPS):
            taken = step(network, optimiser, image, target)
            seconds[kind] += [taken] if turn >= WARM_UP else []
        peaks_gib[kind] = peak_gib(device)
        del network, optimiser
    told = estimate(name, plan, 1, CLASSES)
    return {
        "step_s": round(median(seconds[name]), 4),
        "ratio_to_nnunet": round(median(seconds[name]) / median(seconds[PEER]), 3),
        "peak_gib": round(peaks_gib[name], 2),
        "peak_ratio_to_nnunet": round(peaks_gib[name] / peaks_gib[PEER], 2) if peaks_gib[PEER] else None,
        "estimated_gib": round(told.training_mixed_bytes / 2**30, 2),
    }


def trainable(
    name: str, plan: Configuration, device: torch.device
) -> tuple[torch.nn.Module, torch.optim.Optimizer]:
    """The network with nnU-Net's optimiser."""
    deep = entry(name).deep_supervision
    network = build_network(name, plan, 1, CLASSES, deep_supervision=deep).to(device)
    return network, torch.optim.SGD(
        network.parameters(), lr=1e-2, momentum=0.99, nesterov=True, weight_decay=3e-5
    )


def step(
    network: torch.nn.Module, optimiser: torch.optim.Optimizer, image: torch.Tensor, target: torch.Tensor
) -> float:
    """One step of training, in seconds."""
    synchronise(image.device)
    started = time.perf_counter()
    optimiser.zero_grad(set_to_none=True)
    with torch.autocast(image.device.type, enabled=image.device.type == "cuda"):
        answers = network(image)
        answers = answers if isinstance(answers, list | tuple) else [answers]
        loss = torch.nn.functional.cross_entropy(answers[0].float(), target)
        loss = loss + sum(answer.float().square().mean() for answer in answers[1:])
    loss.backward()
    torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
    optimiser.step()
    synchronise(image.device)
    return time.perf_counter() - started


def synchronise(device: torch.device) -> None:
    """Wait until the GPU has done what it was asked."""
    if device.type == "cuda":
        torch.cuda.synchronize(device)


def reset_peak(device: torch.device) -> None:
    """Count memory from here on."""
    if device.type == "cuda":
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats(device)


def peak_gib(device: torch.device) -> float:
    """The most memory that tensors took at once; 0 on a CPU, which does not count."""
    return torch.cuda.max_memory_allocated(device) / 2**30 if device.type == "cuda" else 0.0


if __name__ == "__main__":
    main()
