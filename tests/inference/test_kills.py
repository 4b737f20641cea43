"""Runs that are really killed, group and all, and go on: `benchmarks/inference_kills.py` on small images."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from wirsung.imaging.nifti import write_nifti

SCRIPT = Path(__file__).parents[2] / "benchmarks" / "inference_kills.py"


@pytest.mark.parametrize("mode", ["one process", pytest.param("two workers", marks=pytest.mark.slow)])
def test_a_run_that_is_killed_again_and_again_ends_with_the_same_files_and_no_case_done_twice(
    tmp_path, model, make_scan, mode
):
    for number in range(8):
        write_nifti(tmp_path / "images" / f"{number}.nii.gz", make_scan((30, 28, 26), seed=number)[0])
    words = ["--images", tmp_path / "images", "--model", model, "--work", tmp_path / "work", "--small"]
    made = subprocess.run(
        [sys.executable, SCRIPT, *words, "--modes", mode],
        capture_output=True,
        text=True,
        check=True,
        env={**os.environ, "OMP_NUM_THREADS": "1"},
    )
    found = json.loads(made.stdout)[mode]
    assert found["kills"] == 3
    assert found["cases"] == 8
    assert found["same_files"]
    assert found["same_record"]
    assert found["cases_predicted_twice"] == found["cases_never_predicted"] == 0
    assert found["damaged_files_after_kills"] == found["half_files_at_the_end"] == 0
