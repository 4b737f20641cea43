import json
import os
import signal
import subprocess
import sys
import time

import pyarrow.parquet as pq
import pytest

from wirsung.cli import main
from wirsung.cli.demo import DemoSettings, steps

SMALL = ["--cases", "6", "--epochs", "2", "--seed", "3"]


def snapshot(folder):
    return {path: path.stat().st_mtime_ns for path in folder.rglob("*") if path.is_file()}


def test_every_step_is_a_verb_that_a_user_can_type():
    words = [step[0] for step in steps(DemoSettings())]
    assert words == ["phantom", "curate", "check", "split", "train", "predict", "evaluate"]


def test_the_whole_way_from_dicom_to_report_and_again(tmp_path, capfd):
    """The pipeline on the smallest cohort: it learns next to nothing, but every file is real."""
    out = tmp_path / "demo"
    assert main(["demo", str(out), *SMALL]) == 0
    printed = capfd.readouterr().out
    assert "$ wirsung curate" in printed
    assert "report.html" in printed
    assert list((out / "raw").glob("*/dicom/*"))
    split = json.loads((out / "dataset" / "splits.json").read_text())
    scored = {row["case"] for row in pq.read_table(out / "scores" / "scores.parquet").to_pylist()}
    assert scored == set(split["test"])
    page = (out / "scores" / "report.html").read_text()
    assert "data:image" in page
    assert "http://" not in page.replace("http://www.w3.org", "")

    weights = out / "model" / "fold_0" / "weights.safetensors"
    before = snapshot(out)
    assert main(["demo", str(out), *SMALL]) == 0
    after = snapshot(out)
    assert after[weights] == before[weights]
    redone = [path for path in before if path.name.endswith(".nii.gz") and after[path] != before[path]]
    assert redone == []


@pytest.mark.slow
@pytest.mark.parametrize("stage", ["phantom", "curate", "train", "predict", "evaluate"])
def test_a_killed_demo_goes_on_and_leaves_no_half_file(tmp_path, stage):
    """Kill the whole process group soon after each stage has begun; the second run ends well."""
    out = tmp_path / "demo"
    command = [sys.executable, "-m", "wirsung", "demo", str(out), *SMALL]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    for line in process.stdout:
        if line.startswith(f"$ wirsung {stage} "):
            break
    time.sleep(1.5)
    os.killpg(process.pid, signal.SIGKILL)
    process.wait()
    process.stdout.close()
    assert subprocess.run(command, check=False, capture_output=True).returncode == 0
    assert (out / "scores" / "report.html").is_file()
    assert not list(out.rglob(".partial-*"))
