"""How long a phantom patient takes, everything written, on one core.

Promises: `tiny` at most 0.5 s a case, `full` (512 x 512 x about 300, all 28 masks) at most 20 s. There is no
peer that writes such a patient.

    OMP_NUM_THREADS=1 .venv/bin/python benchmarks/phantom.py
"""

import os
import tempfile
import time
from pathlib import Path
from statistics import median

from recording import record

from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

ROUNDS = {"tiny": 12, "small": 4, "full": 3}


def main() -> None:
    """Warm up once, then make each case alone and record wall-clock time and size."""
    if os.environ.get("OMP_NUM_THREADS") != "1":
        msg = "set OMP_NUM_THREADS=1, so that one core is used"
        raise SystemExit(msg)
    figures: dict[str, dict[str, float]] = {}
    with tempfile.TemporaryDirectory() as folder:
        _seconds(Path(folder) / "warm-up", "tiny", "nifti", 0)
        for preset, rounds in ROUNDS.items():
            for form in ("nifti", "dicom"):
                out = Path(folder) / preset / form
                taken = [_seconds(out / str(seed), preset, form, seed) for seed in range(rounds)]
                name = f"{preset}, {form}"
                figures[name] = {"median_s": round(median(taken), 2), "max_s": round(max(taken), 2)}
    record("phantom", figures)


def _seconds(out: Path, preset: str, form: str, seed: int) -> float:
    settings = PhantomSettings(out, cases=1, preset=preset, format=form, seed=seed, tumours=1.0)
    started = time.perf_counter()
    outcomes = phantom(settings)
    if any(item.status == "failed" for item in outcomes):
        msg = f"{preset}: {outcomes[0].message}"
        raise SystemExit(msg)
    return time.perf_counter() - started


if __name__ == "__main__":
    main()
