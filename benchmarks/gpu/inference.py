"""Prediction on one GPU against nnUNetPredictor: the same weights, the same case, each in its own process.

A CT of 512 x 512 x 300 voxels of 0.8 x 0.8 x 1.25 mm, 28 structures, nnU-Net's PlainConvUNet in its usual
size at 1.5 mm, no mirroring. Promises: end to end at least 5 times faster than nnU-Net; at most 5 s a scan on
an H200; the forward passes at least 70 % of the time. A scan's time is that of several through one warm
predictor, reading, writing and a share of the loading included. Ours is run once before, so that its machine
code is made. Without a GPU it says so and ends with status 0.

    .venv/bin/python benchmarks/gpu/inference.py        it ends within fifteen minutes
    .venv/bin/python benchmarks/gpu/inference.py --device cpu --tiny     (no record)
"""

import tempfile
from pathlib import Path
from typing import Any

from asking import asked, ended
from inference_model import Size, make_cases, make_model
from inference_process import agreement, run

SPACING_MM = 1.5
FULL = Size(128, 128, (32, 64, 128, 256, 320, 320), 200)
TINY = Size(32, 32, (4, 8), 4)
THREADS = 8


def main() -> None:
    """Measure and record."""
    found = asked(
        __doc__,
        scans={"type": int, "default": 4, "help": "through one warm predictor"},
        work={"type": Path, "help": "keep images, models and predictions here"},
    )
    with tempfile.TemporaryDirectory() as temporary:
        work = found.work or Path(temporary)
        figures = measured(found.tiny, found.device.type, work, 2 if found.tiny else found.scans)
    ended("inference", figures, found)


def measured(tiny: bool, device: str, work: Path, scans: int) -> dict[str, Any]:
    """Ours and nnU-Net's on one scan from a cold start, and ours on several."""
    preset, size = ("tiny", TINY) if tiny else ("full", FULL)
    one = make_cases(work / f"images-{preset}", preset, 1)
    size = Size(size.patch, size.crop, size.features, size.steps, device)
    model = make_model(work / f"model-{preset}", one, 6.0 if tiny else SPACING_MM, size)
    threads, options = 1 if tiny else THREADS, ("--device", device)
    several = repeated(one, work / "images-several", scans)
    run("ours", model, one, work / "before", threads, options)
    cold = run("ours", model, one, work / "ours", threads, options)
    warm = run("ours", model, several, work / "several", threads, options)
    theirs = run("theirs", model, one, work / "theirs", threads, options)
    return {
        "end_to_end_times_faster": round(theirs["wall_s"] / cold["wall_s"], 2),
        "prediction_times_faster": round(theirs["total_s"] / cold["total_s"], 2),
        "seconds_a_scan": round(warm["total_s"] / scans, 2),
        "forward_share_of_warm_scans": round(warm["forward_s"] / warm["total_s"], 3),
        "times_less_memory_of_the_processor": round(theirs["peak_gb"] / cold["peak_gb"], 2),
        **agreement(work / "ours", work / "theirs"),
        "scans": scans,
        "ours_cold": cold,
        "ours_warm": warm,
        "theirs": theirs,
    }


def repeated(images: Path, folder: Path, count: int) -> Path:
    """The first image under several names."""
    folder.mkdir(parents=True, exist_ok=True)
    image = min(images.glob("*_0000.nii.gz")).resolve()
    for index in range(count):
        (folder / f"scan{index}_0000.nii.gz").unlink(missing_ok=True)
        (folder / f"scan{index}_0000.nii.gz").symlink_to(image)
    return folder


if __name__ == "__main__":
    main()
