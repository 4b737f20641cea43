"""Images and a model for `presets.py`: a small U-Net that learns five structures in some minutes.

It learns from phantoms and from the slices of one real CT whose label map another program made. That is far
too little to be good on other patients, and what it says of that CT is no test of it; but it answers on real
tissue, and the presets are compared by the same weights.
"""

import json
import time
from collections.abc import Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

import numpy as np
import torch
from inference_model import Size, _plans
from numpy.typing import NDArray

from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, read_label_map
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess

STRUCTURES = {"spleen": 1, "kidney_right": 2, "kidney_left": 3, "liver": 5, "pancreas": 7}
"""Their values in TotalSegmentator's label maps."""
PATCH = 48
SPACING_MM = 3.0
FIRST = 82
"""The slice of the abdomen's CT that its label map begins with; its own header does not say."""


@dataclass(frozen=True)
class Case:
    """An image and its truth."""

    name: str
    image: Volume
    labels: Volume
    """1, 2 and so on in the order of STRUCTURES; of the slices that somebody labelled."""
    first: int = 0
    """Which slice of the image the first of these is."""

    @property
    def slices(self) -> slice:
        """Which slices of the image somebody labelled."""
        return slice(self.first, self.first + self.labels.shape[2])


def phantoms(folder: Path, count: int, seed: int) -> list[Case]:
    """Phantoms of 2 x 2 x 4 mm."""
    from wirsung.phantom.cohort import phantom
    from wirsung.phantom.settings import PhantomSettings

    own = folder / f"phantoms-{seed}"
    phantom(PhantomSettings(own, cases=count, preset="small", seed=seed))
    return [_phantom(path) for path in sorted(own.rglob("ct.nii.gz"))]


def real(data: Path) -> list[Case]:
    """The CTs of the shared data with a label map, the one that the model learns from first."""
    abdomen, series = data / "ct_abdomen", data / "ct_dicom"
    # A model of nnU-Net's takes images as they lie in the file, and this one learns from LPS.
    whole = reorient(read_image(abdomen / "ct.nii.gz"), "LPS")
    crop = reorient(read_image(abdomen / "ct_crop.nii.gz"), "LPS")
    labels = reorient(read_label_map(abdomen / "ct_crop_totalsegmentator_v2.nii.gz"), "LPS")
    if not np.array_equal(whole.voxels[:, :, FIRST : FIRST + crop.shape[2]], crop.voxels):
        msg = "ct_crop.nii.gz is not slices 82 to 111 of ct.nii.gz"
        raise SystemExit(msg)
    image = reorient(read_series(series / "series").volume, "LPS")
    thin = reorient(read_label_map(series / "totalsegmentator_v2.nii.gz"), "LPS")
    return [
        Case("real, abdomen and pelvis", whole, _own(labels), FIRST),
        Case("real, 20 slices", image, _own(thin)),
    ]


def make_model(folder: Path, cases: list[Case], steps: int) -> Path:
    """A model folder of nnU-Net's."""
    if (folder / "dataset.json").is_file():
        return folder
    plans = _plans(SPACING_MM, Size(patch=PATCH))
    network = _trained(plans, cases, steps)
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": "3d_fullres", "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": None,
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    labels = {"background": 0} | {name: index for index, name in enumerate(STRUCTURES, start=1)}
    table = {
        "channel_names": {"0": "CT"},
        "labels": labels,
        "numTraining": len(cases),
        "file_ending": ".nii.gz",
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def pancreas_only(model: Path) -> Path:
    """A table by which the model gives its pancreas alone."""
    path = model.parent / "pancreas.toml"
    path.write_text(f'schema = 1\n[classes]\npancreas = 1\n[[parts]]\nmodel = "{model.name}"\n')
    return path


def _phantom(path: Path) -> Case:
    image = reorient(read_image(path), "LPS")
    labels = np.zeros(image.shape, np.uint8)
    for value, name in enumerate(STRUCTURES, start=1):
        mask = path.parent / "segmentations" / f"{name}.nii.gz"
        labels[reorient(read_label_map(mask), "LPS").voxels > 0] = value
    return Case(f"phantom {path.parent.name}", image, image.with_voxels(labels))


def _own(labels: Volume) -> Volume:
    made = np.zeros(labels.shape, np.uint8)
    for index, value in enumerate(STRUCTURES.values(), start=1):
        made[labels.voxels == value] = index
    return labels.with_voxels(made)


def _trained(plans: dict[str, Any], cases: list[Case], steps: int) -> torch.nn.Module:
    from wirsung.models.networks import build_architecture

    parsed = parse_plans(plans)
    configuration = parsed.configuration("3d_fullres")
    prepared = []
    for case in cases:
        x_mm, y_mm, z_mm = case.image.spacing_mm
        image, truth = case.image.voxels.transpose(2, 1, 0)[None], _spread(case).transpose(2, 1, 0)
        made = preprocess(image, (z_mm, y_mm, x_mm), parsed, configuration, truth)
        prepared.append((made.image, made.labels))
    torch.manual_seed(0)
    network = build_architecture(configuration.architecture, channels=1, classes=len(STRUCTURES) + 1)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    started = time.perf_counter()
    for step, (image, target) in enumerate(_patches(prepared, steps)):  # type: ignore[arg-type]
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(image), target, ignore_index=-1)
        loss.backward()
        optimiser.step()
        schedule.step()
        if step % 100 == 0:
            print(f"step {step}: {time.perf_counter() - started:.0f} s, loss {loss.item():.3f}", flush=True)
    print(f"{steps} steps: {time.perf_counter() - started:.0f} s, loss {loss.item():.3f}", flush=True)
    return network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _spread(case: Case) -> NDArray[np.int16]:
    """The labels on the whole image; -1 in slices that nobody labelled."""
    made = np.full(case.image.shape, -1, np.int16)
    made[:, :, case.slices] = case.labels.voxels
    return made


def _patches(
    prepared: list[tuple[NDArray[np.float32], NDArray[np.int16]]], steps: int
) -> Iterator[tuple[torch.Tensor, torch.Tensor]]:
    """A patch around a voxel of a random structure, a third of them larger or smaller, as nnU-Net does it."""
    padded = []
    for image, labels in prepared:
        missing = [max(0, ceil(1.4 * PATCH) - length) for length in labels.shape]
        wide = np.pad(labels, [(0, length) for length in missing], constant_values=-1)
        places = [np.argwhere(wide == value) for value in range(len(STRUCTURES) + 1)]
        image_wide = np.pad(image, ((0, 0), *((0, length) for length in missing)))
        padded.append((image_wide, wide, [own for own in places if len(own)]))
    for step in range(steps):
        random = np.random.default_rng(step)
        image, labels, places = padded[random.integers(len(padded))]
        size = int(PATCH * random.uniform(0.7, 1.4)) if random.random() < 1 / 3 else PATCH
        own = places[random.integers(len(places))]
        centre = own[random.integers(len(own))] + random.integers(-8, 9, 3)
        starts = [
            int(np.clip(at - size // 2, 0, n - size)) for at, n in zip(centre, labels.shape, strict=True)
        ]
        place = tuple(slice(start, start + size) for start in starts)
        crop = torch.from_numpy(np.ascontiguousarray(image[:, *place]))[None]
        target = torch.from_numpy(labels[place].astype(np.float32))[None, None]
        if size != PATCH:
            crop = torch.nn.functional.interpolate(crop, (PATCH,) * 3, mode="trilinear")
            target = torch.nn.functional.interpolate(target, (PATCH,) * 3, mode="nearest")
        yield crop, target[0].long()
