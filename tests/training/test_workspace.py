"""nnU-Net's environment, for the time of a call."""

import os
import sys

from wirsung.training.workspace import Workspace, silence

RAW, PROCESSES = "nnUNet_raw", "nnUNet_n_proc_DA"


def test_the_environment_is_as_before_afterwards(tmp_path, monkeypatch):
    monkeypatch.setenv(RAW, "mine")
    monkeypatch.delenv("nnUNet_results", raising=False)
    workspace = Workspace(tmp_path)
    with workspace.environment(3):
        assert os.environ.get(RAW) == str(workspace.raw.parent)
        assert os.environ.get(PROCESSES) == "3"
    assert os.environ.get(RAW) == "mine"
    assert "nnUNet_results" not in os.environ


def test_nnunet_reads_the_environment_when_it_needs_it(tmp_path):
    from nnunetv2.paths import nnUNet_preprocessed

    with Workspace(tmp_path).environment(1):
        assert str(nnUNet_preprocessed) == str(tmp_path / "work" / "preprocessed")


def test_silence_swallows_what_is_printed(capsys):
    with silence():
        sys.stdout.write("noise")
    assert capsys.readouterr().out == ""
