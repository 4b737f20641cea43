"""What every script here is asked, and when it is skipped."""

import argparse
import json
import sys
from pathlib import Path
from typing import Any

import torch

sys.path.append(str(Path(__file__).resolve().parents[1]))

from recording import record


def asked(documentation: str | None, **more: dict[str, Any]) -> argparse.Namespace:
    """The arguments; without a GPU it says so and ends with status 0, unless the CPU is asked for.

    Args:
        documentation: Of the script.
        more: Further options and what argparse is told of each.
    """
    parser = argparse.ArgumentParser(description=(documentation or "").splitlines()[0])
    parser.add_argument("--device", default="cuda", choices=("cuda", "cpu"))
    parser.add_argument("--tiny", action="store_true", help="see that it works; records nothing")
    for name, told in more.items():
        parser.add_argument(f"--{name}", **told)
    found = parser.parse_args()
    if found.device == "cpu" and not found.tiny:
        parser.error("a CPU is for --tiny only: there is nothing to compare it with")
    if found.device == "cuda" and not torch.cuda.is_available():
        print("Skipped: torch finds no CUDA device.")
        sys.exit(0)
    found.device = torch.device(found.device)
    torch.backends.cudnn.benchmark = True  # as nnU-Net's own command line
    return found


def ended(name: str, figures: dict[str, Any], found: argparse.Namespace) -> None:
    """Record `results/gpu_<name>.json`, or print what a tiny run found."""
    if found.tiny:
        print(json.dumps(figures, indent=2))
        return
    facts = {"gpu": torch.cuda.get_device_name(), "torch": torch.__version__, "cuda": torch.version.cuda}
    record(f"gpu_{name}", {**facts, **figures})


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
