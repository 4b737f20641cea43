"""`make demo` from a fresh clone: time, peak memory, scores, and the time of a second run.

Promises, on 2 cores: at most 10 minutes and 6 GB, installing included; a second run at most 30 s; on the
held-out centre a mean DSC of at least 0.80 over pancreas, liver, spleen, kidneys and aorta, and of 0.65 for
the pancreas alone. No other software goes this way, so there is no peer to time it against.

    .venv/bin/python benchmarks/demo.py
"""

import subprocess
import tempfile
import threading
import time
from pathlib import Path
from statistics import mean

import pyarrow.parquet as pq
from recording import ROOT, record

STRUCTURES = ("pancreas", "liver", "spleen", "kidney_left", "kidney_right", "aorta")


class PeakMemory(threading.Thread):
    """The largest sum of proportional set sizes of a process and its descendants, every half second."""

    def __init__(self, pid: int) -> None:
        super().__init__(daemon=True)
        self.pid = pid
        self.peak_gb = 0.0
        self.stopped = threading.Event()

    def run(self) -> None:
        """Sample until stopped."""
        while not self.stopped.wait(0.5):
            self.peak_gb = max(self.peak_gb, sum(_pss_kb(pid) for pid in _family(self.pid)) / 2**20)


def _family(pid: int) -> list[int]:
    found = [pid]
    for parent in found:
        for task in Path(f"/proc/{parent}/task").glob("*/children"):
            try:
                found += [int(child) for child in task.read_text().split()]
            except OSError:
                continue
    return found


def _pss_kb(pid: int) -> int:
    try:
        lines = Path(f"/proc/{pid}/smaps_rollup").read_text().splitlines()
    except OSError:
        return 0
    return next((int(line.split()[1]) for line in lines if line.startswith("Pss:")), 0)


def timed_make(folder: Path) -> tuple[float, float]:
    started = time.perf_counter()
    process = subprocess.Popen(["make", "demo"], cwd=folder)
    memory = PeakMemory(process.pid)
    memory.start()
    if process.wait():
        msg = f"make demo ended with status {process.returncode}"
        raise SystemExit(msg)
    memory.stopped.set()
    return time.perf_counter() - started, memory.peak_gb


def mean_dsc(path: Path) -> dict[str, float]:
    """Mean over the cases of the held-out centre, by structure."""
    rows = [row for row in pq.read_table(path).to_pylist() if row["metric"] == "dsc"]
    return {name: mean(row["value"] for row in rows if row["structure"] == name) for name in STRUCTURES}


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        clone = Path(folder) / "wirsung"
        subprocess.run(["git", "clone", "--quiet", str(ROOT), str(clone)], check=True)
        first_s, peak_gb = timed_make(clone)
        second_s, _ = timed_make(clone)
        dsc = mean_dsc(clone / "demo" / "scores" / "scores.parquet")
    figures = {
        "make_demo_s": round(first_s),
        "make_demo_again_s": round(second_s, 1),
        "peak_memory_gb": round(peak_gb, 2),
        "dsc_of_held_out_centre": {name: round(value, 3) for name, value in dsc.items()},
        "mean_dsc": round(sum(dsc.values()) / len(dsc), 3),
    }
    record("demo", figures)


if __name__ == "__main__":
    main()
