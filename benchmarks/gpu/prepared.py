"""Cases made up on the spot in nnU-Net's preprocessed format, and nnU-Net's own trainer and ours for them."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any
from unittest import mock

import numpy as np
import torch
from nnunetv2.training.dataloading.nnunet_dataset import comp_blosc2_params, nnUNetDatasetBlosc2
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.ndimage import gaussian_filter

from wirsung.datasets.splits import Fold
from wirsung.models.networks import architecture_of, entry
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.plans import Plans, parse_plans
from wirsung.training.presets import PRESETS
from wirsung.training.trainer import Job, Trainer
from wirsung.training.workspace import CONFIGURATION, Workspace, silence

CASES = ("a", "b", "c", "d")
_IDENTIFIER = "nnUNetPlans_3d_fullres"


@dataclass(frozen=True)
class Setting:
    """What is trained on what."""

    model: Path
    """A folder for everything; cases are written once."""
    patch: tuple[int, int, int]
    batch: int
    structures: int
    """Foreground classes."""
    case_size: int
    """Voxels of a case along each axis."""
    device: torch.device
    features: tuple[int, int] = (32, 320)

    @property
    def workspace(self) -> Workspace:
        """nnU-Net's folders."""
        return Workspace(self.model)

    @property
    def label_table(self) -> dict[str, Any]:
        """nnU-Net's dataset.json."""
        names = ["background", *(f"structure_{index}" for index in range(1, self.structures + 1))]
        return {
            "channel_names": {"0": "CT"},
            "labels": {name: index for index, name in enumerate(names)},
            "numTraining": len(CASES),
            "file_ending": ".nii.gz",
        }


def write_cases(setting: Setting) -> None:
    """Noisy cubes with an ellipsoid a structure."""
    folder = setting.workspace.preprocessed / _IDENTIFIER
    folder.mkdir(parents=True, exist_ok=True)
    for seed, case in enumerate(CASES):
        random = np.random.default_rng(seed)
        labels = _ellipsoids(setting, random)
        levels = random.normal(0, 1, setting.structures + 1).astype(np.float32)
        noise = random.standard_normal(labels.shape, dtype=np.float32)
        image = gaussian_filter(levels[labels] + noise, 0.6)[None]
        arguments: dict[str, Any] = {}
        for suffix, array in (("", image), ("_seg", labels[None])):
            blocks, chunks = comp_blosc2_params(array.shape, setting.patch, array.itemsize)
            arguments |= {f"blocks{suffix}": blocks, f"chunks{suffix}": chunks}
        found = {"class_locations": _locations(labels, setting.structures, random)}
        nnUNetDatasetBlosc2.save_case(image, labels[None], found, str(folder / case), **arguments)


def _locations(labels: np.ndarray, structures: int, random: np.random.Generator) -> dict[int, np.ndarray]:
    """Some voxels of each structure, as nnU-Net keeps them: channel, z, y, x."""
    made = {}
    for value in range(1, structures + 1):
        voxels = np.argwhere(labels[None] == value)
        made[value] = voxels[random.permutation(len(voxels))[:10_000]]
    return made


def _ellipsoids(setting: Setting, random: np.random.Generator) -> np.ndarray:
    size = setting.case_size
    labels = np.zeros((size,) * 3, np.int16)
    for value in range(1, setting.structures + 1):
        radii = random.uniform(0.04, 0.16, 3) * size
        centre = random.uniform(radii, size - radii)
        lower = np.floor(centre - radii).astype(int).clip(0)
        upper = np.ceil(centre + radii).astype(int) + 1
        box = tuple(slice(low, min(high, size)) for low, high in zip(lower, upper, strict=True))
        parts = zip(np.ogrid[box], centre, radii, strict=True)
        labels[box][sum(((axis - middle) / radius) ** 2 for axis, middle, radius in parts) <= 1] = value
    return labels


def plans_for(setting: Setting, network: str) -> Plans:
    """As nnU-Net would plan that patch, with the network in its place."""
    planned = plan_of_patch(setting.patch, features=setting.features, batch_size=setting.batch)
    functions = ("data", "seg", "probabilities")
    orders = {"data": 3, "seg": 1, "probabilities": 1}
    configuration = {
        "data_identifier": _IDENTIFIER,
        "preprocessor_name": "DefaultPreprocessor",
        "batch_size": setting.batch,
        "patch_size": list(setting.patch),
        "median_image_size_in_voxels": [float(setting.case_size)] * 3,
        "spacing": [1.0, 1.0, 1.0],
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        **{f"resampling_fn_{kind}": "resample_data_or_seg_to_shape" for kind in functions},
        **{
            f"resampling_fn_{kind}_kwargs": {
                "is_seg": kind == "seg",
                "order": orders[kind],
                "order_z": 0,
                "force_separate_z": None,
            }
            for kind in functions
        },
        "architecture": architecture_of(entry(network), planned).as_plan(),
        "batch_dice": False,
    }
    statistics = ("max", "mean", "median", "min", "percentile_00_5", "percentile_99_5", "std")
    return parse_plans(
        {
            "dataset_name": setting.workspace.preprocessed.name,
            "plans_name": "nnUNetPlans",
            "original_median_spacing_after_transp": [1.0, 1.0, 1.0],
            "original_median_shape_after_transp": [setting.case_size] * 3,
            "image_reader_writer": "SimpleITKIO",
            "transpose_forward": [0, 1, 2],
            "transpose_backward": [0, 1, 2],
            "configurations": {CONFIGURATION: configuration},
            "experiment_planner_used": "ExperimentPlanner",
            "label_manager": "LabelManager",
            "foreground_intensity_properties_per_channel": {"0": dict.fromkeys(statistics, 1.0)},
        }
    )


def nnunets_trainer(setting: Setting, network: str = "nnunet") -> nnUNetTrainer:
    """nnU-Net's own trainer, which knows nothing of us."""
    plans = {**plans_for(setting, network).content, "continue_training": False}
    with silence():
        trainer = nnUNetTrainer(plans, CONFIGURATION, "all", setting.label_table, setting.device)
        trainer.enable_deep_supervision = entry(network).deep_supervision
        trainer.initialize()
    trainer.network.train()
    return trainer


def our_trainer(
    setting: Setting, network: str = "nnunet", workers: int = 0, augmentation: str = "gpu"
) -> Trainer:
    """Ours, with nnU-Net's schedule."""
    preset = replace(PRESETS["default"], augmentation=augmentation)
    folder = setting.model / f"fold_{augmentation}"
    folder.mkdir(parents=True, exist_ok=True)
    plans, fold = plans_for(setting, network), Fold(CASES, CASES)
    job = Job(
        plans,
        setting.label_table,
        "all",
        fold,
        folder,
        preset,
        setting.device,
        0,
        names_sides=False,
        workers=workers,
    )
    with silence():
        trainer = Trainer.of(job)
        trainer.initialize()
    trainer.network.train()
    return trainer


@contextmanager
def nnunets_environment(setting: Setting, workers: int) -> Iterator[None]:
    """nnU-Net's folders and processes; nothing is compiled, which takes longer than the measurement."""
    with mock.patch.dict(os.environ, {"nnUNet_compile": "f"}), setting.workspace.environment(workers):
        yield
