"""Matching lesions to candidates against picai_eval: the same TP, FN and FP, at least 10 times faster.

A synthetic case of 300 x 512 x 512 voxels with 6 lesions and 10 candidates, among them a candidate too far
off, one beside another on the same lesion, and strays far from everything. Times are of the processor, on one
thread, arrays in memory, after a warm-up. picai_eval, which needs other versions of libraries, is installed
into its own virtual environment in the cache folder, and runs there.

    .venv/bin/python benchmarks/lesion_matching.py              # about 3 minutes, and 1 to install picai_eval
    .venv/bin/python benchmarks/lesion_matching.py --small      # a few seconds; prints, records nothing
"""

import json
import os
import subprocess
import sys
import tempfile
import time
import venv
from pathlib import Path
from typing import Any

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")

import numpy as np  # noqa: E402
from numpy.typing import NDArray  # noqa: E402
from recording import record  # noqa: E402

from wirsung.evaluation.lesions import CaseLesions, Verdict, find_lesions  # noqa: E402

PEER = "picai_eval==1.4.13"
SHAPE = (512, 512, 300)
SPACING_MM = (0.8, 0.8, 1.25)
REPEATS = 3

# Middle and radius as shares of the volume: lesions, then candidates with their confidence.
LESIONS = (
    (0.30, 0.40, 0.50, 0.06),
    (0.45, 0.42, 0.52, 0.03),
    (0.55, 0.45, 0.55, 0.02),
    (0.62, 0.50, 0.45, 0.04),
    (0.70, 0.52, 0.40, 0.015),
    (0.40, 0.60, 0.60, 0.025),
)
CANDIDATES = (
    (0.31, 0.40, 0.50, 0.055, 0.95),
    (0.455, 0.42, 0.52, 0.03, 0.90),
    (0.55, 0.45, 0.55, 0.012, 0.60),
    (0.585, 0.50, 0.45, 0.025, 0.80),
    (0.645, 0.50, 0.45, 0.022, 0.70),
    (0.715, 0.53, 0.41, 0.015, 0.40),
    (0.10, 0.10, 0.10, 0.02, 0.30),
    (0.90, 0.90, 0.90, 0.02, 0.50),
    (0.10, 0.90, 0.50, 0.01, 0.20),
    (0.90, 0.10, 0.20, 0.03, 0.35),
)

_RUN_PEER = """
import json, sys, time
import numpy as np
from picai_eval.eval import evaluate_case
label, detection = (np.load(f"{sys.argv[1]}/{name}.npy") for name in ("label", "detection"))
small = np.zeros((8, 8, 8), dtype=np.float32)
small[2:4, 2:4, 2:4] = 1
evaluate_case(small, small.astype(np.int32))
times = []
for _ in range(int(sys.argv[2])):
    started = time.process_time()
    rows = evaluate_case(detection, label)[0]
    times.append(time.process_time() - started)
print(json.dumps({"seconds": min(times), "rows": rows}))
"""


def ball(shape: tuple[int, ...], place: tuple[float, ...]) -> tuple[NDArray[np.int64], ...]:
    """The voxels of one ball, as shares of the volume."""
    *middle, radius = place
    centre = np.array(middle) * shape
    reach = radius * shape[0] * SPACING_MM[0]
    steps = [int(reach / size_mm) + 1 for size_mm in SPACING_MM]
    ranges = [
        np.arange(max(int(at) - most, 0), min(int(at) + most + 2, size))
        for at, most, size in zip(centre, steps, shape, strict=True)
    ]
    grid = np.meshgrid(*ranges, indexing="ij")
    square = sum(
        ((axis - at) * size_mm) ** 2 for axis, at, size_mm in zip(grid, centre, SPACING_MM, strict=True)
    )
    return tuple(axis[np.asarray(square) <= reach**2] for axis in grid)


