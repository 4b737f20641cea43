"""Pictures of findings: the structures in question on the slices that show them."""

import io
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from matplotlib.image import imsave

from wirsung.anatomy.structures import structures
from wirsung.curation.findings import Finding
from wirsung.curation.pictures import axial_picture
from wirsung.datasets.layout import Case
from wirsung.errors import WirsungError
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.volume import Volume
from wirsung.pages.figures import data_uri
from wirsung.pages.montage import WINDOW_HU, Contour, montage
from wirsung.pages.template import Picture

_SLICES = 2
_PERCENTILES = (1, 99)
_COLOURS = ("#ffd23f", "#4cc9f0", "#ff5d8f", "#80ed99")
_MOST_SHOWN = 4
_WIDTH_PX = 480
_PLAIN_PX = 200


@dataclass(frozen=True)
class Wanted:
    """A case and those of its findings that get a picture."""

    case: Case
    findings: tuple[Finding, ...]
    """Each with the anchor of its picture."""


def choose(findings: Sequence[Finding], most: int) -> set[int]:
    """Indices of the findings that get a picture: of each rule the first `most`, other cases first.

    Example:
        >>> made = [Finding("specks", "note", case, "f", "s") for case in ("a", "a", "b")]
        >>> sorted(choose(made, 2))
        [0, 2]
    """
    ranked: dict[str, list[tuple[int, int]]] = {}
    seen: dict[tuple[str, str], int] = {}
    for index, item in enumerate(findings):
        turn = seen.setdefault((item.rule, item.case), 0)
        seen[item.rule, item.case] += 1
        ranked.setdefault(item.rule, []).append((turn, index))
    return {index for turns in ranked.values() for _, index in sorted(turns)[:most]}


def draw(wanted: Wanted) -> dict[str, Picture]:
    """By anchor, the pictures of a case's findings; none of an image that can't be read.

    Raises:
        ImageError: The image can't be read.
    """
    image = wanted.case.image()
    masks: dict[str, Volume] = {}
    found = {}
    for item in wanted.findings:
        for name in item.shown[:_MOST_SHOWN]:
            mask = None if name in masks else _mask(wanted.case, name, image)
            if mask is not None:
                masks[name] = mask
        found[item.picture] = _picture(item, image, masks, is_ct=wanted.case.modality == "ct")
    return found


def _mask(case: Case, name: str, image: Volume) -> Volume | None:
    """The mask on the image's grid; None where that is what is wrong with it."""
    try:
        names = (case.image_path.name, name)
        return same_grid_as(case.mask(name), image, case=case.id, names=names)
    except WirsungError:
        return None


def _picture(item: Finding, image: Volume, masks: Mapping[str, Volume], *, is_ct: bool) -> Picture:
    there = [name for name in item.shown[:_MOST_SHOWN] if name in masks]
    words = f"{item.case}, {item.structure.replace('_', ' ') or item.file}: {item.sentence}"
    if not any(masks[name].voxels.any() for name in there):
        content = io.BytesIO()
        imsave(content, axial_picture(image, is_ct=is_ct), cmap="gray", vmin=0, vmax=1, format="png")
        uri = data_uri(content.getvalue(), "image/png")
        return Picture(uri, f"Middle axial slice of {item.case}", words, _PLAIN_PX)
    contours = [
        Contour(structures()[name].title if name in structures() else name, masks[name], colour, index > 0)
        for index, (name, colour) in enumerate(zip(there, _COLOURS, strict=False))
    ]
    low, high = (float(value) for value in np.percentile(image.voxels, _PERCENTILES))
    picture = montage(
        contours,
        alternative=f"{_SLICES} axial slices of {item.case} with {', '.join(there)}",
        image=image,
        window=WINDOW_HU if is_ct else (low, max(high, low + 1e-6)),
        slices=_SLICES,
        caption=words,
    )
    return Picture(picture.data_uri, picture.alternative, words, _WIDTH_PX)
