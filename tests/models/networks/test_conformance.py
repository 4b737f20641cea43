"""What every network of the catalog must do, whoever wrote it; narrow here, at full width where slow."""

import contextlib
import io
import json
import math
import re
import warnings
from dataclasses import dataclass, field

import pytest
import torch

from wirsung.errors import CheckpointError, ConfigError, ImageError
from wirsung.models.networks import architecture_of, build_architecture, build_network, catalog, entry
from wirsung.models.networks.blueprint import blueprint, count_parameters
from wirsung.models.networks.topology import REFERENCE_PATCH, plan_of_patch
from wirsung.models.weights import Weights, fill, read_safetensors, save_weights, unique

ALL = tuple(catalog())
# ResEnc L and XL are M at another patch.
NAMES = tuple(name for name in ALL if not name.endswith(("-l", "-xl")))
CHANNELS, CLASSES = 2, 3


@dataclass(frozen=True)
class Small:
    """A network so narrow that a test takes no time, and three patches that it takes."""

    patches: tuple[tuple[int, int, int], ...] = ((32, 32, 32), (16, 32, 64), (32, 64, 32))
    arguments: dict = field(default_factory=dict)
    features: tuple[int, int] = (4, 8)


TRANSFORMER = {"hidden_size": 24, "mlp_size": 48, "heads": 3, "feature_size": 4}
OF_32 = ((32, 32, 64), (32, 64, 32), (64, 32, 32))
SMALL = {
    "pansegnet": Small(arguments={"width": 16, "layers": 2}),
    "mednext": Small(arguments={"size": "S", "width": 4}),
    "primus": Small(arguments={"width": 24, "depth": 2, "heads": 2}),
    "unetr": Small(arguments=TRANSFORMER),
    "swin-unetr": Small(OF_32, {"feature_size": 12, "window": 4}),
    "dints": Small(OF_32, {"width": 0.125}),
    "c2fnas": Small(((16, 64, 64), (64, 16, 64), (64, 64, 16))),
}


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    torch.manual_seed(0)
    yield
    torch.set_num_threads(before)


def small(name):
    return SMALL.get(name, Small())


def plan(name, number=0, batch=2):
    made = small(name)
    return plan_of_patch(made.patches[number], features=made.features, batch_size=batch)


def built(name, number=0, *, deep=False):
    return build_network(
        name, plan(name, number), CHANNELS, CLASSES, deep_supervision=deep, arguments=small(name).arguments
    )


def answers(output):
    return list(output) if isinstance(output, list | tuple) else [output]


def loss_of(network, image):
    return sum(item.float().pow(2).mean() for item in answers(network(image)))


@pytest.mark.parametrize("name", NAMES)
@pytest.mark.parametrize("number", [0, 1, 2])
def test_there_is_a_logit_for_each_class_and_voxel(name, number):
    patch = small(name).patches[number]
    network = built(name, number).eval()
    with torch.inference_mode():
        logits = network(torch.randn(1, CHANNELS, *patch))
    assert logits.shape == (1, CLASSES, *patch)
    assert torch.isfinite(logits).all()


