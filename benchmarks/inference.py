"""Prediction against nnUNetPredictor: the same weights, the same cases, each in a process of its own.

Promises: a CT of 512 x 512 x 300 voxels of 0.8 x 0.8 x 1.25 mm, 28 structures, model at 3 mm: end to end at
least 6 times faster than nnU-Net, everything but the network at least 12 times, the network at least 1.2, a
quarter of the memory, the same labels; with a model at 1.5 mm end to end at least 2 times faster.

    .venv/bin/python benchmarks/inference.py             about 45 minutes on two quiet cores, 24 GB of memory
    .venv/bin/python benchmarks/inference.py --small     3 minutes, to see that it works; records nothing
    .venv/bin/python benchmarks/inference.py --parts coarse --ours-only     our stages on the big case

The image is a phantom of known anatomy and the network was trained on it for a minute, so that its labels are
organs and not noise. `--work DIR` keeps both for the next call.
"""

import argparse
import os
import subprocess
import sys
import tempfile
import threading
import time
from pathlib import Path
from typing import Any

import numpy as np
from inference_model import make_cases, make_model
from recording import ROOT, record

from wirsung.imaging.nifti import read_label_map

PARTS = ("coarse", "fine", "warm")
SPACINGS = {"coarse": 3.0, "fine": 1.5, "warm": 3.0}
RUNNER = ROOT / "benchmarks" / "inference_run.py"
EVERY_S = 0.05


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="see that it works; record nothing")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--ours-only", action="store_true", help="leave nnU-Net out; record nothing")
    parser.add_argument("--cases", type=int, default=20, help="of the part warm")
    parser.add_argument("--steps", type=int, default=150, help="of the training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, help="keep images, models and predictions here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        figures = measure(chosen, chosen.work or Path(temporary))
    if chosen.small or chosen.ours_only or set(chosen.parts) != set(PARTS):
        print(figures)
    else:
        record("inference", figures)


def measure(chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The figures of each part."""
    preset = "small" if chosen.small else "full"
    big = make_cases(work / f"images-{preset}", preset, 1)
    figures: dict[str, Any] = {"threads": chosen.threads}
    for part in chosen.parts:
        spacing = SPACINGS[part] * (2 if chosen.small else 1)
        model = make_model(work / f"model-{spacing}", big, spacing, chosen.steps)
        if part == "warm":
            cases = 3 if chosen.small else chosen.cases
            images = make_cases(work / "images-many", "tiny" if chosen.small else "small", cases)
            figures[part] = many(chosen, model, images, work / part)
        else:
            figures[part] = one(chosen, model, big, work / part)
        print(part, figures[part], flush=True)
    return figures


def one(chosen: argparse.Namespace, model: Path, images: Path, out: Path) -> dict[str, Any]:
    """Ours and theirs on one case."""
    ours = run("ours", model, images, out / "ours", chosen.threads)
    if chosen.ours_only:
        return {"ours": ours}
    theirs = run("theirs", model, images, out / "theirs", chosen.threads)
    ratios = {
        f"{name}_times_faster": round(theirs[key] / ours[key], 2)
        for name, key in (
            ("end_to_end", "wall_s"),
            ("prediction", "total_s"),
            ("network", "network_s"),
            ("all_but_network", "rest_s"),
        )
    }
    memory = round(theirs["peak_gb"] / ours["peak_gb"], 2)
    return {
        **ratios,
        "times_less_memory": memory,
        **agreement(out / "ours", out / "theirs"),
        "ours": ours,
        "theirs": theirs,
    }


def many(chosen: argparse.Namespace, model: Path, images: Path, out: Path) -> dict[str, Any]:
    """All cases through one warm predictor of ours, against a cold start of nnU-Net's for each."""
    ours = run("ours", model, images, out / "ours", chosen.threads)
    if chosen.ours_only:
        return {"ours": ours}
    wall_s = 0.0
    for image in sorted(images.glob("*_0000.nii.gz")):
        folder = out / "single" / image.name.removesuffix("_0000.nii.gz")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / image.name).unlink(missing_ok=True)
        (folder / image.name).symlink_to(image.resolve())
        wall_s += run("theirs", model, folder, out / "theirs", chosen.threads)["wall_s"]
    faster = round(wall_s / ours["wall_s"], 2)
    same = agreement(out / "ours", out / "theirs")
    return {"times_faster": faster, "ours_s": ours["wall_s"], "cold_starts_s": round(wall_s, 1), **same}


def agreement(ours: Path, theirs: Path) -> dict[str, float]:
    """The least share of equal voxels over the cases, and the least Dice of a class."""
    shares, scores = [], []
    for path in sorted(theirs.glob("*.nii.gz")):
        first, second = read_label_map(ours / path.name).voxels, read_label_map(path).voxels
        shares.append(float((first == second).mean()))
        both = np.bincount(first[first == second].ravel(), minlength=256)
        size = np.bincount(first.ravel(), minlength=256) + np.bincount(second.ravel(), minlength=256)
        scores += [2 * both[value] / size[value] for value in np.flatnonzero(size)]
    return {"equal_voxels": round(min(shares), 6), "least_dice": round(float(min(scores)), 5)}


def run(engine: str, model: Path, images: Path, out: Path, threads: int) -> dict[str, float]:
    """Seconds of each stage and of the whole process, and the peak memory of it and its children."""
    out.mkdir(parents=True, exist_ok=True)
    for path in out.glob("*"):
        if path.is_file():
            path.unlink()
    told = out.parent / f"{engine}.txt"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "nnUNet_def_n_proc": str(threads)}
    command = [sys.executable, str(RUNNER), engine, str(model), str(images), str(out), str(told)]
    started = time.perf_counter()
    process = subprocess.Popen(command, env=environment, stdout=subprocess.DEVNULL)
    peak = Peak(process.pid)
    if process.wait() != 0:
        msg = f"{engine} failed"
        raise RuntimeError(msg)
    wall_s = time.perf_counter() - started
    pairs = (line.split() for line in told.read_text().splitlines())
    seconds = {name: float(value) for name, value in pairs}
    seconds["rest_s"] = round(seconds["total_s"] - seconds["network_s"], 3)
    return {**seconds, "wall_s": round(wall_s, 2), "peak_gb": round(peak.stop() / 2**30, 2)}


class Peak:
    """Watches the memory of a process and its children, shared pages divided among them."""

    def __init__(self, pid: int) -> None:
        self.pid, self.bytes, self.is_over = pid, 0, False
        self.thread = threading.Thread(target=self._watch, daemon=True)
        self.thread.start()

    def stop(self) -> int:
        """The most bytes that were seen."""
        self.is_over = True
        self.thread.join()
        return self.bytes

    def _watch(self) -> None:
        while not self.is_over:
            self.bytes = max(self.bytes, sum(map(_bytes_of, _family(self.pid))))
            time.sleep(EVERY_S)


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for children in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in children.read_text().split()]
            except OSError:
                continue
    return found


def _bytes_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))


if __name__ == "__main__":
    main()
