"""A model folder with a tiny network that has learnt to tell two brightnesses."""

import json

import numpy as np
import pytest
import torch
from scipy import ndimage

from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.folder import ModelClass, Record, fold_folder, write_record
from wirsung.models.networks import build_architecture
from wirsung.models.plans import parse_plans, write_plans
from wirsung.models.weights import Weights, save_weights, unique

RECORD = Record(
    scheme="pants-28",
    classes=(ModelClass(1, 17, "pancreas"), ModelClass(2, 28, "pancreatic_lesion")),
    orientation="RPS",
    modality="ct",
    network="nnunet",
    preset="demo",
    plan_key="",
)
TABLE = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "pancreas": 1, "pancreatic_lesion": 2},
    "numTraining": 1,
    "file_ending": ".nii.gz",
}


def _resampling(kind, order):
    arguments = {"is_seg": kind == "seg", "order": order, "order_z": 0, "force_separate_z": None}
    return {
        f"resampling_fn_{kind}": "resample_data_or_seg_to_shape",
        f"resampling_fn_{kind}_kwargs": arguments,
    }


PLANS = {
    "dataset_name": "Dataset001_Test",
    "plans_name": "nnUNetPlans",
    "image_reader_writer": "SimpleITKIO",
    "transpose_forward": [0, 1, 2],
    "transpose_backward": [0, 1, 2],
    "label_manager": "LabelManager",
    "configurations": {
        "3d_fullres": {
            "data_identifier": "nnUNetPlans_3d_fullres",
            "preprocessor_name": "DefaultPreprocessor",
            "batch_size": 2,
            "patch_size": [16, 16, 16],
            "spacing": [2.0, 1.5, 1.5],
            "normalization_schemes": ["CTNormalization"],
            "use_mask_for_norm": [False],
            "batch_dice": False,
            "architecture": {
                "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
                "arch_kwargs": {
                    "n_stages": 2,
                    "features_per_stage": [6, 8],
                    "conv_op": "torch.nn.modules.conv.Conv3d",
                    "kernel_sizes": [[3, 3, 3]] * 2,
                    "strides": [[1, 1, 1], [2, 2, 2]],
                    "n_conv_per_stage": [1, 1],
                    "n_conv_per_stage_decoder": [1],
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
            **_resampling("data", 3),
            **_resampling("seg", 1),
            **_resampling("probabilities", 1),
        }
    },
    "foreground_intensity_properties_per_channel": {
        "0": {"mean": 100.0, "std": 80.0, "percentile_00_5": -100.0, "percentile_99_5": 300.0}
    },
}


def scan(shape=(30, 34, 22), spacing=(1.5, 1.5, 2.0), seed=0):
    """A volume (RAS) of two kinds of blobs, and its labels 0, 1, 2."""
    random = np.random.default_rng(seed)
    field = ndimage.gaussian_filter(random.normal(size=shape), 3)
    labels = np.digitize(field / field.std(), (0.6, 1.6)).astype(np.uint8)
    voxels = np.array([0.0, 100.0, 200.0])[labels] + random.normal(0, 8, shape)
    return Volume(voxels.round().astype(np.int16), np.diag([*spacing, 1.0])), labels


def _learnt():
    """The network after 50 steps on one small scan."""
    torch.manual_seed(0)
    plans = parse_plans(PLANS)
    network = build_architecture(plans.configuration("3d_fullres").architecture, channels=1, classes=3)
    volume, labels = scan((24, 24, 24))
    image = torch.from_numpy((volume.voxels.astype(np.float32) - 100) / 80)[None, None]
    target = torch.from_numpy(labels.astype(np.int64))[None]
    optimiser = torch.optim.AdamW(network.parameters(), 2e-2)
    for _ in range(50):
        optimiser.zero_grad()
        torch.nn.functional.cross_entropy(network(image), target).backward()
        optimiser.step()
    return network


@pytest.fixture(scope="session")
def network():
    return _learnt()


@pytest.fixture(scope="session")
def model(tmp_path_factory, network):
    """A model folder of ours."""
    folder = tmp_path_factory.mktemp("model")
    write_plans(folder, parse_plans(PLANS))
    (folder / "dataset.json").write_text(json.dumps(TABLE))
    weights = Weights(unique(network.state_dict()), "3d_fullres", (0, 1))
    save_weights(fold_folder(folder, 0) / "weights.safetensors", weights)
    write_record(folder, RECORD)
    return folder


@pytest.fixture
def make_scan():
    return scan


@pytest.fixture
def write_scans(tmp_path):
    """A folder of scans by name, each another one."""

    def written(*names, shape=(20, 18, 16)):
        for seed, name in enumerate(names):
            write_nifti(tmp_path / "images" / f"{name}.nii.gz", scan(shape, seed=seed)[0])
        return tmp_path / "images"

    return written


@pytest.fixture
def three_images(tmp_path):
    """A folder of a long, a short and a turned one."""
    folder = tmp_path / "images"
    write_nifti(folder / "long.nii.gz", scan((20, 18, 60), seed=0)[0])
    write_nifti(folder / "short.nii.gz", scan((20, 34, 16), seed=1)[0])
    write_nifti(folder / "turned.nii.gz", reorient(scan((40, 18, 22), seed=2)[0], "SPL"))
    return folder
