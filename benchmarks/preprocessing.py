"""Preprocessing against nnU-Net's own, from the same NIfTI files to the same kind of .b2nd files.

Promise: at least 5 times faster with as many processes, images within 1e-3, labels equal. The peer is
`DefaultPreprocessor.run` of nnU-Net 2.8, which its command line calls, on a raw dataset of its own, with
plans of its own planner; what is timed is the whole call on both sides, with the processes that it starts.
Then one CT of 512 x 512 x 300 as inference prepares it, both sides in one process.

    .venv/bin/python benchmarks/preprocessing.py
"""

import json
import os
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import redirect_stderr, redirect_stdout
from dataclasses import dataclass
from io import StringIO
from pathlib import Path
from statistics import median
from typing import Any

import numpy as np
import psutil
import torch
from recording import record

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.description import Description, write_description
from wirsung.datasets.layout import Case, Dataset
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.models.locations import class_locations
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess
from wirsung.models.resampling import nearest_index
from wirsung.models.storage import write_case
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings
from wirsung.training.classes import choose_classes
from wirsung.training.preparing import prepare
from wirsung.training.reading import read_case
from wirsung.training.workspace import CONFIGURATION, Workspace

CASES = 8
PROCESSES = 2
"""Of nnU-Net. Ours may use as many, or as many threads."""
LARGE = (300, 512, 512)
LARGE_MM = (1.25, 0.8, 0.8)
LARGE_TARGET_MM = 3.0
ROUNDS = 3


@dataclass(frozen=True)
class Trial:
    """One set of cases and what they are to become."""

    name: str
    scheme: str
    every: int
    """Slices are kept one in so many, so that 2 makes thick ones."""
    spacing_mm: tuple[float, float, float]
    """Wanted, along z, y and x."""


TRIALS = (
    Trial("28 structures, isotropic", "pants-28", 1, (2.0, 2.0, 2.0)),
    Trial("28 structures, thick slices", "pants-28", 2, (5.0, 1.6, 1.6)),
    Trial("2 structures, isotropic", "pants-2", 1, (2.0, 2.0, 2.0)),
)


