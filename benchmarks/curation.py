"""Processor time, size and memory of `wirsung curate`, against plain scripts that do the same work.

Promises, of a 512 x 512 x 300 DICOM series with 28 mask files, every output read back: at most 4.5 core-s a
case; at least 4 times cheaper than the best plain SimpleITK or nibabel script; at least 15 times cheaper than
that script with an nnU-Net style cache; at most 75 MB a case; at most 1 GB a worker; two workers at least 1.8
times as fast as one; 36,390 cases planned in under 5 s.

What is compared: commands by user and system time, once whole, and once without the start of Python and its
imports, as a cohort's further cases cost: ours by two cohorts of different size, the peers' by a run that
imports and stops. The peers get the same files, masks as nibabel writes them, and one folder that holds one
series, so they need not search. Only ours checks the series, de-identifies, measures and hashes. With a
cache: the SimpleITK script and the cache, over ours without a cache.

    .venv/bin/python benchmarks/curation.py          # about 12 minutes on a quiet machine
    .venv/bin/python benchmarks/curation.py --memory # a minute, the memory of one worker alone
    .venv/bin/python benchmarks/curation.py --scaling # six minutes, one worker and two on 4 and 12 cases
    .venv/bin/python benchmarks/curation.py --small  # two minutes, to see that it works
"""

import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Iterable
from multiprocessing import get_context
from pathlib import Path
from statistics import median
from typing import Any, NamedTuple

import nibabel
import numpy as np
import pydicom
from recording import record

from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

HERE = Path(__file__).resolve().parent
SLICES = 300
PROMISE = {
    "core_s_a_case": 4.5,
    "times_cheaper_than_the_best_script": 4,
    "times_cheaper_than_the_script_with_a_cache": 15,
    "mb_a_case": 75,
    "mb_of_the_exact_masks": 1,
    "peak_memory_gb_of_one_worker": 1,
    "times_as_fast_with_two_workers": 1.8,
    "seconds_to_plan_36390_cases": 5,
}


class Cost(NamedTuple):
    """Of one command."""

    core_s: float
    wall_s: float
    peak_gb: float


def run(*words: str | Path) -> Cost:
    """The command's own cost, its workers' included; it has one thread for each of them."""
    threads = dict.fromkeys(("OMP_NUM_THREADS", "NUMBA_NUM_THREADS", "BLOSC_NTHREADS"), "1")
    before = time.perf_counter()
    process = subprocess.Popen(
        [*map(str, words)], env={**os.environ, **threads}, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE
    )
    told = process.stderr.read() if process.stderr else b""
    _, status, usage = os.wait4(process.pid, 0)
    wall_s = time.perf_counter() - before
    process.returncode = os.waitstatus_to_exitcode(status)
    if process.returncode:
        msg = f"{words}: {told.decode()}"
        raise SystemExit(msg)
    return Cost(usage.ru_utime + usage.ru_stime, wall_s, usage.ru_maxrss * 1024 / 1e9)


def write_cohort(folder: Path, cases: int, preset: str) -> None:
    """Phantoms, in a process of their own: Linux counts a parent's memory as that of what it starts."""
    writing = get_context("spawn").Process(target=_write_cohort, args=(folder, cases, preset))
    writing.start()
    writing.join()
    if writing.exitcode:
        msg = f"the phantoms could not be written to {folder}"
        raise SystemExit(msg)


def _write_cohort(folder: Path, cases: int, preset: str) -> None:
    """As DICOM, cut to 300 slices, with masks as nibabel writes them."""
    phantom(PhantomSettings(folder, cases=cases, preset=preset, format="dicom", modality="ct", seed=3))
    for case in sorted(path for path in folder.iterdir() if path.is_dir()):
        masks = sorted((case / "segmentations").glob("*.nii.gz"))
        affine = nibabel.load(masks[0]).affine
        for path in masks:
            voxels = np.asanyarray(nibabel.load(path).dataobj)[:, :, :SLICES]
            nibabel.save(nibabel.Nifti1Image(voxels.astype(np.uint8), affine), path)
        for path in (case / "dicom").iterdir():
            position = np.array(pydicom.dcmread(path, stop_before_pixels=True).ImagePositionPatient, float)
            place = np.linalg.solve(affine, [-position[0], -position[1], position[2], 1])
            if round(float(place[2])) >= SLICES:
                path.unlink()


