"""Checkpoints of nnU-Net v1, built here in the published format and run here by the published definition.

Neither the names nor the arithmetic below come from the package: they are read off the description of
PaNSegNet's `Generic_TransUNet`, its blocks and `network_trainer.py`, so that both sides must agree.
"""

import json
import math
import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from torch.nn import functional

from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.predictor import Predictor
from wirsung.models.networks.pansegnet import PanSegNet
from wirsung.models.networks.unet_v1 import UNetV1
from wirsung.models.plans import read_label_table, read_plans
from wirsung.models.v1_checkpoint import class_names, import_v1
from wirsung.models.v1_checkpoint_files import V1Training
from wirsung.models.v1_checkpoint_plans import parse_v1_plans
from wirsung.models.weights import read_safetensors

torch.set_num_threads(1)
WIDTH, HEADS, LAYERS = 512, 8, 8
CHECKPOINT = "model_final_checkpoint.model"
POOLS = [[1, 2, 2], [2, 2, 2]]
KERNELS = [[1, 3, 3], [3, 3, 3], [3, 3, 3]]
PATCH = [4, 16, 12]
FEATURES = [2, 4, 8]


def v1_plans(**changes):
    """As the planner of nnU-Net 1.7 pickles them, for a T1-weighted task of one class."""
    stage = {
        "batch_size": 2,
        "num_pool_per_axis": [1, 2, 2],
        "patch_size": np.array(PATCH),
        "median_patient_size_in_voxels": np.array([47, 270, 297]),
        "current_spacing": np.array([4.4, 1.09375, 1.09375]),
        "original_spacing": np.array([4.4, 1.09375, 1.09375]),
        "do_dummy_2D_data_aug": True,
        "pool_op_kernel_sizes": POOLS,
        "conv_kernel_sizes": KERNELS,
    }
    return {
        "num_stages": 1,
        "num_modalities": 1,
        "modalities": {0: "T1"},
        "normalization_schemes": OrderedDict({0: "nonCT"}),
        "dataset_properties": {
            "all_sizes": [(47, 270, 297)],
            "all_spacings": [np.array([4.4, 1.1, 1.1])],
            "intensityproperties": None,
        },
        "list_of_npz_files": ["/data/NYU_0001.npz", "/data/MCF_0002.npz"],
        "preprocessed_data_folder": "/data/Task110_PancreasT1MRI",
        "num_classes": 1,
        "all_classes": [1],
        "base_num_features": FEATURES[0],
        "use_mask_for_norm": OrderedDict({0: False}),
        "keep_only_largest_region": None,
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "data_identifier": "nnUNetData_plans_v2.1",
        "plans_per_stage": {0: stage},
        "preprocessor_name": "GenericPreprocessor",
        "conv_per_stage": 2,
        **changes,
    }


def _unit(state, name, inputs, outputs, kernel):
    state[f"{name}.conv.weight"] = torch.randn(outputs, inputs, *kernel) * 0.3
    state[f"{name}.conv.bias"] = torch.randn(outputs)
    state[f"{name}.instnorm.weight"] = 1 + 0.3 * torch.randn(outputs)
    state[f"{name}.instnorm.bias"] = torch.randn(outputs)


def published_state(*, transformer=True, classes=2, seed=0):
    """Random weights under the published names."""
    torch.manual_seed(seed)
    state, last = OrderedDict(), len(POOLS)
    for stage in range(last):
        inputs = 1 if stage == 0 else FEATURES[stage - 1]
        for block in range(2):
            name = f"conv_blocks_context.{stage}.blocks.{block}"
            _unit(state, name, FEATURES[stage] if block else inputs, FEATURES[stage], KERNELS[stage])
    for half in range(2):
        name = f"conv_blocks_context.{last}.{half}.blocks.0"
        _unit(state, name, FEATURES[last] if half else FEATURES[last - 1], FEATURES[last], KERNELS[last])
    for up in range(last):
        skip = FEATURES[last - 1 - up]
        for half in range(2):
            name = f"conv_blocks_localization.{up}.{half}.blocks.0"
            _unit(state, name, skip if half else 2 * skip, skip, KERNELS[-(up + 1)])
        state[f"tu.{up}.weight"] = torch.randn(FEATURES[last - up], skip, *POOLS[-(up + 1)]) * 0.3
        state[f"seg_outputs.{up}.weight"] = torch.randn(classes, skip, 1, 1, 1)
    if transformer:
        _transformer_state(state)
    return state