class Sides:
    """The same image and label files, as nnU-Net's raw dataset and as a dataset of ours."""

    def __init__(self, folder: Path, trial: Trial) -> None:
        self.trial = trial
        self.ours = Workspace(folder / "ours")
        self.theirs = Workspace(folder / "theirs")
        self.dataset = folder / "dataset"

    @property
    def content(self) -> dict[str, Any]:
        """Of nnU-Net's plans, which both sides follow."""
        return json.loads((self.theirs.preprocessed / "nnUNetPlans.json").read_text())

    def write(self, cohort: Path) -> None:
        """The files of every case, and nnU-Net's plans."""
        write_description(made(self.dataset), Description("benchmark", label_scheme=self.trial.scheme))
        for source in sorted(path.parent for path in cohort.glob("*/ct.nii.gz")):
            case = Case(source.name, "train", "ct", source, source)
            self._write(case.image(), f"ImageTr/{case.id}/ct", f"imagesTr/{case.id}_0000")
            labels = case.label_map(scheme(self.trial.scheme))
            self._write(labels, f"LabelTr/{case.id}/label_map", f"labelsTr/{case.id}")
        names = {"background": 0} | {item.name: item.value for item in scheme(self.trial.scheme).classes}
        table = {
            "channel_names": {"0": "CT"},
            "labels": names,
            "numTraining": CASES,
            "file_ending": ".nii.gz",
        }
        (self.theirs.raw / "dataset.json").write_text(json.dumps(table))
        with self.theirs.environment(PROCESSES), quiet():
            from nnunetv2.experiment_planning import plan_and_preprocess_api as api

            api.extract_fingerprints([1], num_processes=PROCESSES, verbose=False, show_progress_bar=False)
            api.plan_experiments([1], overwrite_target_spacing=self.trial.spacing_mm)

    def _write(self, volume: Volume, our_name: str, their_name: str) -> None:
        turned = reorient(volume, "RPS")
        affine = turned.affine @ np.diag([1, 1, self.trial.every, 1])
        ours, theirs = self.dataset / f"{our_name}.nii.gz", self.theirs.raw / f"{their_name}.nii.gz"
        write_nifti(ours, Volume(turned.voxels[:, :, :: self.trial.every], affine))
        os.link(ours, made(theirs.parent) / theirs.name)

    def run(self, side: str) -> None:
        """All cases, by `ours` as `wirsung train` does it, or by `nnunet` as `nnUNetv2_preprocess` does."""
        if side == "nnunet":
            from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

            with self.theirs.environment(PROCESSES):
                DefaultPreprocessor(verbose=False).run(1, CONFIGURATION, "nnUNetPlans", PROCESSES)
            return
        cases = Dataset.open(self.dataset).cases
        classes = choose_classes(scheme(self.trial.scheme), cases)
        prepare(cases, classes, parse_plans(self.content), self.ours, PROCESSES)

    def figures(self) -> dict[str, Any]:
        """Seconds and memory of both, the ratio, and how far the outcomes differ."""
        ours, theirs = alone(self, "ours"), alone(self, "nnunet")
        return {
            "cases": CASES,
            "seconds_ours": round(ours["seconds"], 2),
            "seconds_nnunet": round(theirs["seconds"], 2),
            "times_faster": round(theirs["seconds"] / ours["seconds"], 1),
            "largest_process_ours_gb": ours["largest_process_gb"],
            "largest_process_nnunet_gb": theirs["largest_process_gb"],
            "seconds_of_one_case_on_one_thread_ours": self.stages(),
            **self.differences(),
        }

    def stages(self) -> dict[str, float]:
        """Median seconds of our stages over the cases, one after the other on one thread."""
        cases = Dataset.open(self.dataset).cases
        classes = choose_classes(scheme(self.trial.scheme), cases)
        plans = parse_plans(self.content)
        configuration = plans.configuration(CONFIGURATION)
        indices = range(1, len(classes.learnt) + 1)
        clock = Clock()
        for case in cases:
            clock("read")
            read = read_case(case, classes)
            clock("image")
            preprocess(read.image, read.spacing_mm, plans, configuration)
            clock("image and labels")
            found = preprocess(read.image, read.spacing_mm, plans, configuration, read.labels)
            clock("class locations")
            class_locations(found.labels, indices)
            clock("class locations and storing")
            write_case(self.ours.root / "stages" / "cases", case.id, found, configuration, indices)
            clock(None)
        return clock.medians()

    def differences(self) -> dict[str, Any]:
        """Largest of an image, voxels of the labels, and cases whose class locations differ."""
        from nnunetv2.training.dataloading.nnunet_dataset import infer_dataset_class

        name = parse_plans(self.content).configuration(CONFIGURATION).data_identifier
        places = [str(side.preprocessed / name) for side in (self.ours, self.theirs)]
        ours, theirs = (infer_dataset_class(place)(place) for place in places)
        largest, voxels, unlike, others, shape = 0.0, 0, 0, 0, ()
        for case in sorted(theirs.identifiers):
            (image, labels, _, own), (their_image, their_labels, _, their_own) = ours[case], theirs[case]
            largest = max(largest, float(np.abs(image[:] - their_image[:]).max()))
            unlike += int((labels[:] != their_labels[:]).sum())
            voxels, shape = voxels + their_labels[:].size, their_image.shape
            others += sum(
                not np.array_equal(np.reshape(places, (-1, 4)), own["class_locations"][value])
                for value, places in their_own["class_locations"].items()
            )
        return {
            "shape_of_last": list(shape),
            "image_largest_difference": largest,
            "label_voxels": voxels,
            "label_voxels_that_differ": unlike,
            "class_locations_that_differ": others,
            "megabytes_ours": megabytes(places[0]),
            "megabytes_nnunet": megabytes(places[1]),
        }


class Clock:
    """Seconds of what is called one thing until the next is named."""

    def __init__(self) -> None:
        self.taken: dict[str, list[float]] = {}
        self.now: tuple[str, float] | None = None

    def __call__(self, name: str | None) -> None:
        """What is done from now on; None ends it."""
        moment = time.perf_counter()
        if self.now is not None:
            self.taken.setdefault(self.now[0], []).append(moment - self.now[1])
        self.now = None if name is None else (name, moment)

    def medians(self) -> dict[str, float]:
        """Of each thing; the first time does not count, for then the compiled loops were loaded."""
        return {name: round(median(times[1:]), 3) for name, times in self.taken.items()}


def made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def megabytes(folder: str) -> float:
    return round(sum(path.stat().st_size for path in Path(folder).glob("*.b2nd")) / 1e6, 1)


def quiet() -> redirect_stdout[StringIO]:
    """What nnU-Net and our progress say goes nowhere."""
    return redirect_stdout(StringIO())


def seconds(work: Callable[[], Any]) -> float:
    started = time.perf_counter()
    work()
    return time.perf_counter() - started


