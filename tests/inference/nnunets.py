"""Models as nnU-Net v2 leaves them, briefly trained on blobs, and nnU-Net's own predictor for them."""

import copy
import json
from contextlib import contextmanager
from functools import partial

import numpy as np
import torch
from tests.inference.conftest import PLANS, TABLE, scan

PLAIN = TABLE
REGIONS = {
    **TABLE,
    "labels": {"background": 0, "pancreas": [1, 2], "pancreatic_lesion": 2, "ignore": 3},
    "regions_class_order": [1, 2],
}
TWO_CHANNELS = {**TABLE, "channel_names": {"0": "CT", "1": "T1"}}
_LOWRES = "3d_lowres"


def plans_with(*, flat=False, residual=False, cascade=False, channels=1, **changes):
    """The content of plans.json; `changes` go into the configuration 3d_fullres, or to the top."""
    content = copy.deepcopy(PLANS)
    own = content["configurations"]["3d_fullres"]
    for key, value in changes.items():
        (own if key in own else content)[key] = value
    own["normalization_schemes"] = (["CTNormalization", "ZScoreNormalization"])[:channels]
    own["use_mask_for_norm"] = [False] * channels
    intensities = content["foreground_intensity_properties_per_channel"]
    content["foreground_intensity_properties_per_channel"] = {
        str(n): intensities["0"] for n in range(channels)
    }
    arguments = own["architecture"]["arch_kwargs"]
    if residual:
        own["architecture"]["network_class_name"] = own["architecture"]["network_class_name"].replace(
            "PlainConvUNet", "ResidualEncoderUNet"
        )
        arguments["n_blocks_per_stage"] = arguments.pop("n_conv_per_stage")
    if flat:
        own |= {"patch_size": [16, 16], "spacing": own["spacing"][1:]}
        arguments |= {
            "conv_op": "torch.nn.modules.conv.Conv2d",
            "norm_op": "torch.nn.modules.instancenorm.InstanceNorm2d",
            "kernel_sizes": [[3, 3]] * 2,
            "strides": [[1, 1], [2, 2]],
        }
        content["configurations"] = {"2d": own}
    if cascade:
        content["configurations"][_LOWRES] = {
            "inherits_from": "3d_fullres",
            "spacing": [value * 1.6 for value in own["spacing"]],
        }
        content["configurations"]["3d_cascade_fullres"] = {
            "inherits_from": "3d_fullres",
            "previous_stage": _LOWRES,
        }
    return content


def manager_of(content):
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    return PlansManager(copy.deepcopy(content))


def trained_network(content, configuration, table, seed=0, steps=60):
    """nnU-Net's network of the plans after some steps on a scan of blobs."""
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels

    manager = manager_of(content)
    chosen, labels = manager.get_configuration(configuration), manager.get_label_manager(table)
    torch.manual_seed(seed)
    network = get_network_from_plans(
        chosen.network_arch_class_name,
        chosen.network_arch_init_kwargs,
        chosen.network_arch_init_kwargs_req_import,
        determine_num_input_channels(manager, chosen, table),
        labels.num_segmentation_heads,
        deep_supervision=False,
    )
    image, target = _lesson(chosen, labels, len(table["channel_names"]), seed)
    optimiser = torch.optim.AdamW(network.parameters(), 2e-2)
    for _ in range(steps):
        optimiser.zero_grad()
        answer = network(image)
        if labels.has_regions:
            loss = torch.nn.functional.binary_cross_entropy_with_logits(answer, target.float())
        else:
            loss = torch.nn.functional.cross_entropy(answer, target)
        loss.backward()
        optimiser.step()
    return network.eval()


def _lesson(chosen, labels, channels, seed):
    volume, truth = scan((24, 24, 24), seed=seed + 100)
    voxels = torch.from_numpy(volume.voxels.astype(np.float32))
    own = [(voxels - 100) / 80, (voxels - voxels.mean()) / voxels.std()][:channels]
    image, target = torch.stack(own)[None], torch.from_numpy(truth.astype(np.int64))[None]
    if chosen.previous_stage_name is not None:
        # The stage before is a little wrong, so that the second stage learns to look at the image too.
        before = torch.roll(target, 1, 1)
        image = torch.cat((image, *(((before == value).float()[None]) for value in (1, 2))), 1)
    if labels.has_regions:
        target = torch.stack((target >= 1, target == 2), 1)
    if len(chosen.patch_size) == 2:
        image = image[0].transpose(0, 1)
        target = target[0]
    return image, target


def write_model(folder, content, configuration, table, networks, mirror=(0, 1)):
    """A model folder of nnU-Net's, a fold a network."""
    for fold, network in enumerate(networks):
        place = folder / f"fold_{fold}"
        place.mkdir(parents=True)
        checkpoint = {
            "network_weights": network.state_dict(),
            "init_args": {"configuration": configuration, "fold": fold},
            "trainer_name": "nnUNetTrainer",
            "inference_allowed_mirroring_axes": mirror,
        }
        torch.save(checkpoint, place / "checkpoint_final.pth")
    (folder / "plans.json").write_text(json.dumps(content))
    (folder / "dataset.json").write_text(json.dumps(table))
    return folder


@contextmanager
def full_precision():
    """Let nnU-Net add up its tiles in float32; what it ships adds in float16, which moves borders."""
    from nnunetv2.inference import predict_from_raw_data

    half, weights = torch.half, predict_from_raw_data.compute_gaussian
    torch.half = torch.float32
    predict_from_raw_data.compute_gaussian = partial(weights, dtype=torch.float32)
    try:
        yield
    finally:
        torch.half, predict_from_raw_data.compute_gaussian = half, weights


def nnunets_answers(*arguments, **others):
    """What nnU-Net's own predictor says: with sums in float32, and as it is shipped."""
    with full_precision():
        exact = nnunets_answer(*arguments, **others)
    return exact, nnunets_answer(*arguments, **others)


def nnunets_answer(content, configuration, table, networks, image, spacing, *, mirror=(), before=None):
    """What nnU-Net's own predictor says of an image (channel, z, y, x)."""
    from nnunetv2.inference.predict_from_raw_data import nnUNetPredictor

    manager = manager_of(content)
    theirs = nnUNetPredictor(use_mirroring=bool(mirror), device=torch.device("cpu"), allow_tqdm=False)
    theirs.manual_initialization(
        copy.deepcopy(networks[0]),
        manager,
        manager.get_configuration(configuration),
        [copy.deepcopy(network.state_dict()) for network in networks],
        table,
        "nnUNetTrainer",
        mirror or None,
    )
    properties = {"spacing": list(spacing)}
    return theirs.predict_single_npy_array(image.astype(np.float32), properties, before, None, False)