def _transformer_state(state):
    tokens = math.prod(PATCH) // math.prod(math.prod(pool) for pool in POOLS)
    angle = np.arange(tokens)[:, None] / 10000 ** (np.arange(0, WIDTH, 2) / WIDTH)
    table = np.zeros((1, tokens, WIDTH), np.float32)
    table[0, :, 0::2], table[0, :, 1::2] = np.sin(angle), np.cos(angle)
    state["self_atten.pos_encode.pe"] = torch.from_numpy(table)

    def linear(name, inputs, outputs):
        state[f"{name}.weight"] = torch.randn(outputs, inputs) / math.sqrt(inputs)
        state[f"{name}.bias"] = 0.1 * torch.randn(outputs)

    linear("self_atten.linear_proj", FEATURES[-1], WIDTH)
    linear("self_atten.linear_back_proj", WIDTH, FEATURES[-1])
    for layer in range(LAYERS):
        name = f"self_atten.transformer.layers.{layer}"
        for number in range(4):
            linear(f"{name}.self_attn.linears.{number}", WIDTH, WIDTH)
        linear(f"{name}.linear1", WIDTH, WIDTH)
        linear(f"{name}.linear2", WIDTH, WIDTH)
        for norm in ("layer_norm1", "layer_norm2"):
            state[f"{name}.{norm}.weight"] = 1 + 0.1 * torch.randn(WIDTH)
            state[f"{name}.{norm}.bias"] = 0.1 * torch.randn(WIDTH)


def published_logits(state, image):
    """The published definition, one line of it after the other."""

    def unit(name, features, stride=(1, 1, 1)):
        weight = state[f"{name}.conv.weight"]
        padding = [1 if size == 3 else 0 for size in weight.shape[2:]]
        made = functional.conv3d(features, weight, state[f"{name}.conv.bias"], stride, padding)
        scale, shift = state[f"{name}.instnorm.weight"], state[f"{name}.instnorm.bias"]
        normed = functional.instance_norm(made, weight=scale, bias=shift, eps=1e-5)
        return functional.leaky_relu(normed, 0.01)

    last, skips = len(POOLS), []
    for stage in range(last):
        stride = POOLS[stage - 1] if stage else (1, 1, 1)
        image = unit(f"conv_blocks_context.{stage}.blocks.0", image, stride)
        image = unit(f"conv_blocks_context.{stage}.blocks.1", image)
        skips.append(image)
    image = unit(f"conv_blocks_context.{last}.0.blocks.0", image, POOLS[-1])
    image = unit(f"conv_blocks_context.{last}.1.blocks.0", image)
    if "self_atten.linear_proj.weight" in state:
        image = published_transformer(state, image)
    answers = []
    for up in range(last):
        image = functional.conv_transpose3d(image, state[f"tu.{up}.weight"], stride=POOLS[-(up + 1)])
        image = torch.cat((image, skips[-(up + 1)]), dim=1)
        for half in range(2):
            image = unit(f"conv_blocks_localization.{up}.{half}.blocks.0", image)
        answers.append(functional.conv3d(image, state[f"seg_outputs.{up}.weight"]))
    return answers[::-1]


