"""Linear against exact attention by the number of tokens: time and memory of forward and backward.

The same measurement as configs/experiments/attention.toml at its size for this machine; the ratios against
exact attention by torch's fused kernels, its real peer, are what counts. About two minutes on a quiet core.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/attention.py
    .venv/bin/python benchmarks/attention.py --device cuda --size full
    .venv/bin/python benchmarks/attention.py --tokens 64 216 --repeats 2 --no-record
"""

import argparse
import math
from pathlib import Path
from statistics import median
from typing import Any

import torch
from recording import ROOT, record

from wirsung.training.experiments.reading import read_experiment
from wirsung.training.experiments.token_call import Call, measure_call
from wirsung.training.experiments.tokens import growth_of, plan_of, sentences

FILE = Path("configs/experiments/attention.toml")
PEER = "softmax"


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--device", default="cpu")
    parser.add_argument("--size", choices=("cpu", "full"), default="cpu")
    parser.add_argument("--tokens", type=int, nargs="+")
    parser.add_argument("--repeats", type=int)
    parser.add_argument("--no-record", action="store_true")
    asked = parser.parse_args()
    if asked.device == "cuda" and not torch.cuda.is_available():
        print("Skipped: torch finds no CUDA device.")
        return
    declared = read_experiment(ROOT / FILE, asked.size)
    plan = plan_of(declared)
    repeats = asked.repeats or plan.repeats
    counts = asked.tokens or plan.tokens
    calls = [
        measure_call(Call(kind, tokens, plan.channels, plan.heads, repeats, asked.device))
        for tokens in counts
        for kind in declared.arms
    ]
    titles = {name: arm.title for name, arm in declared.arms.items()}
    growth = [growth_of(kind, calls) for kind in declared.arms]
    figures = {
        "device": torch.cuda.get_device_name() if asked.device == "cuda" else "cpu",
        "torch": torch.__version__,
        "threads": torch.get_num_threads(),
        "channels": plan.channels,
        "heads": plan.heads,
        "rows": rows(calls),
        "growth": {
            item.kind: {"time": rounded(item.seconds), "memory": rounded(item.memory)} for item in growth
        },
        "says": sentences(calls, growth, titles),
    }
    if asked.no_record:
        print(figures)
    else:
        record("attention" if asked.device == "cpu" else "gpu_attention", figures)


def rows(calls: list[Call]) -> list[dict[str, Any]]:
    """Each number of tokens with the milliseconds, the memory and the ratio to the peer of each kind."""
    found: dict[int, dict[str, Call]] = {}
    for call in calls:
        found.setdefault(call.tokens, {})[call.kind] = call
    return [{"tokens": tokens, **_row(own)} for tokens, own in found.items()]


def _row(own: dict[str, Call]) -> dict[str, Any]:
    row: dict[str, Any] = {}
    peer = median(own[PEER].seconds)
    for kind, call in own.items():
        if not call.seconds:
            row[kind] = call.reason
            continue
        middle = median(call.seconds)
        row[kind] = {
            "ms": round(1000 * middle, 3),
            "memory_mib": None if call.memory_mib is None else round(call.memory_mib, 1),
            f"times_{PEER}": round(middle / peer, 3),
        }
    return row


def rounded(value: float) -> float | None:
    """For JSON, which has no NaN."""
    return None if math.isnan(value) else round(value, 2)


if __name__ == "__main__":
    main()
