"""Prediction that is killed again and again, and still ends with the same files and no case done twice.

Promise: killed at 20 random moments and resumed, a run gives the same outputs as one that was left alone, and
predicts nothing twice.

    .venv/bin/python benchmarks/inference_kills.py              about 4 minutes on two quiet cores
    .venv/bin/python benchmarks/inference_kills.py --small      3 kills, 1 minute; records nothing

The whole process group is killed (SIGKILL), so that neither the run nor its workers can tidy up: once with
all in one process, once with two workers. Moments are drawn by what the run has done, so that a busy machine
does not move them all into its start: after none, one, two or three more cases, and a part of a case later.
After each kill every file with its final name must be whole.

Each run is a fork of this process, which has imported everything and computed nothing.
"""

import argparse
import json
import os
import random
import signal
import tempfile
import time
from collections import Counter
from collections.abc import Callable
from pathlib import Path
from typing import Any

from inference_model import Size, make_cases, make_model
from recording import record

from wirsung.compute.file_state import sha256_of_file
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings

MODES = {"one process": 1, "two workers": 2}
SEED = 8
LOOK_EVERY_S = 0.002


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="3 kills, to see that it works; records nothing")
    parser.add_argument("--modes", nargs="+", choices=MODES, default=list(MODES))
    parser.add_argument("--images", type=Path, help="with --model: of your own; records nothing")
    parser.add_argument("--model", type=Path)
    parser.add_argument("--work", type=Path, help="keep images, model and predictions here")
    chosen = parser.parse_args()
    kills, cases = (3, 8) if chosen.small else (20, 40)
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        images, model = chosen.images, chosen.model
        if images is None:
            images, model = work / "cases" / "images", work / "model"
            finished(lambda: make_both(work, cases))
        figures = {
            mode: killed(model, images, work / mode.replace(" ", "-"), mode, kills) for mode in chosen.modes
        }
    if chosen.small or chosen.images is not None or set(chosen.modes) != set(MODES):
        print(json.dumps(figures, indent=2))
    else:
        record("inference_kills", figures)


def make_both(work: Path, cases: int) -> None:
    """Phantoms, and a model that is quick to run."""
    images = make_cases(work / "cases", "tiny", cases)
    make_model(work / "model", images, 8.0, Size(patch=32, crop=32, features=(8, 16), steps=20))


def killed(model: Path, images: Path, folder: Path, mode: str, kills: int) -> dict[str, Any]:
    """What became of a run that was killed so often, beside one that was left alone."""
    calm, out = folder / "calm", folder / "killed"
    finished(lambda: run(model, images, calm, mode))
    wanted = {path.name: sha256_of_file(path) for path in calm.glob("*.nii.gz")}
    case_s = sum(row["duration_s"] for row in told(calm).values()) / len(wanted)
    chance, counts, after = random.Random(SEED), Counter[str](), []
    while counts["kills"] < kills and len(done(out)) < len(wanted):
        more = chance.choice((0, 1, 1, 2, 3))
        if not killed_once(
            lambda: run(model, images, out, mode), out, len(done(out)) + more, chance.uniform(0, case_s)
        ):
            counts["ended before the kill"] += 1
            continue
        counts["kills"] += 1
        after.append(len(done(out)))
        counts["damaged"] += sum(
            sha256_of_file(path) != wanted[path.name] for path in out.glob("[!.]*.nii.gz")
        )
        counts["partial"] += bool(list(out.glob(".partial-*")))
    finished(lambda: run(model, images, out, mode))
    times = Counter(done(out))
    return {
        "kills": counts["kills"],
        "cases": len(wanted),
        "cases_done_at_each_kill": after,
        "kills_that_left_half_files_under_other_names": counts["partial"],
        "damaged_files_after_kills": counts["damaged"],
        "cases_predicted_twice": sum(count > 1 for count in times.values()),
        "cases_never_predicted": len(wanted) - len(times),
        "same_files": {path.name: sha256_of_file(path) for path in out.glob("*.nii.gz")} == wanted,
        "same_record": shas(calm) == shas(out),
        "half_files_at_the_end": len(list(out.glob(".partial-*"))),
    }


def run(model: Path, images: Path, out: Path, mode: str) -> None:
    """One call of `wirsung predict`."""
    predict(PredictSettings(images, out, model=model, device="cpu", workers=MODES[mode]))


def finished(work: Callable[[], None]) -> None:
    """Do the work in a process of its own, to its end."""
    _, status = os.waitpid(started(work), 0)
    if status:
        msg = "a run that nobody killed failed; what it said stands above"
        raise RuntimeError(msg)


def killed_once(work: Callable[[], None], out: Path, cases: int, later_s: float) -> bool:
    """Kill the work and its workers after so many cases and a little more; False where it had ended."""
    group = started(work)
    while len(done(out)) < cases and not is_over(group):
        time.sleep(LOOK_EVERY_S)
    deadline = time.monotonic() + later_s
    while time.monotonic() < deadline and not is_over(group):
        time.sleep(LOOK_EVERY_S)
    if is_over(group):
        os.waitpid(group, 0)
        return False
    os.killpg(group, signal.SIGKILL)
    os.waitpid(group, 0)
    return True


def started(work: Callable[[], None]) -> int:
    """The process, and the process group, that does the work."""
    group = os.fork()
    if group:
        return group
    status = 1
    try:
        os.setsid()
        work()
        status = 0
    finally:
        os._exit(status)


def is_over(process: int) -> bool:
    """Whether the process has ended; it stays to be waited for."""
    return os.waitid(os.P_PID, process, os.WEXITED | os.WNOHANG | os.WNOWAIT) is not None


def done(out: Path) -> list[str]:
    """The case of each line of the ledger that says done."""
    path = out / "predictions.jsonl"
    found = []
    for text in path.read_text(encoding="ascii").splitlines() if path.is_file() else []:
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
