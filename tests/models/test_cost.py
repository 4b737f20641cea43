"""The estimate against what torch's own profiler sees allocated in a step of the real network."""

import gc
import json

import pytest
import torch
from torch.profiler import ProfilerActivity, profile

from wirsung.cli import main
from wirsung.compute.atomic import write_json
from wirsung.models.cost import cost, estimate
from wirsung.models.networks import build_network, entry
from wirsung.models.networks.topology import plan_of_patch
from wirsung.models.rates import Rates
from wirsung.models.settings import CostSettings

CLASSES = 3
SMALL = {
    "nnunet": {},
    "nnunet-resenc-m": {},
    "nnformer": {},
    "pansegnet-2": {},
    "mednext": {"size": "S", "width": 4},
    "unetr": {"hidden_size": 48, "mlp_size": 96, "heads": 4, "feature_size": 4},
    "dints": {"width": 0.125},
    "primus": {"width": 48, "depth": 3, "heads": 4},
}
TOLERANCE = 0.2
"""Of the measured peak; convolutions and attention on a CPU also take a workspace."""


@pytest.fixture(autouse=True)
def one_thread():
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


def step(network, image):
    output = network(image)
    answers = list(output) if isinstance(output, list | tuple) else [output]
    del output
    loss = torch.zeros(())
    while answers:
        logits = answers.pop(0)
        labels = torch.zeros(logits.shape[0], *logits.shape[2:], dtype=torch.long)
        probability = torch.softmax(logits, 1)
        dice = (probability * torch.zeros(logits.shape, dtype=torch.bool)).sum() / probability.sum()
        loss = loss + torch.nn.functional.cross_entropy(logits, labels) - dice
    del logits, labels, probability, dice
    loss.backward()


def measured_peak(network, image):
    step(network, image)
    network.zero_grad(set_to_none=True)
    gc.collect()
    with profile(activities=[ProfilerActivity.CPU], profile_memory=True) as watched:
        step(network, image)
    live = peak = 0
    for event in watched.profiler.kineto_results.events():
        if event.name() == "[memory]":
            live += event.nbytes()
            peak = max(peak, live)
    return peak


@pytest.mark.parametrize("name", sorted(SMALL))
def test_the_memory_of_training_is_what_the_profiler_measures(name):
    torch.manual_seed(0)
    plan = plan_of_patch((32, 32, 32), features=(8, 32))
    said = estimate(name, plan, 1, CLASSES, arguments=SMALL[name])
    network = build_network(
        name, plan, 1, CLASSES, deep_supervision=entry(name).deep_supervision, arguments=SMALL[name]
    )
    measured = measured_peak(network, torch.randn(2, 1, 32, 32, 32))
    # The weights and the momentum lie there before the step.
    within_the_step = said.training_bytes - 2 * 4 * said.parameters
    assert within_the_step == pytest.approx(measured, rel=TOLERANCE)


def test_memory_and_operations_grow_with_the_batch():
    one, two = (estimate("nnunet", plan_of_patch((32,) * 3, batch_size=batch), 1, 2) for batch in (1, 2))
    assert two.parameters == one.parameters
    assert two.training_flops == 2 * one.training_flops
    assert two.activation_bytes == pytest.approx(2 * one.activation_bytes, rel=0.01)
    assert two.forward_flops == one.forward_flops
    assert two.inference_bytes == one.inference_bytes


def test_the_parameters_are_those_of_the_network_built():
    plan = plan_of_patch((32, 32, 32), features=(8, 16))
    built = build_network("nnunet", plan, 2, 5, deep_supervision=True)
    assert estimate("nnunet", plan, 2, 5).parameters == sum(item.numel() for item in built.parameters())


def test_seconds_follow_the_rates():
    plan = plan_of_patch((32, 32, 32))
    slow, fast = (estimate("nnunet", plan, 1, 2, rates=Rates(rate, rate)) for rate in (1e9, 1e10))
    assert slow.training_s == pytest.approx(10 * fast.training_s)
    assert slow.inference_s < slow.training_s
    assert estimate("nnunet", plan, 1, 2).training_s is None


def test_a_model_folder_says_the_patch(tmp_path, plans_content):
    write_json(tmp_path / "plans.json", plans_content)
    said = cost(CostSettings("nnunet", plans=tmp_path, device="none", classes=2))
    assert said.patch_size == (16, 16, 16)
    assert said.batch_size == 2


def test_the_command_prints_the_estimate_and_gives_it_as_json(capsys):
    words = ["models", "cost", "nnunet", "--patch", "32", "32", "32", "--classes", "2"]
    assert main([*words, "--device", "none"]) == 0
    text = capsys.readouterr().out
    assert "nnunet, patch 32 x 32 x 32, batch 2, 1 channel, 2 classes" in text
    assert "seconds" not in text
    assert main([*words, "--device", "cpu", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["patch_size"] == [32, 32, 32]
    assert content["training_s"] > 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["unter"], "Did you mean unetr"),
        (["unetr", "--patch", "100", "96", "96"], "A patch of 96 x 96 x 96 would do"),
    ],
)
def test_a_wrong_call_is_one_sentence(words, message, capsys):
    assert main(["models", "cost", *words]) == 2
    assert message in capsys.readouterr().err
