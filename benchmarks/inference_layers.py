"""One tile through the same network in several ways on one thread: what the CPU is busy for, and the labels.

The ways take turns, and the least of their processor seconds counts, so that other work on the machine does
not. bfloat16 and torch.compile are measured and not used: the one moves more voxels than may be moved, the
other takes longer to begin with than most scans take.
"""

import json
import time
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import torch

from wirsung.imaging.nifti import read_image
from wirsung.inference.cpu_layers import quickened
from wirsung.models.networks import build_architecture
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess

CONFIGURATION = "3d_fullres"
TURNS = 8
Way = Callable[[torch.Tensor], torch.Tensor]


def layers(model: Path, images: Path) -> dict[str, Any]:
    """Processor seconds a tile of each way, how many times faster than PyTorch's own, and equal voxels."""
    torch.set_num_threads(1)
    network, tile = _network(model), _tile(model, images)
    last = {"memory_format": torch.channels_last_3d}
    ways: dict[str, Way] = {
        "plain": network,
        "channels_last": lambda tile: network_last(tile.contiguous(**last)),  # type: ignore[arg-type]
        "quickened": quickened(network),
        "compiled": torch.compile(_network(model)),
        "bfloat16": lambda tile: _in_bfloat16(network_last, tile.contiguous(**last)),  # type: ignore[arg-type]
    }
    network_last = _network(model).to(**last)  # type: ignore[call-overload]
    with torch.inference_mode():
        answers, first_s = {}, {}
        for name, way in ways.items():
            started = time.perf_counter()
            answers[name] = way(tile)
            first_s[name] = time.perf_counter() - started
        seconds: dict[str, list[float]] = {name: [] for name in ways}
        for _ in range(TURNS):
            for name, way in ways.items():
                started = time.thread_time()
                way(tile)
                seconds[name].append(time.thread_time() - started)
    labels = answers["plain"].argmax(1)
    return {
        name: {
            "cpu_s": round(min(found), 4),
            "first_call_s": round(first_s[name], 1),
            "times_faster": round(min(seconds["plain"]) / min(found), 2),
            "equal_voxels": round(float((answers[name].argmax(1) == labels).float().mean()), 6),
        }
        for name, found in seconds.items()
    }


def _in_bfloat16(network: torch.nn.Module, tile: torch.Tensor) -> torch.Tensor:
    with torch.autocast("cpu", torch.bfloat16):
        made: torch.Tensor = network(tile).float()
    return made


def _network(model: Path) -> torch.nn.Module:
    configuration = parse_plans(json.loads((model / "plans.json").read_text())).configuration(CONFIGURATION)
    classes = len(json.loads((model / "dataset.json").read_text())["labels"])
    network = build_architecture(configuration.architecture, channels=1, classes=classes)
    checkpoint = torch.load(model / "fold_0" / "checkpoint_final.pth", weights_only=False)
    network.load_state_dict(checkpoint["network_weights"])
    return network.eval()


def _tile(model: Path, images: Path) -> torch.Tensor:
    """The middle of the first image."""
    plans = parse_plans(json.loads((model / "plans.json").read_text()))
    configuration, image = plans.configuration(CONFIGURATION), read_image(min(images.glob("*_0000.nii.gz")))
    x_mm, y_mm, z_mm = image.spacing_mm
    made = preprocess(image.voxels.transpose(2, 1, 0)[None], (z_mm, y_mm, x_mm), plans, configuration).image
    for axis, size in enumerate(configuration.patch_size, start=1):
        missing = max(0, size - made.shape[axis])
        made = np.pad(made, [(0, missing if place == axis else 0) for place in range(4)])
        first = (made.shape[axis] - size) // 2
        made = np.take(made, range(first, first + size), axis=axis)
    return torch.from_numpy(np.ascontiguousarray(made))[None]