def alone(sides: Sides, side: str) -> dict[str, float]:
    """What one side took, in a process of its own, so that its memory is its own too."""
    # By -c, so that the processes which it starts in turn import nothing of this file.
    code = "import sys, preprocessing as it; it.run_alone(*sys.argv[1:])"
    arguments = (side, str(sides.dataset.parent), str(TRIALS.index(sides.trial)))
    done = subprocess.run(
        (sys.executable, "-c", code, *arguments),
        cwd=Path(__file__).parent,
        check=True,
        capture_output=True,
        text=True,
    )
    return json.loads(done.stdout.splitlines()[-1])


def run_alone(side: str, folder: str, trial: str) -> None:
    """The other end of `alone`."""
    torch.set_num_threads(PROCESSES)
    sides, largest, done = Sides(Path(folder), TRIALS[int(trial)]), [0.0], threading.Event()

    def watch() -> None:
        # The kernel's own record of a child's peak begins with that of its parent, so each is asked itself.
        while not done.wait(0.1):
            own = psutil.Process()
            largest[0] = max(largest[0], *map(peak_gb, (own, *own.children(recursive=True))))

    watcher = threading.Thread(target=watch)
    watcher.start()
    try:
        with quiet():
            taken = seconds(lambda: sides.run(side))
    finally:
        done.set()
        watcher.join()
    print(json.dumps({"seconds": taken, "largest_process_gb": round(largest[0], 2)}))


def peak_gb(process: psutil.Process) -> float:
    """The most memory that a process held at once so far; 0 where it is gone."""
    try:
        status = Path(f"/proc/{process.pid}/status").read_text(encoding="utf-8")
    except OSError:
        return 0.0
    lines = dict(line.split(":", 1) for line in status.splitlines())
    return int(lines.get("VmHWM", "0 kB").split()[0]) / 1e6


def large_ct(cohort: Path) -> np.ndarray:
    """A phantom of small size blown up, with noise, in HU: as many voxels as a whole abdomen has."""
    voxels = reorient(
        Case("", "train", "ct", next(cohort.glob("*/ct.nii.gz")).parent, cohort).image(), "RPS"
    ).voxels.transpose(2, 1, 0)
    for axis, size in enumerate(LARGE):
        voxels = np.take(voxels, nearest_index(voxels.shape[axis], size), axis=axis)
    noise = np.random.default_rng(0).integers(-20, 21, LARGE, dtype=np.int16)
    return (voxels + noise).astype(np.int16)[None]


def inference(cohort: Path, content: dict[str, Any]) -> dict[str, Any]:
    """One large CT without labels, ours with as many threads as processes above; nnU-Net's has one."""
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    content["configurations"][CONFIGURATION]["spacing"] = [LARGE_TARGET_MM] * 3
    plans, manager, image = parse_plans(content), PlansManager(content), large_ct(cohort)
    configuration = plans.configuration(CONFIGURATION)
    kept: dict[str, np.ndarray] = {}
    taken = [
        seconds(lambda: kept.update(ours=preprocess(image, LARGE_MM, plans, configuration).image))
        for _ in range(ROUNDS + 1)
    ]

    def theirs() -> None:
        preprocessor = DefaultPreprocessor(verbose=False)
        chosen = manager.get_configuration(CONFIGURATION)
        properties = {"spacing": list(LARGE_MM)}
        kept["theirs"], _, _ = preprocessor.run_case_npy(image, None, properties, manager, chosen, {})

    theirs_s = seconds(theirs)
    ours_s = median(taken[1:])
    return {
        "shape": list(LARGE),
        "spacing_mm": list(LARGE_MM),
        "target_mm": LARGE_TARGET_MM,
        "threads": torch.get_num_threads(),
        "ours_first_s": round(taken[0], 2),
        "ours_s": round(ours_s, 2),
        "nnunet_s": round(theirs_s, 2),
        "times_faster": round(theirs_s / ours_s, 1),
        "image_largest_difference": float(np.abs(kept["ours"] - kept["theirs"]).max()),
    }


def main() -> None:
    figures: dict[str, Any] = {"processes_or_threads": PROCESSES}
    with tempfile.TemporaryDirectory() as name, redirect_stderr(StringIO()):
        cohort = Path(name) / "cohort"
        with quiet():
            phantom(PhantomSettings(cohort, CASES, "small", seed=3, tumours=1.0, workers=PROCESSES))
        for trial in TRIALS:
            sides = Sides(Path(name) / trial.name.replace(" ", "-"), trial)
            sides.write(cohort)
            torch.set_num_threads(1)
            figures[trial.name] = sides.figures()
        torch.set_num_threads(PROCESSES)
        figures["one CT for inference"] = inference(cohort, sides.content)
    record("preprocessing", figures)


if __name__ == "__main__":
    main()
