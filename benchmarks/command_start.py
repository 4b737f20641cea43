"""How long the command line takes to answer, against nnU-Net's and Python's own.

Promise: `wirsung --help` and `wirsung info --json` in at most 0.3 s.

    .venv/bin/python benchmarks/command_start.py
"""

import subprocess
import sys
import time
from pathlib import Path
from statistics import median

from recording import record

BIN = Path(sys.executable).parent
COMMANDS = {
    "python -c pass": [sys.executable, "-c", "pass"],
    "wirsung --help": [str(BIN / "wirsung"), "--help"],
    "wirsung info --json": [str(BIN / "wirsung"), "info", "--json"],
    "wirsung curate --help": [str(BIN / "wirsung"), "curate", "--help"],
    "nnUNetv2_predict --help": [str(BIN / "nnUNetv2_predict"), "--help"],
}
ROUNDS = 7


def seconds(command: list[str]) -> float:
    started = time.perf_counter()
    subprocess.run(command, capture_output=True, check=False)
    return time.perf_counter() - started


def main() -> None:
    taken: dict[str, list[float]] = {name: [] for name in COMMANDS}
    for _ in range(ROUNDS):  # in turns, so that a busy moment hits all alike
        for name, command in COMMANDS.items():
            taken[name].append(seconds(command))
    figures = {
        name: {"median_s": round(median(times), 3), "max_s": round(max(times), 3)}
        for name, times in taken.items()
    }
    peer = median(taken["nnUNetv2_predict --help"])
    figures["ratio"] = {
        "nnUNetv2_predict --help / wirsung --help": round(peer / median(taken["wirsung --help"]), 1)
    }
    record("command_start", figures)


if __name__ == "__main__":
    main()
