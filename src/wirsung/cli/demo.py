"""The whole way on a phantom cohort, by the very verbs that a user types next."""

import shlex
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated

import tyro

from wirsung.compute.cases import default_workers
from wirsung.errors import WirsungError


@dataclass(frozen=True)
class DemoSettings:
    """The whole way on a phantom cohort: DICOM, dataset, model, predictions, scores, report."""

    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")] = Path("demo")
    """Folder for everything; run again, and what is done is skipped."""
    cases: int = 30
    """Phantom patients, over three centres; the third centre is held out."""
    epochs: int | None = None
    """Training epochs; by default what the preset says."""
    seed: int = 7
    """Another seed, other patients."""


@dataclass(frozen=True)
class Demo:
    """What the demo made."""

    report: Path
    duration_s: float

    def lines(self) -> list[str]:
        """For the terminal."""
        return ["", f"The whole way took {self.duration_s:.0f} s. Open {self.report.resolve()}"]

    def as_json(self) -> dict[str, str | float]:
        """For programs."""
        return {"report": str(self.report), "duration_s": round(self.duration_s, 1)}


def demo(settings: DemoSettings) -> Demo:
    """Run the verbs one after the other.

    Raises:
        WirsungError: A verb failed, after it said why.
    """
    started = time.perf_counter()
    for step in steps(settings):
        _run(step)
    return Demo(settings.out / "scores" / "report.html", time.perf_counter() - started)


def steps(settings: DemoSettings) -> list[list[str]]:
    """The command lines, without `wirsung`."""
    raw, dataset, model, predictions, scores = (
        str(settings.out / name) for name in ("raw", "dataset", "model", "predictions", "scores")
    )
    workers = ["--workers", str(default_workers())]
    cohort = [
        "--cases",
        str(settings.cases),
        "--format",
        "dicom",
        "--centres",
        "3",
        "--seed",
        str(settings.seed),
    ]
    folds = ["--folds", str(min(5, settings.cases // 3))]
    epochs = [] if settings.epochs is None else ["--epochs", str(settings.epochs)]
    return [
        ["phantom", raw, *cohort, *workers],
        ["curate", raw, dataset, *workers],
        ["check", dataset, *workers],
        ["split", dataset, "--test-centre", "centre-3", *folds],
        ["train", dataset, model, "--scheme", "demo-7", "--preset", "demo", *epochs],
        ["predict", dataset, predictions, "--model", model, "--split", "test", "--lesion-probability"],
        ["evaluate", dataset, predictions, "--out", scores, *workers],
    ]


def _run(step: list[str]) -> None:
    from wirsung.cli import main

    sys.stdout.write(f"\n$ wirsung {shlex.join(step)}\n")
    sys.stdout.flush()
    status = main(step)
    if status:
        msg = f"wirsung {step[0]} ended with status {status}; what it said stands above."
        raise WirsungError(msg) from (KeyboardInterrupt() if status == 130 else None)
