"""The catalog of `small` phantom cases with 28 masks: core-seconds a case, and how long a second run takes.

The cases are laid out as a release has them, without the volume of codes that curation writes, so that every
mask is read. Times are of the processor, this process and its children, on one worker; the runs are processes
of their own, as a user starts them.

    .venv/bin/python benchmarks/catalog.py              # 100 cases, about 6 minutes, most of it to make them
    .venv/bin/python benchmarks/catalog.py --cases 5    # half a minute; records under another name
"""

import argparse
import os
import resource
import shutil
import subprocess
import sys
import tempfile
import time
from pathlib import Path

os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("NUMBA_NUM_THREADS", "1")

from recording import record

from wirsung.compute.cases import default_workers
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

WIRSUNG = Path(sys.executable).with_name("wirsung")


def released(raw: Path, root: Path) -> None:
    """The phantoms in the layout of a release."""
    for case in sorted(path.parent for path in raw.glob("*/ct.nii.gz")):
        image = root / "ImageTr" / case.name
        image.mkdir(parents=True)
        (case / "ct.nii.gz").rename(image / "ct.nii.gz")
        shutil.move(case / "segmentations", root / "LabelTr" / case.name / "segmentations")


def cataloged(root: Path) -> dict[str, float]:
    """Core-seconds and seconds of one run."""
    before, started = resource.getrusage(resource.RUSAGE_CHILDREN), time.perf_counter()
    subprocess.run([WIRSUNG, "catalog", root, "--workers", "1"], check=True, capture_output=True)
    after = resource.getrusage(resource.RUSAGE_CHILDREN)
    core_s = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"core_s": round(core_s, 2), "wall_s": round(time.perf_counter() - started, 2)}


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter
    )
    parser.add_argument("--cases", type=int, default=100)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        raw, root = Path(folder) / "raw", Path(folder) / "set"
        phantom(PhantomSettings(raw, cases=asked.cases, preset="small", workers=default_workers()))
        released(raw, root)
        cataloged(root)  # compiled loops are kept on disk from here on
        for path in root.glob("*.parquet"):
            path.unlink()
        first = cataloged(root)
        second = cataloged(root)
        os.utime(root / "ImageTr" / "phantom_0001" / "ct.nii.gz")
        changed = cataloged(root)
    record(
        "catalog" if asked.cases >= 100 else "catalog_small",
        {
            "cases": asked.cases,
            "masks_a_case": 28,
            "first_run": first,
            "core_s_a_case": round(first["core_s"] / asked.cases, 3),
            "second_run": second,
            "second_to_first": round(second["core_s"] / first["core_s"], 4),
            "one_case_changed": changed,
        },
    )


if __name__ == "__main__":
    main()
