"""Prediction against nnUNetPredictor: the same weights, the same cases, each in a process of its own.

Promises: a CT of 512 x 512 x 300 voxels of 0.8 x 0.8 x 1.25 mm, 28 structures, model at 3 mm: end to end at
least 6 times faster than nnU-Net, everything but the network at least 12 times, the network at least 1.2, a
quarter of the memory, the same labels; with a model at 1.5 mm end to end at least 2 times faster. And a scan
of 512 x 512 x 1600 voxels in little more memory than it takes itself, with the label map.

    .venv/bin/python benchmarks/inference.py             about 35 minutes on two quiet cores, 24 GB of memory
    .venv/bin/python benchmarks/inference.py --small     3 minutes, to see that it works; records nothing
    .venv/bin/python benchmarks/inference.py --parts coarse --ours-only     our stages on the big case

The image is a phantom of known anatomy and the network was trained on it for minutes, so that its labels are
organs and not noise. `--work DIR` keeps both for the next call. Each part is recorded when it is done, with
its date, beside the parts that this machine measured before. Ours is run on a small case first, as its
machine code is made and kept at its first call after installing.
"""

import argparse
import tempfile
from pathlib import Path
from typing import Any

from inference_layers import layers
from inference_model import LONG_SLICES, Size, make_cases, make_long_case, make_model
from inference_process import agreement, run
from recording import add_parts

from wirsung.imaging.nifti import read_image

PARTS = ("coarse", "layers", "fine", "warm", "long", "long-fine", "exactness")
COARSE_MM, FINE_MM = 3.0, 1.5


def main() -> None:
    """Measure and record."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--small", action="store_true", help="see that it works; record nothing")
    parser.add_argument("--parts", nargs="+", choices=PARTS, default=PARTS)
    parser.add_argument("--ours-only", action="store_true", help="leave nnU-Net out; record nothing")
    parser.add_argument("--cases", type=int, default=20, help="of the part warm")
    parser.add_argument("--cold", type=int, default=20, help="of these, how many nnU-Net predicts too")
    parser.add_argument("--steps", type=int, default=3000, help="of the training")
    parser.add_argument("--threads", type=int, default=2)
    parser.add_argument("--work", type=Path, help="keep images, models and predictions here")
    chosen = parser.parse_args()
    with tempfile.TemporaryDirectory() as temporary:
        work = chosen.work or Path(temporary)
        prepare(chosen, work)
        for part in chosen.parts:
            figures = {"threads": chosen.threads, **measure(part, chosen, work)}
            print(part, figures, flush=True)
            if not (chosen.small or chosen.ours_only):
                add_parts("inference", {part: figures})


def prepare(chosen: argparse.Namespace, work: Path) -> None:
    """Let the machine code be made and kept."""
    images = make_cases(work / "images-tiny", "tiny", 1)
    for options in ((), ("--lesion",)):
        run("ours", model_of(chosen, work, COARSE_MM), images, work / "prepared", chosen.threads, options)


def model_of(chosen: argparse.Namespace, work: Path, spacing_mm: float) -> Path:
    """Trained on the big case, or of a small run on a small one."""
    spacing_mm *= 2 if chosen.small else 1
    return make_model(work / f"model-{spacing_mm}", big(chosen, work), spacing_mm, Size(steps=chosen.steps))


def big(chosen: argparse.Namespace, work: Path) -> Path:
    """The folder of the big case, or of a small run of a small one."""
    preset = "small" if chosen.small else "full"
    return make_cases(work / f"images-{preset}", preset, 1)


def measure(part: str, chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """The figures of one part."""
    if part in ("long", "long-fine"):
        return long(chosen, work, FINE_MM if part == "long-fine" else COARSE_MM)
    if part == "exactness":
        return exactness(chosen, work)
    model = model_of(chosen, work, FINE_MM if part == "fine" else COARSE_MM)
    if part == "layers":
        return layers(model, big(chosen, work))
    if part != "warm":
        return one(chosen, model, big(chosen, work), work / part)
    images = make_cases(
        work / "images-many", "tiny" if chosen.small else "small", 3 if chosen.small else chosen.cases
    )
    return many(chosen, model, images, work / part)


def long(chosen: argparse.Namespace, work: Path, spacing_mm: float) -> dict[str, Any]:
    """Ours alone on a scan of 1600 slices: peak memory, beside what image and label map take themselves.

    The system grants the process no more memory of its own than these and 4 GB.
    """
    slices = 300 if chosen.small else LONG_SLICES
    images = make_long_case(work / f"images-{slices}", big(chosen, work), slices)
    voxels = read_image(next(images.iterdir())).voxels
    needed_gb = (voxels.nbytes + voxels.size) / 2**30
    found: dict[str, Any] = {"shape": list(voxels.shape), "image_and_label_map_gb": round(needed_gb, 2)}
    del voxels
    model, limit = model_of(chosen, work, spacing_mm), ("--limit-gb", str(round(needed_gb + 4, 1)))
    seconds = run("ours", model, images, work / "long" / "ours", chosen.threads, limit)
    return {**found, **seconds, "beyond_gb": round(seconds["peak_gb"] - needed_gb, 2)}


def one(chosen: argparse.Namespace, model: Path, images: Path, out: Path) -> dict[str, Any]:
    """Ours and theirs on one case, and ours with the lesion's probability."""
    ours = run("ours", model, images, out / "ours", chosen.threads)
    lesion = run("ours", model, images, out / "lesion", chosen.threads, ("--lesion",))
    found: dict[str, Any] = {"ours": ours, "ours_with_lesion_probability": lesion}
    if chosen.ours_only:
        return found
    theirs = run("theirs", model, images, out / "theirs", chosen.threads)
    ratios = {
        f"{name}_times_faster": round(theirs[key] / ours[key], 2)
        for name, key in (
            ("end_to_end", "wall_s"),
            ("prediction", "total_s"),
            ("network", "network_s"),
            ("all_but_network", "rest_s"),
        )
    }
    memory = round(theirs["peak_gb"] / ours["peak_gb"], 2)
    same = agreement(out / "ours", out / "theirs")
    return {**ratios, "times_less_memory": memory, **same, **found, "theirs": theirs}


