"""Every network of the catalog on one GPU: step and memory of training, against nnU-Net and the estimate.

A step is nnU-Net's own: `nnUNetTrainer.train_step` with its loss, its optimiser, mixed precision and gradient
clipping, on random data of the same patch. nnU-Net's own network is measured anew before each network; the
ratio of the medians counts. Nothing is compiled. Without a GPU it says so and ends with status 0.

    .venv/bin/python benchmarks/gpu/networks.py         it ends within ten minutes
    .venv/bin/python benchmarks/gpu/networks.py --device cpu --tiny --networks pansegnet-2     (no record)
"""

import gc
import tempfile
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import torch
from asking import asked, ended, peak_gib, reset_peak
from prepared import Setting, nnunets_environment, nnunets_trainer, write_cases
from stepping import step_s

from wirsung.errors import WirsungError
from wirsung.models.cost import estimate
from wirsung.models.networks import catalog
from wirsung.models.networks.topology import plan_of_patch

PEER = "nnunet"
STRUCTURES, BATCH = 2, 2
LIMIT_S = 480
"""No further network is begun after this, so that the whole ends within ten minutes."""


def main() -> None:
    """Measure and record."""
    others = [name for name in catalog() if name != PEER]
    found = asked(
        __doc__,
        patch={"type": int, "default": 96},
        networks={"nargs": "*", "default": others},
    )
    torch.manual_seed(0)
    patch = 32 if found.tiny else found.patch
    with tempfile.TemporaryDirectory() as folder:
        features = (4, 16) if found.tiny else (32, 320)
        setting = Setting(Path(folder), (patch,) * 3, BATCH, STRUCTURES, patch, found.device, features)
        write_cases(setting)
        with nnunets_environment(setting, 0):
            rows = dict(measured(found.networks, setting))
    ended("networks", {"patch": patch, "step": rows}, found)


def measured(names: list[str], setting: Setting) -> Iterator[tuple[str, Any]]:
    """Name and figures of each network; the error's sentence where one can't be run."""
    begun = time.perf_counter()
    for name in names:
        if time.perf_counter() - begun > LIMIT_S:
            yield name, "not run: the time was up"
            continue
        try:
            yield name, against_nnunet(name, setting)
        except (WirsungError, torch.OutOfMemoryError) as error:
            yield name, str(error).splitlines()[0]


def against_nnunet(name: str, setting: Setting) -> dict[str, Any]:
    """Seconds a step and peak memory of the network, beside nnU-Net's just before."""
    seconds: dict[str, float] = {}
    peaks_gib: dict[str, float] = {}
    for kind in (PEER, name):
        gc.collect()
        reset_peak(setting.device)
        seconds[kind] = step_s(nnunets_trainer(setting, kind), setting)
        peaks_gib[kind] = peak_gib(setting.device)
    told = estimate(name, plan_of_patch(setting.patch, features=setting.features), 1, STRUCTURES + 1)
    return {
        "step_s": round(seconds[name], 4),
        "ratio_to_nnunet": round(seconds[name] / seconds[PEER], 3),
        "peak_gib": round(peaks_gib[name], 2),
        "peak_ratio_to_nnunet": round(peaks_gib[name] / peaks_gib[PEER], 2) if peaks_gib[PEER] else None,
        "estimated_gib": round(told.training_mixed_bytes / 2**30, 2),
    }


if __name__ == "__main__":
    main()
