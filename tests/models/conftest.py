"""Plans as nnU-Net writes them, for networks so small that a test takes no time."""

import copy
import json

import pytest

_RESAMPLING = {
    f"resampling_fn_{kind}": "resample_data_or_seg_to_shape" for kind in ("data", "seg", "probabilities")
} | {
    "resampling_fn_data_kwargs": {"is_seg": False, "order": 3, "order_z": 0, "force_separate_z": None},
    "resampling_fn_seg_kwargs": {"is_seg": True, "order": 1, "order_z": 0, "force_separate_z": None},
    "resampling_fn_probabilities_kwargs": {
        "is_seg": False,
        "order": 1,
        "order_z": 0,
        "force_separate_z": None,
    },
}
_ARCHITECTURE = {
    "network_class_name": "dynamic_network_architectures.architectures.unet.PlainConvUNet",
    "arch_kwargs": {
        "n_stages": 3,
        "features_per_stage": [4, 8, 8],
        "conv_op": "torch.nn.modules.conv.Conv3d",
        "kernel_sizes": [[3, 3, 3]] * 3,
        "strides": [[1, 1, 1], [2, 2, 2], [2, 2, 2]],
        "n_conv_per_stage": [1, 1, 1],
        "n_conv_per_stage_decoder": [1, 1],
        "conv_bias": True,
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm3d",
        "norm_op_kwargs": {"eps": 1e-5, "affine": True},
        "dropout_op": None,
        "dropout_op_kwargs": None,
        "nonlin": "torch.nn.LeakyReLU",
        "nonlin_kwargs": {"inplace": True},
    },
    "_kw_requires_import": ["conv_op", "norm_op", "dropout_op", "nonlin"],
}
_PLANS = {
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
            "architecture": _ARCHITECTURE,
            **_RESAMPLING,
        },
        "3d_small": {"inherits_from": "3d_fullres", "batch_size": 4},
    },
    "foreground_intensity_properties_per_channel": {
        "0": {
            "mean": 100.0,
            "median": 100.0,
            "std": 40.0,
            "min": -200.0,
            "max": 400.0,
            "percentile_00_5": -50.0,
            "percentile_99_5": 250.0,
        }
    },
}


@pytest.fixture
def plans_content():
    """A fresh copy, which a test may change."""
    return copy.deepcopy(_PLANS)


LABELS = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "pancreas": 1, "pancreatic_lesion": 2},
    "numTraining": 4,
    "file_ending": ".nii.gz",
    "overwrite_image_reader_writer": "SimpleITKIO",
}


@pytest.fixture
def nnunet_model(tmp_path, plans_content):
    """A function that writes a model folder as nnU-Net v2 leaves it: random weights, folds 0 and 1."""

    def write(
        folder=None, *, configuration="3d_fullres", folds=(0, 1), labels=LABELS, trainer="nnUNetTrainer"
    ):
        import torch
        from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

        folder = tmp_path / f"{trainer}__nnUNetPlans__{configuration}" if folder is None else folder
        folder.mkdir(parents=True, exist_ok=True)
        manager = PlansManager(copy.deepcopy(plans_content))
        for index, fold in enumerate(folds):
            torch.manual_seed(index)
            network = _nnunets_network(manager, configuration, labels)
            checkpoint = {
                "network_weights": network.state_dict(),
                "optimizer_state": {"state": {}, "param_groups": [{"lr": 0.01}]},
                "grad_scaler_state": None,
                "logging": {"mean_fg_dice": [0.5]},
                "_best_ema": 0.5,
                "current_epoch": 1,
                "init_args": {
                    "plans": copy.deepcopy(plans_content),
                    "configuration": configuration,
                    "fold": fold,
                    "dataset_json": labels,
                    "device": torch.device("cpu"),
                },
                "trainer_name": trainer,
                "inference_allowed_mirroring_axes": (0, 1, 2),
            }
            (folder / f"fold_{fold}").mkdir(parents=True)
            torch.save(checkpoint, folder / f"fold_{fold}" / "checkpoint_final.pth")
        (folder / "plans.json").write_text(json.dumps(plans_content))
        (folder / "dataset.json").write_text(json.dumps(labels))
        return folder

    return write


def _nnunets_network(manager, configuration, labels):
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

    chosen = manager.get_configuration(configuration)
    heads = manager.get_label_manager(labels).num_segmentation_heads
    return get_network_from_plans(
        chosen.network_arch_class_name,
        chosen.network_arch_init_kwargs,
        chosen.network_arch_init_kwargs_req_import,
        determine_num_input_channels(manager, chosen, labels),
        heads,
        deep_supervision=False,
    )


@pytest.fixture
def flat_plans(plans_content):
    """Plans with a 2D configuration, as nnU-Net makes one; the same object as `plans_content`."""
    table = plans_content["configurations"]
    flat = {**copy.deepcopy(table["3d_fullres"]), "patch_size": [16, 16], "spacing": [1.5, 1.5]}
    flat["architecture"]["arch_kwargs"] |= {
        "conv_op": "torch.nn.modules.conv.Conv2d",
        "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
        "kernel_sizes": [[3, 3]] * 3,
        "strides": [[1, 1], [2, 2], [2, 2]],
    }
    table["2d"] = flat
    return plans_content