def exactness(chosen: argparse.Namespace, work: Path) -> dict[str, Any]:
    """Ours and nnU-Net as it is shipped against nnU-Net that adds up its tiles in float32; nothing is timed.

    The predictions of the part coarse are looked at, so that has to be run before, in the same folder.
    """
    out, model = work / "coarse", model_of(chosen, work, COARSE_MM)
    run("theirs", model, big(chosen, work), out / "theirs32", chosen.threads, ("--float32",))
    return {
        "ours_against_float32_sums": agreement(out / "ours", out / "theirs32"),
        "nnunet_as_shipped_against_float32_sums": agreement(out / "theirs", out / "theirs32"),
        "ours_against_nnunet_as_shipped": agreement(out / "ours", out / "theirs"),
    }


def many(chosen: argparse.Namespace, model: Path, images: Path, out: Path) -> dict[str, Any]:
    """All cases through one warm predictor of ours, against a cold start of nnU-Net's for each."""
    ours = run("ours", model, images, out / "ours", chosen.threads)
    if chosen.ours_only:
        return {"ours": ours}
    singles = sorted(images.glob("*_0000.nii.gz"))
    cold_s = []
    for image in singles[: chosen.cold]:
        folder = out / "single" / image.name.removesuffix("_0000.nii.gz")
        folder.mkdir(parents=True, exist_ok=True)
        (folder / image.name).unlink(missing_ok=True)
        (folder / image.name).symlink_to(image.resolve())
        cold_s.append(run("theirs", model, folder, out / "theirs", chosen.threads)["wall_s"])
    # Where but some were measured, the others are taken to last as long on average.
    theirs_s = sum(cold_s) / len(cold_s) * len(singles)
    return {
        "times_faster": round(theirs_s / ours["wall_s"], 2),
        "cases": len(singles),
        "cold_starts_measured": len(cold_s),
        "cold_starts_s": round(theirs_s, 1),
        **agreement(out / "ours", out / "theirs"),
        "ours": ours,
    }


if __name__ == "__main__":
    main()
