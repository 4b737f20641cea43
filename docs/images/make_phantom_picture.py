"""The README's picture: one phantom patient in CT and T2-weighted MR, with the outlines of its structures.

    .venv/bin/python docs/images/make_phantom_picture.py

The picture is an SVG, so nothing binary lies in the repository.
"""

import sys
import tempfile
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from wirsung.anatomy.structures import structures
from wirsung.imaging.nifti import read_image, read_mask
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.outline import outlines
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

SEED, CASE = 5, "phantom_0001"
WINDOWS = {"ct": (-140, 240), "t2": (60, 900)}
MARGIN_MM = 38
GREYS = 28
SHOWN = [name for name in structures() if name != "pancreas"]


def main() -> None:
    """Make the patient twice, in CT and in MR, and draw them."""
    with tempfile.TemporaryDirectory() as folder:
        cases = {modality: _case(Path(folder) / modality, modality) for modality in WINDOWS}
        figure = _figure(cases)
    figure.savefig(Path(__file__).with_name("phantom.svg"), metadata={"Date": None})


def _case(out: Path, modality: str) -> Path:
    settings = PhantomSettings(out, cases=1, preset="full", modality=modality, seed=SEED, tumours=1.0)
    if any(item.status == "failed" for item in phantom(settings)):
        sys.exit("the phantom was not made")
    return out / CASE


def _figure(cases: dict[str, Path]) -> Figure:
    figure = Figure(figsize=(12, 3.6), dpi=100, facecolor="#161d22")
    axes = figure.subplots(1, 3, width_ratios=[1.35, 1.0, 1.35], gridspec_kw={"wspace": 0.02})
    figure.subplots_adjust(0.005, 0.02, 0.995, 0.98)
    image, masks = _load(cases["ct"], "ct")
    _show(axes[0], image, masks, axis=2, window=WINDOWS["ct"])
    _show(axes[1], image, masks, axis=1, window=WINDOWS["ct"])
    image, masks = _load(cases["t2"], "t2")
    _show(axes[2], image, masks, axis=2, window=WINDOWS["t2"])
    return figure


def _load(case: Path, modality: str) -> tuple[Volume, dict[str, Volume]]:
    image = reorient(read_image(case / f"{modality}.nii.gz"), "LPS")
    paths = {name: case / "segmentations" / f"{name}.nii.gz" for name in SHOWN}
    return image, {name: reorient(read_mask(path), "LPS") for name, path in paths.items()}


def _show(axes: Axes, image: Volume, masks: dict[str, Volume], *, axis: int, window: tuple[int, int]) -> None:
    """The slice with the most pancreas, cropped to the body."""
    gland = np.logical_or.reduce(
        [masks[name].voxels for name in ("pancreas_head", "pancreas_body", "pancreas_tail")]
    )
    other = tuple({0, 1, 2} - {axis})
    index = int(gland.sum(axis=other).argmax())
    across, up = other
    drawn = {name: np.take(mask.voxels, index, axis) for name, mask in masks.items()}
    shown = _around(
        np.logical_or.reduce(list(drawn.values())), image.spacing_mm[across], image.spacing_mm[up]
    )
    aspect = image.spacing_mm[up] / image.spacing_mm[across]
    step = (window[1] - window[0]) / GREYS  # few greys make a small file
    grey = np.round(np.clip(np.take(image.voxels, index, axis)[shown].T, *window) / step) * step
    axes.imshow(grey, cmap="gray", vmin=window[0], vmax=window[1], interpolation="none", aspect=aspect)
    for name, mask in drawn.items():
        for loop in outlines(mask[shown]):
            closed = np.vstack([loop, loop[:1]]) - 0.5
            axes.plot(closed[:, 0], closed[:, 1], color=structures()[name].colour, linewidth=1.2)
    if axis == 1:
        axes.invert_yaxis()
    axes.axis("off")


def _around(mask: np.ndarray, across_mm: float, up_mm: float) -> tuple[slice, slice]:
    """The mask's box with a margin, so that the body's wall is seen."""
    box = []
    for axis, step_mm in enumerate((across_mm, up_mm)):
        found = np.flatnonzero(mask.any(axis=1 - axis))
        margin = round(MARGIN_MM / step_mm)
        box.append(slice(max(int(found[0]) - margin, 0), int(found[-1]) + margin))
    return box[0], box[1]


if __name__ == "__main__":
    main()