def synthetic(shape: tuple[int, int, int]) -> tuple[NDArray[np.uint8], NDArray[np.float32]]:
    """Labels and detection map, i fastest in memory as read from NIfTI."""
    label = np.zeros(shape, dtype=np.uint8, order="F")
    detection = np.zeros(shape, dtype=np.float32, order="F")
    for place in LESIONS:
        label[ball(shape, place)] = 1
    for *place, confidence in CANDIDATES:
        detection[ball(shape, tuple(place))] = confidence
    return label, detection


def ours(label: NDArray[np.uint8], detection: NDArray[np.float32]) -> CaseLesions:
    return find_lesions(label > 0, detection > 0, spacing_mm=SPACING_MM, confidence=detection)


def counts(rows: list[tuple[int, float, float]]) -> dict[str, int]:
    """TP, FN and FP of picai's rows: is a lesion, confidence, overlap."""
    found = sum(bool(is_lesion and overlap > 0) for is_lesion, _, overlap in rows)
    return {
        "tp": found,
        "fn": sum(bool(is_lesion) for is_lesion, *_ in rows) - found,
        "fp": sum(not is_lesion for is_lesion, *_ in rows),
    }


def rows_of(found: CaseLesions) -> list[tuple[int, float, float]]:
    false = [item.confidence for item in found.candidates if item.verdict == Verdict.FALSE]
    return [(1, lesion.confidence, lesion.iou) for lesion in found.lesions] + [
        (0, item, 0.0) for item in false
    ]


def peer_python() -> Path:
    """The interpreter of an environment that holds picai_eval, made on the first run."""
    cache = Path(os.environ.get("XDG_CACHE_HOME", Path.home() / ".cache")) / "wirsung"
    folder = cache / PEER.replace("==", "-")
    python = folder / "bin" / "python"
    if not (folder / "installed").is_file():
        venv.create(folder, with_pip=True, clear=True)
        subprocess.run([python, "-m", "pip", "install", "--quiet", PEER], check=True)
        (folder / "installed").touch()
    return python


def peer(label: NDArray[np.uint8], detection: NDArray[np.float32]) -> dict[str, Any]:
    """Seconds and rows of picai_eval, in the axis order and types in which it reads a file."""
    with tempfile.TemporaryDirectory() as folder:
        np.save(f"{folder}/label.npy", np.ascontiguousarray(label.T).astype(np.int32))
        np.save(f"{folder}/detection.npy", np.ascontiguousarray(detection.T))
        command = [str(peer_python()), "-c", _RUN_PEER, folder, str(REPEATS)]
        found = subprocess.run(command, check=True, capture_output=True, text=True)
    content: dict[str, Any] = json.loads(found.stdout.splitlines()[-1])
    return content


def main() -> None:
    small = "--small" in sys.argv
    shape = tuple(size // 8 for size in SHAPE) if small else SHAPE
    label, detection = synthetic((shape[0], shape[1], shape[2]))
    found = ours(label, detection)
    times = []
    for _ in range(REPEATS):
        started = time.process_time()
        found = ours(label, detection)
        times.append(time.process_time() - started)
    theirs = peer(label, detection)
    own_rows, their_rows = rows_of(found), [tuple(row) for row in theirs["rows"]]
    worst = max(
        abs(one - other)
        for own, their in zip(sorted(own_rows), sorted(their_rows), strict=True)
        for one, other in zip(own, their, strict=True)
    )
    figures = {
        "shape": list(shape),
        "peer": PEER,
        "counts": counts(own_rows),
        "peer_counts": counts(their_rows),
        "largest_difference": worst,
        "seconds": round(min(times), 4),
        "peer_seconds": round(theirs["seconds"], 4),
        "times_faster": round(theirs["seconds"] / min(times), 1),
        "promise": "same TP, FN and FP; at least 10 times faster",
        "kept": counts(own_rows) == counts(their_rows) and theirs["seconds"] >= 10 * min(times),
    }
    if small:
        # The fixed cost of a call outweighs so few voxels: only the counts are of interest.
        figures["kept"] = figures["counts"] == figures["peer_counts"]
        print(json.dumps(figures, indent=2))
    else:
        record("lesion_matching", figures)


if __name__ == "__main__":
    main()
