"""Images and models for `inference.py`: phantoms, and a small U-Net trained on one for a minute."""

import json
import time
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess

PATCH = 64
FEATURES = (12, 24, 48, 96)
STRUCTURES = 28
BIG_MM = (0.8, 0.8, 1.25)
_KINDS = ("data", "seg", "probabilities")


def make_cases(folder: Path, preset: str, count: int) -> Path:
    """`case_0000.nii.gz` and so on as nnU-Net names them, and beside each its label map in `labels/`."""
    from wirsung.phantom.cohort import phantom
    from wirsung.phantom.settings import PhantomSettings

    if len(list((folder / "images").glob("*.nii.gz"))) == count:
        return folder / "images"
    started = time.perf_counter()
    phantom(PhantomSettings(folder / "raw", cases=count, preset=preset, centres=1, phases=("venous",)))  # type: ignore[arg-type]
    for image_path in sorted((folder / "raw").rglob("ct.nii.gz")):
        case = image_path.parent.name
        image = _regridded(reorient(read_image(image_path), "LPS"), preset)
        masks = sorted((image_path.parent / "segmentations").glob("*.nii.gz"))
        labels = np.zeros(image.shape, np.uint8)
        for value, path in enumerate(masks, start=1):
            labels[reorient(read_label_map(path), "LPS").voxels > 0] = value
        write_nifti(folder / "labels" / f"{case}.nii.gz", image.with_voxels(labels))
        write_nifti(folder / "images" / f"{case}_0000.nii.gz", image)
    print(f"{count} {preset} cases: {time.perf_counter() - started:.0f} s", flush=True)
    return folder / "images"


def make_model(folder: Path, images: Path, spacing_mm: float, steps: int) -> Path:
    """A model folder of nnU-Net's, trained on the first image."""
    if (folder / "dataset.json").is_file():
        return folder
    plans = _plans(spacing_mm)
    path = min(images.glob("*_0000.nii.gz"))
    labels = images.parent / "labels" / path.name.replace("_0000", "")
    network = _trained(plans, read_image(path), read_label_map(labels), steps)
    (folder / "fold_0").mkdir(parents=True, exist_ok=True)
    checkpoint = {
        "network_weights": network.state_dict(),
        "init_args": {"configuration": "3d_fullres", "fold": 0},
        "trainer_name": "nnUNetTrainer",
        "inference_allowed_mirroring_axes": (0, 1, 2),
    }
    torch.save(checkpoint, folder / "fold_0" / "checkpoint_final.pth")
    table = {
        "channel_names": {"0": "CT"},
        "labels": {"background": 0} | {f"structure_{value}": value for value in range(1, STRUCTURES + 1)},
        "numTraining": 1,
        "file_ending": ".nii.gz",
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def _regridded(volume: Volume, preset: str) -> Volume:
    """The big case has the spacing that its promise names, whatever its centre's is."""
    if preset != "full":
        return volume
    affine = volume.affine.copy()
    affine[:3, :3] *= np.array(BIG_MM) / np.array(volume.spacing_mm)
    return Volume(volume.voxels, affine)


def _trained(plans: dict[str, Any], image: Volume, labels: Volume, steps: int) -> torch.nn.Module:
    from wirsung.models.networks import build_architecture

    parsed = parse_plans(plans)
    configuration = parsed.configuration("3d_fullres")
    x_mm, y_mm, z_mm = image.spacing_mm
    voxels, truth = image.voxels.transpose(2, 1, 0)[None], labels.voxels.transpose(2, 1, 0)
    made = preprocess(voxels, (z_mm, y_mm, x_mm), parsed, configuration, truth.astype(np.int16))
    torch.manual_seed(0)
    network = build_architecture(configuration.architecture, channels=1, classes=STRUCTURES + 1)
    network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters(), 3e-3)
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=steps)
    started = time.perf_counter()
    for step in range(steps):
        crop, target = _crop(made.image, made.labels, np.random.default_rng(step))  # type: ignore[arg-type]
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(network(crop), target)
        loss.backward()
        optimiser.step()
        schedule.step()
    print(
        f"trained {steps} steps in {time.perf_counter() - started:.0f} s, loss {loss.item():.3f}", flush=True
    )
    return network.eval().to(memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _crop(
    image: NDArray[np.float32], labels: NDArray[np.int16], random: np.random.Generator
) -> tuple[torch.Tensor, torch.Tensor]:
    """A patch around a voxel of a random structure, padded where the image is smaller."""
    missing = [max(0, PATCH - size) for size in labels.shape]
    image = np.pad(image, ((0, 0), *((0, size) for size in missing)))
    labels = np.pad(labels, [(0, size) for size in missing])
    places = np.argwhere(labels == random.choice(np.unique(labels)))
    centre = places[random.integers(len(places))]
    starts = [
        int(np.clip(at - PATCH // 2, 0, size - PATCH)) for at, size in zip(centre, labels.shape, strict=True)
    ]
    place = tuple(slice(start, start + PATCH) for start in starts)
    target = torch.from_numpy(np.maximum(labels[place], 0).astype(np.int64))[None]
    return torch.from_numpy(np.ascontiguousarray(image[:, *place]))[None], target


def _plans(spacing_mm: float) -> dict[str, Any]:
    resampling: dict[str, Any] = {}
    for kind, order in zip(_KINDS, (3, 1, 1), strict=True):
        resampling[f"resampling_fn_{kind}"] = "resample_data_or_seg_to_shape"
        resampling[f"resampling_fn_{kind}_kwargs"] = {
            "is_seg": kind == "seg",
            "order": order,
            "order_z": 0,
            "force_separate_z": None,
        }
    stages = len(FEATURES)
    return {
        "dataset_name": "Dataset001_Phantom",
        "plans_name": "nnUNetPlans",
        "image_reader_writer": "SimpleITKIO",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "label_manager": "LabelManager",
        "foreground_intensity_properties_per_channel": {
            "0": {"mean": 90.0, "std": 90.0, "percentile_00_5": -150.0, "percentile_99_5": 400.0}
        },
        "configurations": {
            "3d_fullres": {
                "data_identifier": "nnUNetPlans_3d_fullres",
                "preprocessor_name": "DefaultPreprocessor",
                "batch_size": 2,
                "patch_size": [PATCH] * 3,
                "spacing": [spacing_mm] * 3,
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "batch_dice": False,
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": list(FEATURES),
                        "conv_op": "torch.nn.modules.conv.Conv3d",
                        "kernel_sizes": [[3, 3, 3]] * stages,
                        "strides": [[1, 1, 1]] + [[2, 2, 2]] * (stages - 1),
                        "n_conv_per_stage": [2] * stages,
                        "n_conv_per_stage_decoder": [2] * (stages - 1),
                        "conv_bias": True,
                        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
                        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
                        "dropout_op": None,
                        "dropout_op_kwargs": None,
                        "nonlin": "torch.nn.LeakyReLU",
                        "nonlin_kwargs": {"inplace": True},
                    },
                    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
                },
                **resampling,
            }
        },
    }