def curated(source: Path, folder: Path, *options: str) -> Cost:
    """Our command on a fresh output."""
    for path in (folder, folder.with_name(f"{folder.name}.curation")):
        shutil.rmtree(path, ignore_errors=True)
    return run(Path(sys.executable).with_name("wirsung"), "curate", source, folder, *options)


def script(name: str, source: Path, folder: Path) -> Cost:
    """A peer on a fresh output."""
    shutil.rmtree(folder, ignore_errors=True)
    return run(sys.executable, HERE / name, source, folder)


def megabytes(paths: Iterable[Path]) -> float:
    """Of all of them."""
    return round(sum(path.stat().st_size for path in paths) / 1e6, 2)


def sizes(out: Path) -> dict[str, float]:
    """MB of the first case's files."""
    label = next((out / "LabelTr").iterdir())
    masks, codes = list(label.glob("segmentations/*")), list(label.glob("labels.*"))
    combined = label / "combined_labels.nii.gz"
    images = next((out / "ImageTr").iterdir()).iterdir()
    found = {
        "image": megabytes(images),
        "masks": megabytes(masks),
        "codes": megabytes(codes),
        "combined": megabytes([combined]),
    }
    return {**found, "whole": round(sum(found.values()), 2)}


def planned() -> dict[str, Any] | None:
    """What planning 36,390 cases from their index takes, where the benchmark of planning is there."""
    try:
        from curation_plan import plan_36390
    except ImportError:
        return None
    return plan_36390()


def summary(costs: list[Cost]) -> dict[str, float]:
    return {
        "core_s": round(median(cost.core_s for cost in costs), 2),
        "wall_s": round(median(cost.wall_s for cost in costs), 2),
        "peak_gb": round(max(cost.peak_gb for cost in costs), 2),
    }


def compare(folder: Path, rounds: int) -> dict[str, Any]:
    """One case, ours and the peers in turns."""
    case = next(path for path in sorted((folder / "one").iterdir()) if path.is_dir())
    curated(folder / "one", folder / "ours")  # compiles what is compiled once for all runs
    costs: dict[str, list[Cost]] = {"wirsung": [], "simpleitk": [], "nibabel": []}
    for _ in range(rounds):
        costs["wirsung"].append(curated(folder / "one", folder / "ours"))
        costs["simpleitk"].append(script("curation_sitk.py", case, folder / "sitk"))
        costs["nibabel"].append(script("curation_nibabel.py", case, folder / "nibabel"))
    cache = script("curation_cache.py", folder / "sitk", folder / "cache")
    best = [min(a.core_s, b.core_s) for a, b in zip(costs["simpleitk"], costs["nibabel"], strict=True)]
    ours = [cost.core_s for cost in costs["wirsung"]]
    with_cache = [cost.core_s + cache.core_s for cost in costs["simpleitk"]]
    return {
        "one_case": {name: summary(found) for name, found in costs.items()},
        "nnunet_style_cache": summary([cache]),
        "whole_command": {
            "times_cheaper_than_the_best_script": _ratio(best, ours),
            "times_cheaper_than_the_script_with_a_cache": _ratio(with_cache, ours),
        },
        "verify": summary(
            [run(Path(sys.executable).with_name("wirsung"), "verify", folder / "ours") for _ in range(rounds)]
        ),
        "mb": sizes(folder / "ours"),
        "mb_of_the_simpleitk_script": megabytes((folder / "sitk").rglob("*.nii.gz")),
        "mb_of_the_nibabel_script": megabytes((folder / "nibabel").rglob("*.nii.gz")),
    }