@pytest.mark.parametrize("name", [name for name in NAMES if entry(name).deep_supervision])
def test_deep_supervision_answers_at_the_resolutions_that_nnunet_asks_for(name):
    configuration = plan(name)
    arguments = {**architecture_of(entry(name), configuration).arguments, **small(name).arguments}
    halved = [1, 1, 1]
    wanted = []
    for stride in arguments["strides"][:-1]:
        halved = [before * now for before, now in zip(halved, stride, strict=True)]
        wanted.append(tuple(size // by for size, by in zip(configuration.patch_size, halved, strict=True)))
    network = built(name, deep=True)
    found = network(torch.randn(1, CHANNELS, *configuration.patch_size))
    assert [tuple(item.shape[2:]) for item in found] == wanted
    network.decoder.deep_supervision = False
    assert isinstance(network(torch.randn(1, CHANNELS, *configuration.patch_size)), torch.Tensor)


@pytest.mark.parametrize("name", [name for name in NAMES if not entry(name).deep_supervision])
def test_a_network_without_deep_supervision_says_so_and_bears_nnunets_switch(name):
    with pytest.raises(ConfigError, match="no deep supervision"):
        built(name, deep=True)
    network = built(name)
    network.decoder.deep_supervision = True
    assert isinstance(network(torch.randn(1, CHANNELS, *small(name).patches[0])), torch.Tensor)


@pytest.mark.parametrize("name", [name for name in NAMES if not entry(name).deep_supervision])
def test_the_class_itself_refuses_deep_supervision_too(name):
    wanted = architecture_of(entry(name), plan(name))
    with pytest.raises(ConfigError, match="-tr nnUNetTrainerNoDeepSupervision"):
        build_architecture(wanted, channels=CHANNELS, classes=CLASSES, deep_supervision=True)


@pytest.mark.parametrize("name", NAMES)
def test_every_weight_gets_a_gradient(name):
    # After one step, because a branch that starts at zero gives what lies before it none.
    network = built(name, deep=entry(name).deep_supervision).eval()
    image = torch.randn(2, CHANNELS, *small(name).patches[0])
    optimiser = torch.optim.SGD(network.parameters(), 0.1)
    loss_of(network, image).backward()
    optimiser.step()
    optimiser.zero_grad()
    loss_of(network, image).backward()
    without = [key for key, item in network.named_parameters() if item.grad is None or not item.grad.any()]
    # A bias before a norm that takes the mean away has a gradient of zero; None is what must not be.
    dead = [key for key, item in network.named_parameters() if item.grad is None]
    assert not dead
    assert len(without) < len(list(network.parameters())) / 2


@pytest.mark.parametrize("name", NAMES)
def test_a_few_steps_of_nnunets_optimiser_lower_the_loss(name):
    network = built(name, deep=entry(name).deep_supervision).train()
    image = torch.randn(1, CHANNELS, *small(name).patches[0])
    labels = (image[:, 0] > 0.5).long()
    optimiser = torch.optim.SGD(network.parameters(), 1e-2, momentum=0.99, weight_decay=3e-5, nesterov=True)
    losses = []
    for _ in range(3):
        optimiser.zero_grad()
        loss = torch.nn.functional.cross_entropy(answers(network(image))[0], labels)
        loss.backward()
        torch.nn.utils.clip_grad_norm_(network.parameters(), 12)
        optimiser.step()
        losses.append(float(loss.detach()))
    assert losses[-1] < losses[0]


@pytest.mark.parametrize("name", [name for name in NAMES if not entry(name).fixed_patch])
def test_the_weights_of_one_patch_take_another(name):
    first, second = (small(name).patches[number] for number in (0, 2))
    network = built(name).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, CHANNELS, *first)).shape[2:] == first
        assert network(torch.randn(1, CHANNELS, *second)).shape[2:] == second


@pytest.mark.parametrize("name", [name for name in NAMES if entry(name).fixed_patch])
def test_the_weights_of_a_fixed_patch_do_not_load_for_another(name):
    weights = unique(built(name).state_dict())
    with pytest.raises(CheckpointError, match="do not fit"):
        fill(built(name, 2), weights)


@pytest.mark.parametrize("name", NAMES)
def test_saved_weights_give_the_same_logits(name, tmp_path):
    first, second = built(name).eval(), built(name).eval()
    save_weights(tmp_path / "weights.safetensors", Weights(unique(first.state_dict()), "3d_fullres", ()))
    fill(second, read_safetensors(tmp_path / "weights.safetensors").state)
    image = torch.randn(1, CHANNELS, *small(name).patches[0])
    with torch.inference_mode():
        assert torch.equal(first(image), second(image))


@pytest.mark.parametrize("name", [name for name in NAMES if entry(name).deep_supervision])
def test_training_and_inference_have_the_same_weights(name):
    training, inference = (built(name, deep=deep).state_dict() for deep in (True, False))
    assert {key: item.shape for key, item in training.items()} == {
        key: item.shape for key, item in inference.items()
    }


