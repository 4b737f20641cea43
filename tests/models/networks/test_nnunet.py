"""nnU-Net's own networks, sized as its own planners size them."""

import inspect

from nnunetv2.experiment_planning.experiment_planners.default_experiment_planner import ExperimentPlanner
from nnunetv2.experiment_planning.experiment_planners.residual_unets.residual_encoder_unet_planners import (
    ResEncUNetPlanner,
)

from wirsung.models.networks.nnunet import fit_plain, fit_residual
from wirsung.models.networks.topology import plan_of_patch


def planned(planner):
    """The blocks of a planner, which it sets in its constructor, and that wants a dataset."""
    source = inspect.getsource(planner.__init__)
    found = {}
    for name in ("UNet_blocks_per_stage_encoder", "UNet_blocks_per_stage_decoder"):
        line = next(line for line in source.splitlines() if f"self.{name} = " in line)
        found[name] = eval(line.split(" = ")[1])
    return found["UNet_blocks_per_stage_encoder"], found["UNet_blocks_per_stage_decoder"]


def test_the_plain_network_has_the_convolutions_that_nnunet_plans():
    made = fit_plain(plan_of_patch((128, 128, 128)))
    down, up = planned(ExperimentPlanner)
    assert tuple(made["n_conv_per_stage"]) == down[:6]
    assert tuple(made["n_conv_per_stage_decoder"]) == up[:5]


def test_the_residual_network_has_the_blocks_that_nnunet_plans():
    made = fit_residual(plan_of_patch((128, 128, 128)))
    down, up = planned(ResEncUNetPlanner)
    assert tuple(made["n_blocks_per_stage"]) == down[:6]
    assert tuple(made["n_conv_per_stage_decoder"]) == up[:5]
