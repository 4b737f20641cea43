"""Find the default genotype of `scnas` on phantoms: python benchmarks/scnas_search.py OUT.json [--steps N].

About 6 minutes on one core for the 500 steps of the shipped one. A cohort of tiny phantoms is
made, patches of 32^3 voxels are drawn around the pancreas, two thirds of the patients teach the weights and
the others the structure. Nothing is timed, so nothing goes into results/.
"""

import argparse
import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import numpy as np
import torch

from wirsung.compute.atomic import write_json
from wirsung.imaging.nifti import read_image, read_mask
from wirsung.models.networks.scnas_cells import Stages
from wirsung.models.networks.scnas_search import Batch, SearchSettings, Supernet, search
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

CLASSES = (("pancreas",), ("duodenum", "stomach", "colon"), ("aorta", "superior_mesenteric_artery", "veins"))
"""Class 1 and on; the rest is background."""
PATCH = 32
FEATURES = (6, 12, 24, 48)
WINDOW_HU = (-160.0, 240.0)

Case = tuple[np.ndarray, np.ndarray]


def read(folder: Path) -> Case:
    """The windowed scan, -1 to 1, and its classes; axes k, j, i, as nnU-Net's."""
    low, high = WINDOW_HU
    image = (read_image(folder / "ct.nii.gz").voxels.clip(low, high) - low) / (high - low) * 2 - 1
    labels = np.zeros(image.shape, np.int64)
    for value, names in enumerate(CLASSES, start=1):
        for name in names:
            labels[read_mask(folder / "segmentations" / f"{name}.nii.gz").voxels] = value
    return image.astype(np.float32).transpose(2, 1, 0), labels.transpose(2, 1, 0)


def patches(cases: list[Case], seed: int) -> Iterator[Batch]:
    """Batches of two patches, each around a voxel of the pancreas, mirrored at random."""
    rng = np.random.default_rng(seed)
    while True:
        drawn = [_patch(*cases[rng.integers(len(cases))], rng) for _ in range(2)]
        images, labels = (np.stack(items) for items in zip(*drawn, strict=True))
        yield torch.from_numpy(images[:, None]), torch.from_numpy(labels)


def _patch(image: np.ndarray, labels: np.ndarray, rng: np.random.Generator) -> Case:
    inside = np.argwhere(labels == 1)
    centre = inside[rng.integers(len(inside))] + rng.integers(-6, 7, 3)
    start = [
        int(np.clip(at - PATCH // 2, 0, size - PATCH)) for at, size in zip(centre, image.shape, strict=True)
    ]
    where = tuple(slice(at, at + PATCH) for at in start)
    axes = tuple(np.flatnonzero(rng.random(3) < 0.5))
    return np.flip(image[where], axes).copy(), np.flip(labels[where], axes).copy()


def loss(logits: torch.Tensor, classes: torch.Tensor) -> torch.Tensor:
    """Cross-entropy and soft Dice over the batch, as nnU-Net's."""
    likely = torch.softmax(logits, 1)[:, 1:]
    true = torch.nn.functional.one_hot(classes, logits.shape[1]).movedim(-1, 1)[:, 1:]
    axes = (0, 2, 3, 4)
    dice = 2 * (likely * true).sum(axes) / (likely.sum(axes) + true.sum(axes)).clamp_min(1e-5)
    return torch.nn.functional.cross_entropy(logits, classes) - dice.mean()


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("out", type=Path)
    parser.add_argument("--steps", type=int, default=500)
    parser.add_argument("--cases", type=int, default=24)
    parser.add_argument("--seed", type=int, default=0)
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        phantom(PhantomSettings(Path(folder), cases=chosen.cases, seed=chosen.seed))
        cases = [read(item) for item in sorted(Path(folder).glob("phantom_*"))]
    torch.manual_seed(chosen.seed)
    steps = ((1, 1, 1), *((2, 2, 2),) * (len(FEATURES) - 1))
    network = Supernet(1, len(CLASSES) + 1, Stages(FEATURES, ((3, 3, 3),) * len(FEATURES), steps, nodes=2))
    kept = len(cases) * 2 // 3
    found = search(
        network,
        patches(cases[:kept], chosen.seed),
        patches(cases[kept:], chosen.seed + 1),
        SearchSettings(steps=chosen.steps, weight_rate=3e-3, seed=chosen.seed),
        loss,
    )
    told = {
        "origin": "found by benchmarks/scnas_search.py on phantoms, not the paper's",
        "steps": chosen.steps,
        "cases": chosen.cases,
        "seed": chosen.seed,
        "certainty": round(found.certainty, 3),
        "loss_first_and_last_tenth": [round(float(np.mean(part)), 3) for part in _ends(found.losses)],
    }
    write_json(chosen.out, {**found.genotype.to_json(), **told})
    print(json.dumps(told, indent=2))


def _ends(losses: tuple[float, ...]) -> tuple[tuple[float, ...], tuple[float, ...]]:
    tenth = max(1, len(losses) // 10)
    return losses[:tenth], losses[-tenth:]


if __name__ == "__main__":
    main()
