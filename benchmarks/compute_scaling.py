"""Two supervised workers against one, and against concurrent.futures, on a case that only computes.

Promise: on 2 cores, 2 workers are at least 1.8 times as fast as 1, and take at most 1.05 times the time of a
ProcessPoolExecutor with as many processes. All take turns within one run. Nothing else may use the CPU
meanwhile; the load before the start is recorded.

    .venv/bin/python benchmarks/compute_scaling.py
    .venv/bin/python benchmarks/compute_scaling.py --cases 8 --rounds 1 --try     a trial, not recorded
"""

import argparse
import os
import time
import zlib
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from multiprocessing import get_context
from statistics import median
from typing import Any

# Before NumPy is imported: one thread a process, or one worker would use both cores.
for variable in ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS"):
    os.environ[variable] = "1"

import numpy as np  # noqa: E402
from recording import record  # noqa: E402

from wirsung.compute.cases import stream_cases  # noqa: E402
from wirsung.compute.outcome import attempt  # noqa: E402

SHAPE = (96, 96, 64)


def compress(seed: int) -> int:
    """A case of some 0.3 s: smooth noise, rounded to HU and compressed, as writing an image is."""
    noise = np.random.default_rng(seed).normal(0, 40, SHAPE)
    smooth = np.fft.irfftn(np.fft.rfftn(noise) * 0.5, SHAPE, axes=(0, 1, 2))
    return len(zlib.compress(smooth.astype(np.int16).tobytes(), 6))


def nothing(seed: int) -> int:
    """A case that costs nothing, to see what each case costs besides."""
    return seed


def in_this_process(function: Callable[[int], int], cases: int) -> None:
    for number in range(cases):
        attempt(function, str(number), number)


def supervised(function: Callable[[int], int], cases: int, workers: int) -> None:
    tasks = ((str(number), number) for number in range(cases))  # unsized: one worker is a process too
    for outcome in stream_cases(function, tasks, workers=workers, description=f"{workers} workers"):
        if outcome.status != "done":
            raise SystemExit(outcome.message)


def pooled(function: Callable[[int], int], cases: int, workers: int) -> None:
    with ProcessPoolExecutor(workers, mp_context=get_context("spawn")) as pool:
        for future in [pool.submit(function, number) for number in range(cases)]:
            future.result()


def seconds(run: Callable[..., None], *arguments: object) -> float:
    started = time.perf_counter()
    run(*arguments)
    return time.perf_counter() - started


def main() -> None:
    parser = argparse.ArgumentParser()
    parser.add_argument("--cases", type=int, default=120)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--try", dest="is_trial", action="store_true")
    options = parser.parse_args()
    load = os.getloadavg()[0]
    runs: dict[str, tuple[Any, ...]] = {
        "1 worker": (in_this_process, compress, options.cases),
        "2 workers": (supervised, compress, options.cases, 2),
        "ProcessPoolExecutor of 2": (pooled, compress, options.cases, 2),
    }
    taken: dict[str, list[float]] = {name: [] for name in runs}
    for _ in range(options.rounds):  # in turns, so that a busy moment hits all alike
        for name, run in runs.items():
            taken[name].append(seconds(*run))
    empty = 20 * options.cases
    figures: dict[str, Any] = {
        name: {"median_s": round(median(times), 3), "min_s": round(min(times), 3)}
        for name, times in taken.items()
    }
    half = median(taken["2 workers"])
    figures["cases"] = options.cases
    figures["load_before"] = round(load, 2)
    figures["ratio"] = {
        "1 worker / 2 workers": round(median(taken["1 worker"]) / half, 2),
        "ProcessPoolExecutor / 2 workers": round(median(taken["ProcessPoolExecutor of 2"]) / half, 2),
    }
    figures["empty_cases_per_s"] = {
        "2 workers": round(empty / seconds(supervised, nothing, empty, 2)),
        "ProcessPoolExecutor of 2": round(empty / seconds(pooled, nothing, empty, 2)),
    }
    if options.is_trial:
        print(figures)
    else:
        record("compute_scaling", figures)


if __name__ == "__main__":
    main()
