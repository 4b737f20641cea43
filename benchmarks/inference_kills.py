"""Prediction that is killed again and again, and still ends with the same files and no case done twice.

Promise: killed at 20 random moments and resumed, a run gives the same outputs as one that was left alone, and
predicts nothing twice.

    .venv/bin/python benchmarks/inference_kills.py              about 8 minutes on two quiet cores
    .venv/bin/python benchmarks/inference_kills.py --small      3 kills, 1 minute; records nothing

The whole process group is killed (SIGKILL), so that neither this process nor its workers can tidy up: once
with all in one process, once with two workers. After each kill every file with its final name must be whole.
"""

import argparse
import json
import os
import random
import signal
import subprocess
import sys
import tempfile
import time
from collections import Counter
from pathlib import Path
from typing import Any

from inference_model import Size, make_cases, make_model
from recording import record

from wirsung.compute.file_state import sha256_of_file

MODES = {"one process": (), "two workers": ("--workers", "2")}
_SEED = 20_260_101
_ENOUGH_S = 900


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="3 kills, to see that it works; records nothing")
    parser.add_argument("--kills", type=int, default=20, help="of each mode")
    parser.add_argument("--cases", type=int, default=16)
    parser.add_argument("--work", type=Path, help="keep images, model and predictions here")
    chosen = parser.parse_args()
    kills, cases = (3, 4) if chosen.small else (chosen.kills, chosen.cases)
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        images = make_cases(work / "images", "tiny", cases)
        model = make_model(work / "model", images, 4.0, Size(steps=40))
        figures = {mode: killed(model, images, work / mode.replace(" ", "-"), mode, kills) for mode in MODES}
    if chosen.small:
        print(json.dumps(figures, indent=2))
    else:
        record("inference_kills", figures)


def killed(model: Path, images: Path, folder: Path, mode: str, kills: int) -> dict[str, Any]:
    """What became of a run that was killed so often, beside one that was left alone."""
    calm, out = folder / "calm", folder / "killed"
    started = time.perf_counter()
    subprocess.run(command(model, images, calm, mode), check=True, capture_output=True)
    calm_s = time.perf_counter() - started
    wanted = {path.name: sha256_of_file(path) for path in calm.glob("*.nii.gz")}
    start_s = calm_s - sum(case["duration_s"] for case in told(calm).values())
    # From before the first case to some cases after the start, so that the kills spread over the whole run.
    latest_s = max(start_s, 1.0) + 1.5 * (calm_s - start_s) / len(wanted)
    chance, counts, moments = random.Random(_SEED), Counter[str](), []
    while counts["kills"] < kills:
        moment = chance.uniform(0.1, latest_s)
        if not killed_once(command(model, images, out, mode), moment):
            counts["ended before the kill"] += 1
            if len(lines(out)) >= len(wanted):
                break
            continue
        counts["kills"] += 1
        moments.append(round(moment, 2))
        counts["damaged files"] += sum(
            sha256_of_file(path) != wanted[path.name] for path in out.glob("[!.]*.nii.gz")
        )
        counts["left-over partial files"] += len(list(out.glob(".partial-*")))
        counts["kills after a first case"] += bool(lines(out))
    before = Counter(lines(out))
    subprocess.run(command(model, images, out, mode), check=True, capture_output=True, timeout=_ENOUGH_S)
    done = Counter(lines(out))
    same = {path.name: sha256_of_file(path) for path in out.glob("*.nii.gz")} == wanted
    return {
        "kills": counts["kills"],
        "cases": len(wanted),
        "cases_done_before_the_last_call": len(before),
        "same_files": same,
        "same_record": shas(calm) == shas(out),
        "cases_predicted_twice": sum(count > 1 for count in done.values()),
        "cases_never_predicted": len(wanted) - len(done),
        "damaged_files_after_kills": counts["damaged files"],
        "partial_files_after_kills": counts["left-over partial files"],
        "partial_files_at_the_end": len(list(out.glob(".partial-*"))),
        "kills_after_a_first_case": counts["kills after a first case"],
        "undisturbed_s": round(calm_s, 1),
        "moments_s": moments,
    }


def killed_once(words: list[str], moment_s: float) -> bool:
    """Whether the run was still there to be killed at that moment after its start."""
    run = subprocess.Popen(
        words, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, start_new_session=True
    )
    try:
        return run.wait(moment_s) is None
    except subprocess.TimeoutExpired:
        os.killpg(run.pid, signal.SIGKILL)
        run.wait()
        return True


def command(model: Path, images: Path, out: Path, mode: str) -> list[str]:
    """One call of `wirsung predict`."""
    start = "import sys; from wirsung.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", start, "predict", str(images), str(out)]
    return [*words, "--model", str(model), "--device", "cpu", *MODES[mode]]


def lines(out: Path) -> list[str]:
    """The case of each line of the ledger that says done."""
    path = out / "predictions.jsonl"
    if not path.is_file():
        return []
    found = []
    for text in path.read_text(encoding="ascii").splitlines():
        try:
            line = json.loads(text)
        except ValueError:  # the line that the kill tore
            continue
        if line["status"] == "done":
            found.append(line["case"])
    return found


def told(out: Path) -> dict[str, Any]:
    """The cases of `predictions.json`."""
    cases: dict[str, Any] = json.loads((out / "predictions.json").read_text(encoding="utf-8"))["cases"]
    return cases


def shas(out: Path) -> dict[str, Any]:
    """Of each case, as recorded."""
    return {case: (row["key"], row["sha256"]) for case, row in told(out).items()}


if __name__ == "__main__":
    main()
