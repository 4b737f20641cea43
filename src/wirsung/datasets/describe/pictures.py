"""Outlying cases, seen: axial slices with the contour of what is out of the ordinary."""

from collections.abc import Iterator, Sequence

import numpy as np

from wirsung.datasets.contents import Contents
from wirsung.datasets.describe.outliers import Outlier
from wirsung.datasets.layout import Case
from wirsung.errors import WirsungError
from wirsung.imaging.volume import Volume
from wirsung.pages.montage import WINDOW_HU, Contour, montage
from wirsung.pages.template import Block, Notice

_SHOWN, _BESIDE = "#f0e442", "#56b4e9"
_LANDMARK = "pancreas"
_SLICES = 3


def outlier_pictures(contents: Contents, outliers: Sequence[Outlier], most: int) -> Iterator[Block]:
    """A montage of each of the farthest cases; where one can't be drawn, a notice says why.

    Of a case that is out of the ordinary in several ways, the farthest is drawn, and all are told.
    """
    if contents.dataset is None:
        return
    for case_id in list(dict.fromkeys(item.case for item in outliers))[:most]:
        of_it = [item for item in outliers if item.case == case_id]
        said = f"{case_id}: {'; '.join(item.reason for item in of_it[:3])}"
        said += f"; and {len(of_it) - 3} more" if len(of_it) > 3 else ""
        try:
            yield _picture(contents.dataset.case(case_id), of_it[0].structure, said)
        except WirsungError as error:
            yield Notice(f"{said}. No picture: {error}")


def _picture(case: Case, structure: str, said: str) -> Block:
    image = case.image()
    for name in (structure, _LANDMARK):
        mask = case.mask(name) if name in case.structure_names() else None
        # Of a speck beside an organ the slices would show the organ alone, so there is one contour only.
        if mask is not None and mask.voxels.any():
            return montage(
                [Contour(name.replace("_", " "), mask, _SHOWN if name == structure else _BESIDE)],
                image=image,
                window=_window(case, image),
                slices=_SLICES,
                alternative=f"Axial slices of {said}",
                caption=f"{said}.",
            )
    return Notice(f"{said}. No picture: there is no voxel of it to show, and none of the pancreas.")


def _window(case: Case, image: Volume) -> tuple[float, float]:
    """The abdominal window for CT; what is there for MR, whose values have no unit."""
    if case.modality == "ct":
        return WINDOW_HU
    low, high = np.percentile(image.voxels, [1, 99.5])
    return float(low), float(max(high, low + 1))
