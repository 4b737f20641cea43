"""The scripts that measure a GPU: each runs on a CPU in a tiny size, and says why where there is no GPU."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest
import torch

ROOT = Path(__file__).parents[1]
SCRIPTS = ROOT / "benchmarks" / "gpu"
MORE = {"networks": ("--networks", "pansegnet-2", "unetr")}


def run(name, *arguments):
    """What a script prints."""
    command = [sys.executable, str(SCRIPTS / f"{name}.py"), *arguments]
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    made = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert made.returncode == 0, made.stderr[-2000:]
    return made.stdout


def results():
    return {path: path.read_bytes() for path in (ROOT / "benchmarks" / "results").glob("gpu_*.json")}


def tiny(name):
    """The figures of a tiny run, which records none."""
    before = results()
    printed = run(name, "--device", "cpu", "--tiny", *MORE.get(name, ()))
    assert results() == before
    return json.loads(printed[printed.index("{\n") :])


@pytest.mark.slow
def test_every_network_is_timed_against_nnunets_own():
    rows = tiny("networks")["step"]
    assert set(rows) == {"pansegnet-2", "unetr"}
    assert all(row["step_s"] > 0 and row["ratio_to_nnunet"] > 0 for row in rows.values())


@pytest.mark.slow
def test_both_augmentations_are_timed_with_as_many_processes():
    figures = tiny("augmentation")
    assert figures["1 processes"]["nnunet_s"] > 0
    assert figures["1 processes"]["ours_s"] > 0
    assert figures["our transforms of a batch, s"] > 0


@pytest.mark.slow
def test_attention_is_timed_by_its_tokens():
    figures = tiny("attention")
    assert [row["tokens"] for row in figures["by tokens"]] == [64, 512, 1728]
    assert all(row["linear_s"] > 0 and row["softmax_s"] > 0 for row in figures["by tokens"])


@pytest.mark.slow
def test_both_networks_are_trained_and_scored_on_a_held_out_centre():
    figures = tiny("training")
    for network in ("nnunet", "pansegnet-2"):
        assert figures[network]["steps"] >= 4
        assert 0 <= figures[network]["dsc"]["mean"] <= 1


@pytest.mark.slow
def test_both_predictors_are_timed_on_the_same_case():
    figures = tiny("inference")
    assert figures["end_to_end_times_faster"] > 0
    assert 0 < figures["forward_share_of_warm_scans"] < 1
    assert figures["theirs"]["forward_s"] > 0
    assert figures["equal_voxels"] > 0.99


@pytest.mark.slow
@pytest.mark.parametrize("name", ["networks", "augmentation", "attention", "training", "inference"])
def test_without_a_gpu_a_script_says_so_and_does_nothing(name):
    if torch.cuda.is_available():
        pytest.skip("there is a GPU")
    assert run(name) == "Skipped: torch finds no CUDA device.\n"