def further(figures: dict[str, Any], cases: int) -> dict[str, float]:
    """A cohort's further case: without the start of Python, which one case pays for all."""
    one = figures["one_case"]
    starts = {
        name: run(sys.executable, "-c", f"import numpy, {module}").core_s
        for name, module in (("simpleitk", "SimpleITK"), ("nibabel", "nibabel, pydicom"))
    }
    many = figures["several_cases"]["one_worker"]["core_s"]
    ours = (many - one["wirsung"]["core_s"]) / (cases - 1)
    scripts = {name: one[name]["core_s"] - start_s for name, start_s in starts.items()}
    cached = scripts["simpleitk"] + figures["nnunet_style_cache"]["core_s"]
    return {
        "core_s": round(ours, 2),
        **{f"core_s_of_{name}": round(core_s, 2) for name, core_s in scripts.items()},
        "times_cheaper_than_the_best_script": round(min(scripts.values()) / ours, 2),
        "times_cheaper_than_the_script_with_a_cache": round(cached / ours, 2),
    }


def _ratio(peers: list[float], ours: list[float]) -> float:
    return round(median(one / other for one, other in zip(peers, ours, strict=True)), 2)


def scale(folder: Path, cases: int, rounds: int) -> dict[str, Any]:
    """Several cases by one worker and by two, in turns."""
    one, two = [], []
    for _ in range(rounds):
        one.append(curated(folder / "several", folder / "out"))
        two.append(curated(folder / "several", folder / "out", "--workers", "2"))
    return {
        "cases": cases,
        "one_worker": summary(one),
        "two_workers": summary(two),
        "core_s_a_case": round(median(cost.core_s for cost in one) / cases, 2),
        "times_as_fast_with_two_workers": round(
            median(a.wall_s / b.wall_s for a, b in zip(one, two, strict=True)), 2
        ),
    }


def memory(folder: Path) -> dict[str, Any]:
    """Of curating and of verifying one case, and of what starts them, below which nothing can be told."""
    write_cohort(folder / "one", 1, "full")
    curated(folder / "one", folder / "ours")
    return {
        "slices": SLICES,
        "start_gb": round(run(sys.executable, "-c", "pass").peak_gb, 2),
        "curate_gb": round(curated(folder / "one", folder / "ours").peak_gb, 2),
        "verify_gb": round(
            run(Path(sys.executable).with_name("wirsung"), "verify", folder / "ours").peak_gb, 2
        ),
        "promise_gb": PROMISE["peak_memory_gb_of_one_worker"],
    }


def scaling(folder: Path) -> dict[str, Any]:
    """Two workers against one on 12 cases, and on the 8 that 12 are more than 4: a worker starts once."""
    write_cohort(folder / "many", 12, "full")
    shutil.copytree(folder / "many", folder / "few")
    for case in sorted(path for path in (folder / "few").iterdir() if path.is_dir())[4:]:
        shutil.rmtree(case)
    wall_s: dict[str, list[float]] = {}
    for _ in range(2):
        for cohort in ("few", "many"):
            for workers in ("1", "2"):
                cost = curated(folder / cohort, folder / "out", "--workers", workers)
                wall_s.setdefault(f"{cohort}, {workers}", []).append(cost.wall_s)
    took = {name: median(found) for name, found in wall_s.items()}
    further = [took[f"many, {workers}"] - took[f"few, {workers}"] for workers in ("1", "2")]
    return {
        "wall_s": {name: round(value, 2) for name, value in took.items()},
        "times_as_fast_with_two_workers": round(took["many, 1"] / took["many, 2"], 2),
        "times_as_fast_further_cases": round(further[0] / further[1], 2),
        "promise": PROMISE["times_as_fast_with_two_workers"],
    }


def main() -> None:
    if "--scaling" in sys.argv:
        with tempfile.TemporaryDirectory() as name:
            record("curation_scaling", scaling(Path(name)))
        return
    if "--memory" in sys.argv:
        with tempfile.TemporaryDirectory() as name:
            record("curation_memory", memory(Path(name)))
        return
    is_small = "--small" in sys.argv
    rounds, cases, preset = (1, 2, "tiny") if is_small else (3, 6, "full")
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        write_cohort(folder / "one", 1, preset)
        figures = compare(folder, rounds)
        write_cohort(folder / "several", cases, preset)
        figures |= {"several_cases": scale(folder, cases, 1 if is_small else 2)}
        figures |= {"a_further_case": further(figures, cases)}
        if not is_small:
            figures |= {"plan": planned()}
    figures |= {"preset": preset, "rounds": rounds, "promise": PROMISE}
    record("curation_small" if is_small else "curation", figures)


if __name__ == "__main__":
    main()
