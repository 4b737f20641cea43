"""`wirsung evaluate` on 250, 500 and 1,000 cases of 28 structures: time and memory, with statistics and page.

Promise: linear in cases, with bounded memory. The cases are as mixed in size as a hospital's: from thin upper
abdomens to long scans of the trunk, at a quarter of the usual resolution along each axis. The structures
are ellipsoids, the predictions the same moved by a voxel, with misses and false lesions. Each evaluation
is a process of its own, on one worker; times are of its processor. A second run finds all cases scored.

    .venv/bin/python benchmarks/evaluation_cohort.py                 # about 5 minutes
    .venv/bin/python benchmarks/evaluation_cohort.py 20 40 80        # other sizes; prints, records nothing
"""

import json
import subprocess
import sys
import tempfile
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from recording import record

from wirsung.anatomy.schemes import scheme
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

SIZES = (250, 500, 1000)
SHAPES = ((96, 80, 30), (110, 96, 60), (128, 128, 75), (128, 128, 120), (128, 128, 200))
"""Voxels of i, j and k; a case has one of them."""
SPACING_MM = (2.8, 2.8, 3.0)
LESION, WITH_LESION, MISSED, FALSE = 28, 0.2, 0.2, 0.1

_RUN = """
import json, resource, sys, time
from pathlib import Path
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.settings import EvaluateSettings
root, prediction, out = map(Path, sys.argv[1:])
started = time.process_time()
done = evaluate(EvaluateSettings(root / "reference", prediction, out))
taken = time.process_time() - started
failed = sum(outcome.status == "failed" for outcome in done.outcomes)
peak_mb = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
print(json.dumps({"taken_s": taken, "peak_mb": peak_mb, "failed": failed}))
"""


def main(sizes: tuple[int, ...]) -> None:
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        with ProcessPoolExecutor(2) as pool:
            list(pool.map(partial(write_case, root), range(max(sizes)), chunksize=8))
        measured(root, min(sizes) // 2)  # compiles what is compiled
        rows = {count: measured(root, count) for count in sizes}
    further = [
        {key: (rows[after][key] - rows[before][key]) / (after - before) for key in ("taken_s", "peak_mb")}
        for before, after in pairwise(sizes)
    ]
    figures = {
        "shapes": list(map(list, SHAPES)),
        "by_cases": rows,
        "by_further_case": further,
        # 1 is linear: a further case costs among many what it costs among few.
        "last_further_case_to_first": further[-1]["taken_s"] / further[0]["taken_s"],
    }
    figures = json.loads(json.dumps(figures), parse_float=lambda text: float(f"{float(text):.4g}"))
    if sizes == SIZES:
        record("evaluation_cohort", figures)
    else:
        print(json.dumps(figures, indent=2))


def measured(root: Path, count: int) -> dict[str, Any]:
    """Evaluate the first cases, then again."""
    prediction, out = root / "prediction", root / f"scores_{count}"
    said = {"schema": 1, "scheme": "pants-28", "cases": [name_of(number) for number in range(count)]}
    (prediction / "predictions.json").write_text(json.dumps(said), encoding="utf-8")
    command = [sys.executable, "-c", _RUN, str(root), str(prediction), str(out)]
    runs = [
        json.loads(subprocess.run(command, stdout=subprocess.PIPE, text=True, check=True).stdout)
        for _ in range(2)
    ]
    pages_mb = (out / "report.html").stat().st_size / 1e6
    return {**runs[0], "again_s": runs[1]["taken_s"], "page_mb": pages_mb}


def name_of(number: int) -> str:
    return f"case_{number:04}"


def write_case(root: Path, number: int) -> None:
    """A reference of 28 ellipsoids, and a prediction that errs."""
    generator = np.random.default_rng(number)
    shape = SHAPES[generator.integers(len(SHAPES))]
    labels = np.zeros(shape, dtype=np.uint8)
    for value in scheme("pants-28").values[:-1]:
        paint(labels, value, generator.uniform(0.05, 0.95, 3), generator.uniform(0.03, 0.12, 3))
    has_lesion = generator.random() < WITH_LESION
    reference, prediction = labels.copy(), np.roll(labels, generator.integers(-1, 2, 3), (0, 1, 2))
    middle, radius = generator.uniform(0.3, 0.7, 3), generator.uniform(0.02, 0.06, 3)
    if has_lesion:
        paint(reference, LESION, middle, radius)
    if generator.random() < (1 - MISSED if has_lesion else FALSE):
        paint(prediction, LESION, middle + 0.01, radius)
    affine = np.diag([*SPACING_MM, 1.0])
    for name, voxels in (("reference", reference), ("prediction", prediction)):
        write_nifti(root / name / f"{name_of(number)}.nii.gz", Volume(voxels, affine))


def paint(
    labels: NDArray[np.uint8], value: int, middle: NDArray[np.float64], radius: NDArray[np.float64]
) -> None:
    """An ellipsoid; middle and radii are fractions of the volume."""
    sizes = np.array(labels.shape)
    ranges = [
        np.arange(max(0, int(low)), min(size, int(high) + 2))
        for low, high, size in zip((middle - radius) * sizes, (middle + radius) * sizes, sizes, strict=True)
    ]
    i, j, k = (
        ((axis - at * size) / (reach * size)) ** 2
        for axis, at, reach, size in zip(ranges, middle, radius, sizes, strict=True)
    )
    box = labels[np.ix_(*ranges)]
    box[(i[:, None, None] + j[:, None] + k) <= 1] = value
    labels[np.ix_(*ranges)] = box


if __name__ == "__main__":
    main(tuple(map(int, sys.argv[1:])) or SIZES)
