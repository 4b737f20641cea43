"""Our training driver held against nnU-Net's own command line."""

import importlib
from pathlib import Path

import pytest

BENCHMARKS = Path(__file__).parents[2] / "benchmarks"


@pytest.mark.slow
def test_each_of_20_steps_has_the_loss_that_nnunets_own_command_has(tmp_path, monkeypatch):
    monkeypatch.syspath_prepend(BENCHMARKS)
    figures = importlib.import_module("training_parity").measure(tmp_path)
    assert figures["steps"] == 20
    assert figures["largest_difference"] <= 1e-4
    assert figures["last_loss"] < figures["first_loss"]
