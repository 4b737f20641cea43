"""The metrics of one synthetic 28-class case against other libraries, on one thread each.

Promises: 60 times faster than DeepMind's surface-distance (aim: 100), 300 times faster than MONAI, 10 times
faster than the recipe of cropping and a k-d tree; at most 400 MB extra (aim: 250); 1.4 times faster on two
threads; at most 1.2 times slower with 60 specks and 10 times slower with left and right exchanged; the
surfel mode 20 times faster than surface-distance; a warm-up of at most 5 s, once per installation. Times are
of the processor, not of the clock, after a warm-up; the peers get the masks as they want them, for free.

    .venv/bin/python benchmarks/evaluation.py              # about 8 minutes
    .venv/bin/python benchmarks/evaluation.py --small      # about 1 minute; prints, records nothing

Lesions are timed by benchmarks/lesion_matching.py, whole cohorts by benchmarks/evaluation_cohort.py.
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

THREADS = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS")
for name in THREADS:
    os.environ.setdefault(name, "1")

import evaluation_case as case  # noqa: E402
from evaluation_peers import PEERS, install  # noqa: E402
from recording import record  # noqa: E402

from wirsung.evaluation import label_pair  # noqa: E402
from wirsung.evaluation.label_pair import LabelPair  # noqa: E402

SPACING_MM = case.SPACING_MM[::-1]
TOLERANCE_MM = 2.0
MONAI_CLASSES = 4
Labels = case.Labels


def score(
    reference: Labels, prediction: Labels, *, threads: int = 1, by_area: bool = False
) -> dict[int, Any]:
    """DSC, NSD, HD95 and ASSD of every class that both hold."""
    pair = LabelPair(reference, prediction, SPACING_MM, threads=threads)
    counts = pair.counts
    classes = shared_classes(counts)
    found = pair.all_distances([((value,), (value,)) for value in classes], by_area=by_area)
    rows = {}
    for value, distances in zip(classes, found, strict=True):
        dsc = 2 * counts[value, value] / (counts[value].sum() + counts[:, value].sum())
        rows[value] = (dsc, distances.nsd(TOLERANCE_MM, strict=False), distances.hd95, distances.assd)
    return rows


def shared_classes(counts: NDArray[np.int64]) -> list[int]:
    present = counts.any(axis=1) & counts.any(axis=0)
    return [int(value) for value in np.flatnonzero(present) if value]


def processor_s(function: Callable[[], Any], repeats: int = 1) -> float:
    """Least processor time of all threads of this process."""
    times = []
    for _ in range(repeats):
        started = time.process_time()
        function()
        times.append(time.process_time() - started)
    return min(times)


def clock_s(function: Callable[[], Any], repeats: int) -> float:
    times = []
    for _ in range(repeats):
        started = time.perf_counter()
        function()
        times.append(time.perf_counter() - started)
    return min(times)


def peer_s(name: str, pairs: list[tuple[Labels, Labels]], classes: list[int]) -> tuple[float, dict[int, Any]]:
    """Processor time of a peer over the classes, masks made outside the time, and its rows."""
    (reference, prediction), total, rows = pairs[0], 0.0, {}
    for value in classes:
        one, other = reference == value, prediction == value
        started = time.process_time()
        rows[value] = PEERS[name](one, other, SPACING_MM, TOLERANCE_MM)
        total += time.process_time() - started
    return total, rows


def longest_way_s(function: Callable[[], Any], repeats: int = 5) -> float:
    """Processor time along the busiest thread: what the clock would show on cores that nobody else uses."""
    plain, times = label_pair._each, []

    def timed(work: Callable[[Any], Any], items: Any, threads: int) -> list[Any]:  # noqa: ANN401
        spent: dict[int, float] = defaultdict(float)

        def counted(item: Any) -> Any:  # noqa: ANN401
            started = time.thread_time()
            found = work(item)
            spent[threading.get_ident()] += time.thread_time() - started
            return found

        found = plain(counted, items, threads)
        ways.append(max(spent.values()))
        return found

    label_pair._each = timed
    for _ in range(repeats):
        ways: list[float] = []
        started = time.thread_time()
        function()
        times.append(time.thread_time() - started + sum(ways))
    label_pair._each = plain
    return min(times)


def extra_memory_mb(path: Path) -> float:
    """Peak of a process that scores the case, less what it holds after reading it and a warm-up; Linux."""
    script = (
        "import sys, numpy as np; sys.path.insert(0, sys.argv[2])\n"
        "from pathlib import Path\n"
        "import evaluation as b\n"
        "small = np.zeros((9, 9, 9), np.uint8); small[2:5, 2:5, 2:5] = 1; b.score(small, small)\n"
        "both = [np.load(f'{sys.argv[1]}/{name}.npy') for name in ('reference', 'prediction')]\n"
        "status = lambda key: int(Path('/proc/self/status').read_text().split(key)[1].split()[0]) / 1024\n"
        "Path('/proc/self/clear_refs').write_text('5')\n"  # forgets the peak so far
        "before = status('VmRSS:'); b.score(*both); print(status('VmHWM:') - before)\n"
    )
    command = [sys.executable, "-c", script, str(path), str(Path(__file__).parent)]
    return float(subprocess.run(command, capture_output=True, text=True, check=True).stdout)


def warm_up_s() -> float:
    """Processor time until a fresh installation has compiled everything, voxels, surface elements and far."""
    script = (
        "import sys, time; sys.path.insert(0, sys.argv[1])\n"
        "import numpy as np, evaluation as b\n"
        "maps = np.zeros((2, 40, 40, 40), np.uint8)\n"
        "maps[:, 2:9, 2:9, 2:9] = 1; maps[0, 20:25, 20:25, 20:25] = 2; maps[1, 37, 37, 37] = 2\n"
        "started = time.process_time()\n"
        "b.score(*maps); b.score(*maps, by_area=True)\n"
        "b.LabelPair(*maps, (1.0, 1.0, 1.0)).distances((1, 2), (1, 2))\n"
        "print(time.process_time() - started)\n"
    )
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-c", script, str(Path(__file__).parent)]
        run = subprocess.run(
            command, capture_output=True, text=True, check=True, env=os.environ | {"NUMBA_CACHE_DIR": folder}
        )
    return float(run.stdout)


def agreement(ours: dict[int, Any], theirs: dict[int, Any]) -> list[float]:
    """Largest difference of DSC, NSD, HD95 and ASSD."""
    return [float(max(abs(ours[value][i] - row[i]) for value, row in theirs.items())) for i in range(4)]


def main() -> None:
    small = "--small" in sys.argv[1:]
    reference = case.reference()
    prediction, strewn = case.prediction(reference), case.prediction(reference, specks=60)
    if small:  # every third voxel along each axis
        reference, prediction, strewn = (
            np.ascontiguousarray(item[::3, ::3, ::3]) for item in (reference, prediction, strewn)
        )
    swapped = case.swapped(prediction)
    load = os.getloadavg()[0]
    score(reference, swapped), score(reference, prediction, by_area=True)  # warm-up
    ours = score(reference, prediction)
    classes = list(ours)
    figures: dict[str, Any] = {
        "case": {
            "shape": list(reference.shape[::-1]),
            "spacing_mm": list(case.SPACING_MM),
            "classes_in_both": len(classes),
            "labelled_voxels": int(np.count_nonzero(reference)),
        },
        "ours_s": processor_s(lambda: score(reference, prediction), 5),
        "ours_with_60_specks_s": processor_s(lambda: score(reference, strewn), 5),
        "ours_left_right_swapped_s": processor_s(lambda: score(reference, swapped), 3),
        "ours_surfel_s": processor_s(lambda: score(reference, prediction, by_area=True), 3),
        "clock_one_thread_s": clock_s(lambda: score(reference, prediction), 40),
        "clock_two_threads_s": clock_s(lambda: score(reference, prediction, threads=2), 40),
        "longest_way_two_threads_s": longest_way_s(lambda: score(reference, prediction, threads=2)),
    }
    with tempfile.TemporaryDirectory() as folder:
        for name, voxels in (("reference", reference), ("prediction", prediction)):
            np.save(f"{folder}/{name}.npy", voxels)
        figures["extra_memory_mb"] = extra_memory_mb(Path(folder))
        figures["warm_up_s"] = warm_up_s()
        install(Path(folder))
        by_area = score(reference, prediction, by_area=True)
        for name in PEERS:
            chosen = classes if name != "monai" else spread(classes, reference)
            taken_s, theirs = peer_s(name, [(reference, prediction)], chosen)
            mine = by_area if name == "surface_distance" else ours
            figures[name] = {
                "classes": len(chosen),
                "taken_s": taken_s,
                "all_classes_s": taken_s * len(classes) / len(chosen),
                "largest_difference_dsc_nsd_hd95_assd": agreement(mine, theirs),
            }
    if small:
        print(json.dumps(finished(figures, load), indent=2))
    else:
        record("evaluation", finished(figures, load))


def spread(classes: list[int], reference: Labels) -> list[int]:
    """A few classes from the smallest to the largest, since MONAI takes minutes for all."""
    sizes = np.bincount(reference.reshape(-1), minlength=256)
    ordered = sorted(classes, key=lambda value: sizes[value])
    return [ordered[int(place)] for place in np.linspace(0, len(ordered) - 1, MONAI_CLASSES)]


def finished(figures: dict[str, Any], load: float) -> dict[str, Any]:
    """With the ratios that are promised."""
    ours = figures["ours_s"]
    figures["ratios"] = {
        "surface_distance_to_ours": figures["surface_distance"]["all_classes_s"] / ours,
        "surface_distance_to_our_surfels": figures["surface_distance"]["all_classes_s"]
        / figures["ours_surfel_s"],
        "tree_recipe_to_ours": figures["tree_recipe"]["all_classes_s"] / ours,
        "monai_to_ours": figures["monai"]["all_classes_s"] / ours,
        "two_threads_by_clock": figures["clock_one_thread_s"] / figures["clock_two_threads_s"],
        "two_threads_by_longest_way": ours / figures["longest_way_two_threads_s"],
        "specks": figures["ours_with_60_specks_s"] / ours,
        "left_right_swapped": figures["ours_left_right_swapped_s"] / ours,
    }
    figures["load_of_others_before"] = load
    rounded: dict[str, Any] = json.loads(
        json.dumps(figures), parse_float=lambda text: float(f"{float(text):.4g}")
    )
    return rounded


if __name__ == "__main__":
    main()
