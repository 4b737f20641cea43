"""nnU-Net's own training step on a random batch that lies ready."""

import time
from statistics import median
from typing import Any

import torch
from asking import synchronise
from prepared import Setting

WARM_UP, STEPS = 3, 8


def step_s(trainer: Any, setting: Setting) -> float:  # noqa: ANN401 - nnU-Net has no types
    """Median seconds of nnU-Net's own training step on one random batch."""
    batch = random_batch(trainer, setting)
    taken = []
    for _ in range(WARM_UP + STEPS):
        synchronise(setting.device)
        started = time.perf_counter()
        trainer.train_step(batch)
        synchronise(setting.device)
        taken.append(time.perf_counter() - started)
    return median(taken[WARM_UP:])


def random_batch(trainer: Any, setting: Setting) -> dict[str, Any]:  # noqa: ANN401 - nnU-Net has no types
    """A batch on the device, with a target for each answer of the network."""
    shapes = [setting.patch]
    if trainer.enable_deep_supervision:
        scales = trainer._get_deep_supervision_scales()
        shapes = [
            tuple(round(size * fraction) for size, fraction in zip(setting.patch, scale, strict=True))
            for scale in scales
        ]
    image = torch.randn(setting.batch, 1, *setting.patch, device=setting.device)
    targets = [
        torch.randint(0, setting.structures + 1, (setting.batch, 1, *shape), device=setting.device)
        for shape in shapes
    ]
    return {"data": image, "target": targets if trainer.enable_deep_supervision else targets[0]}
