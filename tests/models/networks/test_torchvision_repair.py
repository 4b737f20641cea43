"""Packages that import torchvision load, whether or not its compiled half does."""

import subprocess
import sys


def test_primus_loads_in_a_fresh_process_where_warnings_are_errors():
    code = "from wirsung.models.networks import entry; print(entry('primus').load().__name__)"
    run = subprocess.run(
        [sys.executable, "-W", "error", "-c", code], capture_output=True, text=True, check=False
    )
    assert run.stdout.strip() == "Primus", run.stderr


def test_a_torchvision_that_loads_is_left_alone(monkeypatch):
    from wirsung.models.networks import torchvision_repair

    monkeypatch.setattr(torchvision_repair.importlib, "import_module", lambda name: name)
    before = len(torchvision_repair._declared)
    with torchvision_repair.importable_torchvision():
        pass
    assert len(torchvision_repair._declared) == before
