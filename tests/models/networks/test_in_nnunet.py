"""Networks named by plans alone, trained by nnU-Net's own trainer: what its command line does."""

import copy

import pytest
import torch

from wirsung.models.networks import architecture_of, entry
from wirsung.models.plans import parse_plans
from wirsung.training.workspace import Workspace, silence

LABELS = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "pancreas": 1, "pancreatic_lesion": 2},
    "numTraining": 4,
    "file_ending": ".nii.gz",
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def _trainer(content, folder):
    from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer

    plans = {**copy.deepcopy(content), "continue_training": False}
    # nnU-Net tells its format of preprocessed cases by the names that it finds.
    cases = Workspace(folder).preprocessed.parent / content["dataset_name"] / "nnUNetPlans_3d_fullres"
    cases.mkdir(parents=True)
    (cases / "case.b2nd").touch()
    with Workspace(folder).environment(0), silence():
        trainer = nnUNetTrainer(plans, "3d_fullres", 0, dict(LABELS), torch.device("cpu"))
        trainer.initialize()
    return trainer


def _batch(trainer):
    """Two patches, and the target at each resolution that the loss weighs."""
    random = torch.Generator().manual_seed(0)
    patch = trainer.configuration_manager.patch_size
    target = torch.randint(0, 3, (2, 1, *patch), generator=random).float()
    scales = trainer._get_deep_supervision_scales()
    targets = [torch.nn.functional.interpolate(target, scale_factor=scale) for scale in scales]
    return {"data": torch.randn(2, 1, *patch, generator=random), "target": targets}


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@pytest.mark.parametrize("name", ["nnunet", "pansegnet-2", "medformer"])
def test_nnunets_trainer_learns_with_a_network_that_plans_name(tmp_path, plans_content, name):
    plans_content["configurations"]["3d_fullres"]["patch_size"] = [32, 32, 32]
    configuration = parse_plans(copy.deepcopy(plans_content)).configuration("3d_fullres")
    wanted = architecture_of(entry(name), configuration)
    plans_content["configurations"]["3d_fullres"]["architecture"] = {
        "network_class_name": wanted.class_name,
        "arch_kwargs": wanted.arguments,
        "_kw_requires_import": list(wanted.imported_arguments),
    }
    trainer = _trainer(plans_content, tmp_path)
    network = trainer.network
    assert f"{type(network).__module__}.{type(network).__name__}".endswith(wanted.class_name.split(".")[-1])
    before = {key: value.clone() for key, value in network.named_parameters()}
    trainer.on_train_epoch_start()
    batch = _batch(trainer)
    losses = [float(trainer.train_step(copy.deepcopy(batch))["loss"]) for _ in range(3)]
    assert losses[-1] < losses[0]
    moved = [key for key, value in network.named_parameters() if not torch.equal(value, before[key])]
    # The coarsest resolution has no weight in nnU-Net's loss, so its output layer stands still.
    still = set(before) - set(moved)
    assert len(still) <= 2, still
    trainer.set_deep_supervision_enabled(False)
    with torch.inference_mode():
        assert network(batch["data"]).shape == (2, 3, *configuration.patch_size)