def published_transformer(state, features):
    def linear(name, tokens):
        return tokens @ state[f"{name}.weight"].T + state[f"{name}.bias"]

    def norm(name, tokens):
        return functional.layer_norm(
            tokens, (WIDTH,), state[f"{name}.weight"], state[f"{name}.bias"], eps=1e-6
        )

    batch, channels, d, h, w = features.shape
    tokens = features.reshape(batch, channels, d * h * w).permute(0, 2, 1)
    tokens = linear("self_atten.linear_proj", tokens) + state["self_atten.pos_encode.pe"]
    for layer in range(LAYERS):
        name = f"self_atten.transformer.layers.{layer}"
        q, k, v = (linear(f"{name}.self_attn.linears.{number}", tokens) for number in range(3))
        heads = []
        for head in range(HEADS):
            of_head = slice(head * WIDTH // HEADS, (head + 1) * WIDTH // HEADS)
            rows = torch.softmax(q[..., of_head], dim=-1) / math.sqrt(WIDTH // HEADS)
            columns = torch.softmax(k[..., of_head], dim=1)
            heads.append(torch.einsum("bnd,bmd,bme->bne", rows, columns, v[..., of_head]))
        attended = linear(f"{name}.self_attn.linears.3", torch.cat(heads, dim=-1))
        tokens = norm(f"{name}.layer_norm1", tokens + attended)
        inner = functional.gelu(linear(f"{name}.linear1", tokens))
        tokens = norm(f"{name}.layer_norm2", tokens + linear(f"{name}.linear2", inner))
    back = linear("self_atten.linear_back_proj", tokens)
    return back.permute(0, 2, 1).reshape(batch, channels, d, h, w)


def write_v1(folder, state, *, plans=None, trainer="nnTransUNetTrainerV2", fold=0, legacy=False):
    """A fold as nnU-Net v1 leaves it; gives the checkpoint's path."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / CHECKPOINT
    momenta = {number: {"momentum_buffer": value[:1]} for number, value in enumerate(state.values())}
    content = {
        "epoch": 600,
        "state_dict": state,
        "optimizer_state_dict": {"state": momenta, "param_groups": [{"lr": 1e-2, "nesterov": True}]},
        "lr_scheduler_state_dict": None,
        "plot_stuff": ([np.float64(-0.8)], [np.float64(-0.7)], [], [np.float64(0.86)]),
        "best_stuff": (17, np.float64(-0.8), np.float32(0.86)),
        "amp_grad_scaler": {"scale": 65536.0, "growth_interval": 2000},
    }
    torch.save(content, path, _use_new_zipfile_serialization=not legacy)
    base = "/data/results/nnUNet/3d_fullres/Task110_PancreasT1MRI"
    info = OrderedDict()
    info["init"] = (f"{base}/plans.pkl", fold, base, "/data/pre", True, 0, True, True, True)
    info["name"] = trainer
    info["class"] = f"<class 'nnunet.training.network_training.{trainer}.{trainer}'>"
    info["plans"] = v1_plans() if plans is None else plans
    path.with_name(path.name + ".pkl").write_bytes(pickle.dumps(info))
    return path


def answers(model, image):
    """What the imported model says, as prediction loads it."""
    return Predictor.load(model, device="cpu").networks[0](image).detach()


@pytest.mark.parametrize("legacy", [False, True], ids=["zip", "before torch 1.6"])
def test_an_imported_pansegnet_answers_as_the_published_definition(tmp_path, legacy):
    state = published_state()
    path = write_v1(tmp_path / "fold_0", state, legacy=legacy)
    made = import_v1(path, tmp_path / "model")
    kept = read_safetensors(tmp_path / "model/fold_0/weights.safetensors")
    assert set(kept.state) == set(state)
    assert all(torch.equal(kept.state[name], state[name]) for name in state)
    image = torch.randn(2, 1, *PATCH)
    expected = published_logits(state, image)
    assert torch.allclose(answers(tmp_path / "model", image), expected[0], atol=1e-5)
    configuration = read_plans(tmp_path / "model").configuration("3d_fullres")
    assert configuration.architecture.class_name.endswith(".PanSegNet")
    deep = PanSegNet(1, 2, deep_supervision=True, **configuration.architecture.arguments).eval()
    deep.load_state_dict(kept.state)
    for ours, theirs in zip(deep(image), expected, strict=True):
        assert torch.allclose(ours, theirs, atol=1e-5)
    assert made.folds.keys() == {"0"}


def test_an_imported_unet_of_v1_answers_as_the_published_definition(tmp_path):
    state = published_state(transformer=False, classes=4)
    plans = v1_plans(num_classes=3, all_classes=[1, 2, 3])
    path = write_v1(tmp_path / "fold_2", state, plans=plans, trainer="nnUNetTrainerV2", fold=2)
    import_v1(path, tmp_path / "model", classes=["pancreas", "lesion", "duct"])
    image = torch.randn(1, 1, *PATCH)
    assert torch.allclose(answers(tmp_path / "model", image), published_logits(state, image)[0], atol=1e-5)
    architecture = read_plans(tmp_path / "model").configuration("3d_fullres").architecture
    assert architecture.class_name == f"{UNetV1.__module__}.UNetV1"
    assert read_label_table(tmp_path / "model").class_names == ("background", "pancreas", "lesion", "duct")


def test_the_published_plan_for_t1_maps_every_key(monkeypatch):
    published = {
        "PATCH": [32, 224, 224],
        "POOLS": [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]],
        "KERNELS": [[1, 3, 3], [1, 3, 3], *([[3, 3, 3]] * 4)],
        "FEATURES": [32, 64, 128, 256, 320, 320],
    }
    for name, value in published.items():
        monkeypatch.setitem(globals(), name, value)
    with torch.device("meta"):
        state = published_state()
        network = PanSegNet(
            1,
            2,
            patch_size=PATCH,
            features_per_stage=FEATURES,
            kernel_sizes=KERNELS,
            strides=[[1, 1, 1], *POOLS],
            decoder_kernels="deeper",
        )
    shapes = {name: tuple(value.shape) for name, value in state.items()}
    assert {name: tuple(value.shape) for name, value in network.state_dict().items()} == shapes
    assert shapes["self_atten.pos_encode.pe"] == (1, 196, 512)
    # The trap: this kernel is 1 x 3 x 3 in nnU-Net v2, and 1 x 3 x 3 only one stage later in v1.
    assert shapes["conv_blocks_localization.3.0.blocks.0.conv.weight"] == (64, 128, 3, 3, 3)
    assert shapes["conv_blocks_localization.4.0.blocks.0.conv.weight"] == (32, 64, 1, 3, 3)


def test_the_plans_say_what_v1s_say(tmp_path):
    import_v1(write_v1(tmp_path / "fold_0", published_state()), tmp_path / "model")
    plans = read_plans(tmp_path / "model")
    configuration = plans.configuration("3d_fullres")
    assert plans.dataset_name == "Dataset110_PancreasT1MRI"
    assert configuration.patch_size == tuple(PATCH)
    assert configuration.spacing_mm == (4.4, 1.09375, 1.09375)
    assert configuration.normalisations == ("ZScoreNormalization",)
    assert configuration.architecture.arguments["decoder_kernels"] == "deeper"
    assert configuration.architecture.arguments["strides"] == [[1, 1, 1], *POOLS]
    table = read_label_table(tmp_path / "model")
    assert table.class_names == ("background", "pancreas")
    assert read_safetensors(tmp_path / "model/fold_0/weights.safetensors").mirror_axes == (0, 1, 2)
    # No path of whoever trained it goes along.
    texts = [path.read_text() for path in (tmp_path / "model").glob("*.json")]
    assert not any("/data" in text for text in texts)


def test_folds_are_imported_together_and_skipped_the_second_time(tmp_path):
    for fold in range(2):
        state = published_state(transformer=False, seed=fold)
        write_v1(tmp_path / f"run/fold_{fold}", state, fold=fold)
    first = import_v1(tmp_path / "run", tmp_path / "model")
    again = import_v1(tmp_path / "run", tmp_path / "model")
    assert sorted(first.folds) == ["0", "1"]
    assert (first.skipped, again.skipped) == (False, True)
    assert again.folds == first.folds
    record = json.loads((tmp_path / "model/imported.json").read_text())
    assert record["nnunet_v1"]["1"]["trainer"] == "nnTransUNetTrainerV2"
    assert any("resampled an image before it normalised" in note for note in again.notes)
    assert sorted(item.name for item in (tmp_path).iterdir()) == ["model", "run"]


def test_what_changed_is_imported_anew(tmp_path):
    write_v1(tmp_path / "fold_0", published_state(transformer=False))
    import_v1(tmp_path / "fold_0", tmp_path / "model")
    write_v1(tmp_path / "fold_0", published_state(transformer=False, seed=1))
    assert not import_v1(tmp_path / "fold_0", tmp_path / "model").skipped
    (tmp_path / "model/fold_0/weights.safetensors").write_bytes(b"damaged")
    assert not import_v1(tmp_path / "fold_0", tmp_path / "model").skipped
    assert import_v1(tmp_path / "fold_0", tmp_path / "model").skipped


def test_a_second_fold_joins_the_first(tmp_path):
    for fold in range(2):
        state = published_state(transformer=False, seed=fold)
        import_v1(write_v1(tmp_path / f"fold_{fold}", state, fold=fold), tmp_path / "model")
    record = json.loads((tmp_path / "model/imported.json").read_text())
    assert sorted(record["folds"]) == sorted(record["nnunet_v1"]) == ["0", "1"]


def test_several_devices_prefix_is_taken_off(tmp_path):
    plain = published_state(transformer=False)
    state = OrderedDict((f"module.{name}", value) for name, value in plain.items())
    import_v1(write_v1(tmp_path / "fold_0", state), tmp_path / "model")
    assert set(read_safetensors(tmp_path / "model/fold_0/weights.safetensors").state) == set(plain)


def test_missing_extra_and_misshapen_weights_are_named(tmp_path):
    state = published_state(transformer=False)
    state["seg_outputs.7.weight"] = state.pop("seg_outputs.1.weight")
    state["tu.0.weight"] = state["tu.0.weight"][..., :1]
    path = write_v1(tmp_path / "fold_0", state)
    with pytest.raises(
        CheckpointError, match=r"seg_outputs\.1\.weight is missing, seg_outputs.7.weight is left"
    ):
        import_v1(path, tmp_path / "model")
    with pytest.raises(
        CheckpointError, match=r"tu.0.weight has shape \(8, 4, 2, 2, 1\), not \(8, 4, 2, 2, 2\)"
    ):
        import_v1(path, tmp_path / "model")
    assert not (tmp_path / "model").exists()


def test_a_checkpoint_for_another_plan_is_refused(tmp_path):
    plans = v1_plans()
    plans["plans_per_stage"][0]["patch_size"] = np.array([8, 16, 12])
    path = write_v1(tmp_path / "fold_0", published_state(), plans=plans)
    expected = (
        r"do not fit the PanSegNet of the plans.*pos_encode.pe has shape \(1, 24, 512\), not \(1, 48, 512\)"
    )
    with pytest.raises(CheckpointError, match=expected):
        import_v1(path, tmp_path / "model")


@pytest.mark.parametrize("legacy", [False, True])
def test_a_cut_checkpoint_is_said_to_be_damaged(tmp_path, legacy):
    path = write_v1(tmp_path / "fold_0", published_state(transformer=False), trainer="x", legacy=legacy)
    content = path.read_bytes()
    for kept in (0, 10, len(content) // 2, len(content) - 100):
        path.write_bytes(content[:kept])
        with pytest.raises(CheckpointError, match=r"damaged|foreign code"):
            import_v1(path, tmp_path / "model")


class _Payload:
    def __init__(self, command):
        self.command = command

    def __reduce__(self):
        return os.system, (self.command,)


@pytest.mark.parametrize("where", ["state", "optimizer", "init", "plans"])
def test_a_payload_is_refused_without_being_run(tmp_path, where):
    touched = tmp_path / "touched"
    payload, state, plans = _Payload(f"touch {touched}"), published_state(transformer=False), v1_plans()
    path = write_v1(tmp_path / "fold_0", state, trainer="nnUNetTrainerV2")
    if where in ("state", "optimizer"):
        content = {"epoch": 1, "state_dict": state, "optimizer_state_dict": payload}
        if where == "state":
            content = {"epoch": 1, "state_dict": {**state, "x": payload}}
        torch.save(content, path)
    else:
        plans["dataset_properties"]["all_sizes"] = [payload] if where == "plans" else []
        init = payload if where == "init" else ("", 0)
        own = path.with_name(path.name + ".pkl")
        own.write_bytes(pickle.dumps({"init": init, "name": "nnUNetTrainerV2", "plans": plans}))
    with pytest.raises(CheckpointError, match="could run foreign code"):
        import_v1(path, tmp_path / "model")
    assert not touched.exists()


@pytest.mark.parametrize(
    "trainer",
    ["nnUNetTrainerV2_ReLU", "nnUNetTrainerV2_GeLU", "nnUNetTrainerV2CascadeFullRes", "BraTSRegions"],
)
def test_trainers_that_change_the_network_unseen_are_refused(tmp_path, trainer):
    path = write_v1(tmp_path / "fold_0", published_state(transformer=False), trainer=trainer)
    with pytest.raises(CheckpointError, match="changes the network or its outputs"):
        import_v1(path, tmp_path / "model")


def test_a_trainer_without_mirroring_is_kept_so(tmp_path):
    state = published_state(transformer=False)
    path = write_v1(tmp_path / "fold_0", state, trainer="nnUNetTrainerV2_noMirroring")
    import_v1(path, tmp_path / "model")
    assert read_safetensors(tmp_path / "model/fold_0/weights.safetensors").mirror_axes == ()


def test_files_that_are_no_checkpoint_are_said_so(tmp_path):
    path = write_v1(tmp_path / "fold_0", published_state(transformer=False))
    torch.save({"network_weights": {}}, path)
    with pytest.raises(CheckpointError, match="no checkpoint of nnU-Net v1: it has no state_dict"):
        import_v1(path, tmp_path / "model")


def test_folds_of_two_trainings_are_not_mixed(tmp_path):
    write_v1(tmp_path / "run/fold_0", published_state(transformer=False), trainer="nnUNetTrainerV2")
    write_v1(tmp_path / "run/fold_1", published_state(), fold=1)
    with pytest.raises(CheckpointError, match="has other plans than the fold before"):
        import_v1(tmp_path / "run", tmp_path / "model")


def test_classes_are_named_as_told_or_else_by_number():
    plans = parse_v1_plans(v1_plans(num_classes=2, all_classes=[1, 2]), "plans.pkl")
    training = V1Training(plans, "nnUNetTrainerV2", "0", 0, "Dataset001_X")
    assert class_names(training, None) == ("label_1", "label_2")
    assert class_names(training, ["pancreas", "lesion"]) == ("pancreas", "lesion")
    for told in (["pancreas"], ["pancreas", "pancreas"], ["background", "pancreas"]):
        with pytest.raises(ConfigError, match="The plans have 2 classes"):
            class_names(training, told)
