"""Plans of nnU-Net v2 before 2.3, held against nnU-Net's own conversion."""

import copy

import pytest

from wirsung.models.old_plans import modernised
from wirsung.models.plans import parse_plans

OLD = {
    "UNet_class_name": "PlainConvUNet",
    "UNet_base_num_features": 32,
    "unet_max_num_features": 100,
    "n_conv_per_stage_encoder": [2, 2, 2],
    "n_conv_per_stage_decoder": [2, 2],
    "num_pool_per_axis": [2, 2, 1],
    "pool_op_kernel_sizes": [[1, 1, 1], [2, 2, 2], [2, 2, 1]],
    "conv_kernel_sizes": [[3, 3, 1], [3, 3, 3], [3, 3, 3]],
    "patch_size": [16, 16, 16],
}


@pytest.mark.filterwarnings("ignore:Detected old nnU-Net plans format")
@pytest.mark.parametrize("name", ["PlainConvUNet", "ResidualEncoderUNet"])
@pytest.mark.parametrize("patch", [[16, 16, 16], [16, 16]])
def test_the_architecture_is_the_one_that_nnunet_makes(name, patch):
    from nnunetv2.utilities.plans_handling.plans_handler import ConfigurationManager

    old = {**OLD, "UNet_class_name": name, "patch_size": patch}
    theirs = ConfigurationManager(copy.deepcopy(old)).configuration["architecture"]
    ours = modernised(old)["architecture"]
    assert ours["arch_kwargs"] == theirs["arch_kwargs"]
    assert ours["_kw_requires_import"] == theirs["_kw_requires_import"]
    assert ours["network_class_name"].split(".")[-1] == theirs["network_class_name"].split(".")[-1]


def test_old_plans_make_a_configuration(plans_content):
    table = plans_content["configurations"]["3d_fullres"]
    del table["architecture"]
    table.update(OLD)
    architecture = parse_plans(plans_content).configuration("3d_fullres").architecture
    assert architecture.arguments["features_per_stage"] == [32, 64, 100]


def test_new_plans_are_left_alone(plans_content):
    table = plans_content["configurations"]["3d_fullres"]
    assert modernised(table) == table
    assert modernised({"UNet_class_name": "Other"}) == {"UNet_class_name": "Other"}
