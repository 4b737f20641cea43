"""One engine in a process of its own, its peak memory watched; and how far two engines agree."""

import contextlib
import os
import subprocess
import sys
import threading
import time
from pathlib import Path

import numpy as np

from wirsung.imaging.nifti import read_label_map

RUNNER = Path(__file__).with_name("inference_run.py")
EVERY_S = 0.05


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


def run(
    engine: str, model: Path, images: Path, out: Path, threads: int, options: tuple[str, ...] = ()
) -> dict[str, float]:
    """Seconds of each stage and of the whole process, and the peak memory of it and its children."""
    out.mkdir(parents=True, exist_ok=True)
    for image in images.glob("*_0000.nii.gz"):
        (out / image.name.replace("_0000", "")).unlink(missing_ok=True)
    (out / "predictions.json").unlink(missing_ok=True)
    told = out.parent / f"{engine}.txt"
    environment = {**os.environ, "OMP_NUM_THREADS": str(threads), "nnUNet_def_n_proc": str(threads)}
    command = [sys.executable, str(RUNNER), engine, str(model), str(images), str(out), str(told), *options]
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
        with contextlib.suppress(OSError):  # it has just ended
            for children in Path(f"/proc/{parent}/task").glob("*/children"):
                with contextlib.suppress(OSError):
                    found += [int(child) for child in children.read_text().split()]
    return found


def _bytes_of(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return sum(int(line.split()[1]) * 1024 for line in lines if line.startswith("Pss:"))
