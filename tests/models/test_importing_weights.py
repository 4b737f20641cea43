"""Bare weights of MedFormer and of Swin UNETR (SuPreM)."""

import copy
import json
import os

import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError
from wirsung.inference.predictor import Predictor
from wirsung.models.importing import import_model
from wirsung.models.importing_weights import import_weights, is_bare, load_network
from wirsung.models.networks import build_architecture
from wirsung.models.networks.medformer import MedFormer
from wirsung.models.plans import Architecture

SMALL = {
    "stem_channels": 10,
    "channels": (10, 12, 16, 20, 16, 12, 10, 10),
    "transformer_blocks": (0, 1, 1, 1, 1, 1, 0, 0),
    "heads": (1, 4, 8, 10, 8, 4, 1, 1),
    "map_size": (2, 2, 2),
    "fusion": (32, 1, 1),
    "auxiliary": "released",
}


@pytest.fixture(autouse=True)
def _one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


@pytest.fixture
def medformer(tmp_path):
    """A network, and a file of its weights as CBIM's trainer leaves them."""
    network = MedFormer(1, 3, **SMALL).eval()
    state = {f"module.{name}": value for name, value in network.state_dict().items()}
    state |= {f"module.up{i}.map_reduction.weight": torch.ones(1) for i in (3, 4)}
    state["module.up2.trans_blocks.blocks.0.attn.map_out.weight"] = torch.ones(1)
    content = {"epoch": 9, "model_state_dict": state, "optimizer_state_dict": {"lr": 0.1}}
    torch.save(content, tmp_path / "medformer.pth")
    return network, tmp_path / "medformer.pth"


@pytest.fixture
def like(tmp_path, nnunet_model, plans_content):
    plans_content["configurations"]["3d_fullres"]["patch_size"] = [32, 32, 32]
    return nnunet_model(tmp_path / "like", folds=())


def test_weights_of_medformer_make_the_network_that_they_are_of(tmp_path, medformer):
    network, path = medformer
    made = import_weights(path, tmp_path / "out")
    assert (made.network, made.channels, made.classes) == ("medformer", 1, 3)
    assert "The weights lay under model_state_dict." in made.lines()
    image = torch.randn(1, 1, 32, 32, 32)
    with torch.inference_mode():
        assert torch.equal(load_network(tmp_path / "out").eval()(image), network(image))


def test_like_a_model_they_predict(tmp_path, medformer, like):
    network, path = medformer
    made = import_model(path, tmp_path / "out", like=like)
    assert list(made.folds) == ["all"]
    assert "what like says" in made.notes[-1]
    image = torch.randn(1, 32, 32, 32)
    with torch.inference_mode():
        wanted = network(image[None])[0]
    found = Predictor.load(tmp_path / "out", device="cpu").logits(image)
    assert torch.allclose(found, wanted, atol=1e-5)
    assert import_model(path, tmp_path / "out", like=like).skipped


def test_safetensors_are_read_too(tmp_path, medformer):
    from safetensors.torch import save_file

    network, _ = medformer
    save_file(network.state_dict(), tmp_path / "medformer.safetensors")
    made = import_weights(tmp_path / "medformer.safetensors", tmp_path / "out")
    assert made.network == "medformer"
    (tmp_path / "cut.safetensors").write_bytes((tmp_path / "medformer.safetensors").read_bytes()[:1000])
    with pytest.raises(CheckpointError, match="damaged or no safetensors file"):
        import_weights(tmp_path / "cut.safetensors", tmp_path / "out")


def test_a_model_with_other_classes_or_patch_is_refused(tmp_path, medformer, like, plans_content):
    _, path = medformer
    table = json.loads((like / "dataset.json").read_text())
    table["labels"]["more"] = 3
    other = copy.deepcopy(table)
    (like / "dataset.json").write_text(json.dumps(other))
    with pytest.raises(
        ConfigError, match=r"is for 1 channel\(s\) and 4 outputs, but the weights are for 1 and 3"
    ):
        import_weights(path, tmp_path / "out", like=like)
    del table["labels"]["more"]
    (like / "dataset.json").write_text(json.dumps(table))
    plans_content["configurations"]["3d_fullres"]["patch_size"] = [32, 32, 36]
    (like / "plans.json").write_text(json.dumps(plans_content))
    with pytest.raises(ConfigError, match="A patch of 32 x 32 x 32 would do"):
        import_weights(path, tmp_path / "out", like=like)