@pytest.mark.parametrize("name", NAMES)
def test_nnunet_builds_the_same_network_from_the_plans(name):
    from nnunetv2.utilities.get_network_from_plans import get_network_from_plans

    wanted = architecture_of(entry(name), plan(name))
    arguments = json.loads(json.dumps({**wanted.arguments, **small(name).arguments}))
    with contextlib.redirect_stdout(io.StringIO()), warnings.catch_warnings():
        warnings.simplefilter("ignore")
        theirs = get_network_from_plans(
            wanted.class_name,
            arguments,
            list(wanted.imported_arguments),
            CHANNELS,
            CLASSES,
            deep_supervision=False,
        ).eval()
    ours = built(name).eval()
    theirs.load_state_dict(ours.state_dict())
    image = torch.randn(1, CHANNELS, *small(name).patches[0])
    with torch.inference_mode():
        assert torch.equal(ours(image), theirs(image))


@pytest.mark.parametrize("name", NAMES)
def test_the_parameters_are_those_of_the_catalog(name):
    item = entry(name)
    network = blueprint(
        lambda: build_network(
            name, plan_of_patch(REFERENCE_PATCH), 1, 2, deep_supervision=item.deep_supervision
        )
    )
    assert count_parameters(network) == item.parameters


PUBLISHED = [(name, number) for name in NAMES for number in range(len(entry(name).published))]


@pytest.mark.parametrize(("name", "number"), PUBLISHED)
def test_the_parameters_at_the_papers_own_size_are_explained(name, number):
    said = entry(name).published[number]
    network = blueprint(
        lambda: build_network(
            name,
            plan_of_patch(said.patch_size, said.spacing_mm),
            said.channels,
            said.classes,
            deep_supervision=entry(name).deep_supervision,
            arguments=said.arguments,
        )
    )
    assert count_parameters(network) == said.ours
    if not said.difference:
        assert math.isclose(said.ours, said.parameters, rel_tol=0.002)


@pytest.mark.parametrize("name", NAMES)
def test_a_patch_that_does_not_divide_is_refused_and_the_one_named_does(name):
    item = entry(name)
    fitting = plan(name)
    # What a user does who edits the patch in plans.json and leaves the strides.
    wrong = tuple(size + 3 for size in fitting.patch_size)
    arguments = {**fitting.architecture.arguments}
    odd = type(fitting)(**{**fitting.__dict__, "patch_size": wrong, "architecture": fitting.architecture})
    assert arguments["strides"]
    with pytest.raises(ConfigError, match="would do") as error:
        item.fit(odd)
    named = tuple(map(int, re.search(r"patch of (\d+) x (\d+) x (\d+) would do", str(error.value)).groups()))
    item.fit(type(fitting)(**{**fitting.__dict__, "patch_size": named}))


@pytest.mark.parametrize("name", NAMES)
def test_one_channel_too_many_is_one_clear_error(name):
    network = built(name)
    with pytest.raises(ImageError, match=r"takes images as \(batch, 2, z, y, x\)"):
        network(torch.randn(1, CHANNELS + 1, *small(name).patches[0]))


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_export_keeps_the_logits(name):
    network = built(name).eval()
    image = torch.randn(1, CHANNELS, *small(name).patches[0])
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exported = torch.export.export(network, (image,)).module()
    with torch.inference_mode():
        torch.testing.assert_close(exported(image), network(image), rtol=1e-4, atol=1e-5)


@pytest.mark.slow
@pytest.mark.parametrize("name", NAMES)
def test_at_full_width_there_is_a_logit_for_each_class_and_voxel(name):
    patch = small(name).patches[0]
    network = build_network(name, plan_of_patch(patch), 1, 2).eval()
    with torch.inference_mode():
        assert network(torch.randn(1, 1, *patch)).shape == (1, 2, *patch)


@pytest.mark.gpu
@pytest.mark.parametrize("name", NAMES)
def test_cpu_and_gpu_agree(name):
    if not torch.cuda.is_available():
        pytest.skip("needs a CUDA device, and this machine has none")
    network = built(name).eval()
    image = torch.randn(1, CHANNELS, *small(name).patches[0])
    before = torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32
    torch.backends.cuda.matmul.allow_tf32 = torch.backends.cudnn.allow_tf32 = False
    try:
        with torch.inference_mode():
            here = network(image)
            there = network.cuda()(image.cuda()).cpu()
    finally:
        torch.backends.cuda.matmul.allow_tf32, torch.backends.cudnn.allow_tf32 = before
    torch.testing.assert_close(there, here, rtol=1e-3, atol=1e-3)
