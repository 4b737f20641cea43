"""Images and models for `inference.py`: phantoms, and a small U-Net trained on one for some minutes."""

import json
import time
from dataclasses import dataclass
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

STRUCTURES = 28
BIG_MM = (0.8, 0.8, 1.25)
BIG_SHAPE = (512, 512, 300)
LONG_MM = (0.8, 0.8, 0.8)
LONG_SLICES = 1600


@dataclass(frozen=True)
class Size:
    """Of a model."""

    patch: int = 64
    crop: int = 48
    """The patch of its training, for which less does."""
    features: tuple[int, ...] = (12, 24, 48, 96)
    steps: int = 3000
    device: str = "cpu"


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
            mask = _regridded(reorient(read_label_map(path), "LPS"), preset)
            labels[mask.voxels > 0] = value
        write_nifti(folder / "labels" / f"{case}.nii.gz", image.with_voxels(labels))
        write_nifti(folder / "images" / f"{case}_0000.nii.gz", image)
    print(f"{count} {preset} cases: {time.perf_counter() - started:.0f} s", flush=True)
    return folder / "images"


def make_model(folder: Path, images: Path, spacing_mm: float, size: Size) -> Path:
    """A model folder of nnU-Net's, trained on the first image."""
    if (folder / "dataset.json").is_file():
        return folder
    plans = _plans(spacing_mm, size)
    path = min(images.glob("*_0000.nii.gz"))
    labels = images.parent / "labels" / path.name.replace("_0000", "")
    network = _trained(plans, read_image(path), read_label_map(labels), size)
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
        "labels": {name: value for value, name in enumerate(["background", *_structures(images)])},
        "numTraining": 1,
        "file_ending": ".nii.gz",
        "steps": size.steps,
    }
    (folder / "plans.json").write_text(json.dumps(plans))
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


def _structures(images: Path) -> list[str]:
    """The names of the phantom's structures, in the order of their values."""
    masks = min((images.parent / "raw").rglob("segmentations"))
    return sorted(path.name.removesuffix(".nii.gz") for path in masks.iterdir())


def make_long_case(folder: Path, images: Path, slices: int) -> Path:
    """The first image, mirrored end to end until it has that many slices, of 0.8 mm."""
    path = folder / "images" / "long_0000.nii.gz"
    if not path.is_file():
        image = read_image(min(images.glob("*_0000.nii.gz")))
        write_nifti(path, _placed(image.voxels, (*image.shape[:2], slices), LONG_MM))
    return path.parent


def _regridded(volume: Volume, preset: str) -> Volume:
    """The big case has the shape and spacing that its promise names, whatever its centre's are."""
    return _placed(volume.voxels, BIG_SHAPE, BIG_MM) if preset == "full" else volume


def _placed(voxels: NDArray[Any], shape: tuple[int, ...], spacing_mm: tuple[float, ...]) -> Volume:
    """The middle of an array, mirrored at its ends where it is too short, LPS."""
    for axis, wanted in enumerate(shape):
        missing = wanted - voxels.shape[axis]
        places = np.arange(wanted) - missing // 2
        period = 2 * voxels.shape[axis]
        places = np.minimum(places % period, period - 1 - places % period)
        voxels = np.take(voxels, places, axis=axis)
    return Volume(voxels, np.diag([-spacing_mm[0], -spacing_mm[1], spacing_mm[2], 1.0]))


def _trained(plans: dict[str, Any], image: Volume, labels: Volume, size: Size) -> torch.nn.Module:
    from wirsung.models.networks import build_architecture

    parsed = parse_plans(plans)
    configuration = parsed.configuration("3d_fullres")
    x_mm, y_mm, z_mm = image.spacing_mm
    voxels, truth = image.voxels.transpose(2, 1, 0)[None], labels.voxels.transpose(2, 1, 0)
    made = preprocess(voxels, (z_mm, y_mm, x_mm), parsed, configuration, truth.astype(np.int16))
    torch.manual_seed(0)
    network = build_architecture(configuration.architecture, channels=1, classes=STRUCTURES + 1)
    network = network.to(size.device, memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    optimiser = torch.optim.AdamW(network.parameters())
    schedule = torch.optim.lr_scheduler.OneCycleLR(optimiser, 6e-3, total_steps=size.steps)
    started, random = time.perf_counter(), np.random.default_rng(0)
    whole, target_map = _padded(made.image, made.labels, size.crop)  # type: ignore[arg-type]
    places = [np.argwhere(target_map == value) for value in np.unique(target_map)]
    for step in range(size.steps):
        # Around a voxel of any structure, the small ones as often as the large ones; every fifth anywhere.
        centre = random.choice(places[random.integers(len(places))])
        if step % 5 == 0:
            centre = random.integers(0, target_map.shape)
        crop, target = _crop(whole, target_map, centre, size.crop)
        optimiser.zero_grad()
        loss = _loss(network(crop.to(size.device)), target.to(size.device))
        loss.backward()
        optimiser.step()
        schedule.step()
    print(
        f"trained {size.steps} steps in {time.perf_counter() - started:.0f} s, loss {loss.item():.3f}",
        flush=True,
    )
    return network.eval().to("cpu", memory_format=torch.contiguous_format)  # type: ignore[call-overload]


def _loss(logits: torch.Tensor, target: torch.Tensor) -> torch.Tensor:
    """Cross entropy, and what is missing to a Dice of 1 of the structures that are there."""
    shares = logits.softmax(1)[0].flatten(1)
    truth = torch.nn.functional.one_hot(target[0].flatten(), len(shares)).T.float()
    size = truth.sum(1)
    dice = (2 * (shares * truth).sum(1) / (shares.sum(1) + size + 1e-5))[size > 0].mean()
    return torch.nn.functional.cross_entropy(logits, target) + 1 - dice


def _padded(
    image: NDArray[np.float32], labels: NDArray[np.int16], size: int
) -> tuple[NDArray[np.float32], NDArray[np.int16]]:
    """At least as large as a patch."""
    missing = [(0, max(0, size - present)) for present in labels.shape]
    return np.pad(image, ((0, 0), *missing)), np.pad(labels, missing)


def _crop(
    image: NDArray[np.float32], labels: NDArray[np.int16], centre: NDArray[np.int64], size: int
) -> tuple[torch.Tensor, torch.Tensor]:
    """A patch around a voxel."""
    starts = [
        int(np.clip(at - size // 2, 0, whole - size)) for at, whole in zip(centre, labels.shape, strict=True)
    ]
    place = tuple(slice(start, start + size) for start in starts)
    target = torch.from_numpy(np.maximum(labels[place], 0).astype(np.int64))[None]
    return torch.from_numpy(np.ascontiguousarray(image[:, *place]))[None], target


def _plans(spacing_mm: float, size: Size) -> dict[str, Any]:
    resampling: dict[str, Any] = {}
    for kind, order in zip(_KINDS, (3, 1, 1), strict=True):
        resampling[f"resampling_fn_{kind}"] = "resample_data_or_seg_to_shape"
        resampling[f"resampling_fn_{kind}_kwargs"] = {
            "is_seg": kind == "seg",
            "order": order,
            "order_z": 0,
            "force_separate_z": None,
        }
    stages = len(size.features)
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
                "patch_size": [size.patch] * 3,
                "spacing": [spacing_mm] * 3,
                "normalization_schemes": ["CTNormalization"],
                "use_mask_for_norm": [False],
                "batch_dice": False,
                "architecture": {
                    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                    "arch_kwargs": {
                        "n_stages": stages,
                        "features_per_stage": list(size.features),
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