def test_missing_and_extra_weights_are_named(tmp_path, medformer):
    network, path = medformer
    state = network.state_dict()
    del state["map_fusion.fusion.layers.0.1.fn.fc2.bias"]
    torch.save({**state, "extra.weight": torch.ones(1)}, path)
    words = r"layers.0.1.fn.fc2.bias is missing, extra.weight is left over"
    with pytest.raises(CheckpointError, match=words):
        import_weights(path, tmp_path / "out")
    assert not (tmp_path / "out").exists()


class _Evil:
    def __init__(self, marker):
        self.marker = marker

    def __reduce__(self):
        return os.system, (f"touch {self.marker}",)


def test_a_payload_among_weights_is_refused_without_running_it(tmp_path, medformer):
    network, path = medformer
    torch.save({"state_dict": network.state_dict(), "arguments": _Evil(tmp_path / "ran")}, path)
    for given in (import_model, import_weights):
        with pytest.raises(CheckpointError, match="could run foreign code"):
            given(path, tmp_path / "out")
    assert not (tmp_path / "ran").exists()


def test_a_damaged_folder_of_weights_is_refused(tmp_path, medformer):
    import_weights(medformer[1], tmp_path / "out")
    content = json.loads((tmp_path / "out" / "network.json").read_text())
    (tmp_path / "out" / "network.json").write_text(json.dumps({**content, "network": "evil"}))
    with pytest.raises(CheckpointError, match=r"network.json is damaged or missing"):
        load_network(tmp_path / "out")
    with pytest.raises(CheckpointError, match=r"network.json is damaged or missing"):
        load_network(tmp_path)


def test_weights_never_take_the_place_of_a_model(tmp_path, medformer, like):
    with pytest.raises(ConfigError, match="holds a model"):
        import_weights(medformer[1], like)


def test_a_checkpoint_of_nnunet_is_not_bare(tmp_path, medformer, nnunet_model):
    assert is_bare(medformer[1])
    folder = nnunet_model(folds=(0,))
    assert not is_bare(folder / "fold_0" / "checkpoint_final.pth")


@pytest.mark.slow
@pytest.mark.parametrize("has_output", [True, False], ids=["with its output layer", "as SuPreM"])
def test_weights_of_swin_unetr_are_those_of_monai(tmp_path, has_output):
    from monai.networks.nets.swin_unetr import SwinUNETR

    network = SwinUNETR(in_channels=1, out_channels=4, feature_size=12).eval()
    state = network.state_dict()
    if has_output:
        content = {"state_dict": {f"module.{name}": value for name, value in state.items()}}
    else:
        own = {name: value for name, value in state.items() if not name.startswith("out.")}
        heads = ("organ_embedding", "controller.weight", "GAP.0.weight", "precls_conv.0.weight")
        content = {"net": {f"module.backbone.{name}": value for name, value in own.items()}}
        content["net"] |= {f"module.{name}": torch.ones(1) for name in heads}
    torch.save(content, tmp_path / "swin.pth")
    made = import_weights(tmp_path / "swin.pth", tmp_path / "out")
    assert (made.network, made.channels, made.classes) == ("swin-unetr", 1, 4 if has_output else None)
    loaded = load_network(tmp_path / "out").eval()
    if not has_output:
        assert "Left out: GAP, controller, organ_embedding, precls_conv" in " ".join(made.notes)
        with torch.no_grad():
            loaded.out = network.out
    image = torch.randn(1, 1, 64, 32, 32)
    with torch.inference_mode():
        assert torch.equal(loaded(image), network(image))


@pytest.mark.slow
def test_weights_without_an_output_layer_make_no_model(tmp_path, like):
    from wirsung.models.networks import entry

    item = entry("swin-unetr")
    network = build_architecture(
        Architecture(item.class_path, {"feature_size": 12}, ()), channels=1, classes=3
    )
    own = {name: value for name, value in network.state_dict().items() if not name.startswith("out.")}
    torch.save({"net": own}, tmp_path / "suprem.pth")
    with pytest.raises(CheckpointError, match="can be trained further but can't predict"):
        import_weights(tmp_path / "suprem.pth", tmp_path / "out", like=like)
