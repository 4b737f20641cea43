"""The cases on report.html, seen: contours of reference and prediction on the image.

Each case is read once, whatever is drawn of it.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass

import numpy as np

from wirsung.datasets.layout import Case
from wirsung.errors import WirsungError
from wirsung.evaluation.case import LESION, mask_of
from wirsung.evaluation.case_labels import CaseLabels
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.inputs import Method
from wirsung.evaluation.report_tables import digits_of, metric_title
from wirsung.evaluation.scoring import read_sides
from wirsung.evaluation.views import View
from wirsung.imaging.volume import Volume
from wirsung.pages.montage import WINDOW_HU, Contour, montage
from wirsung.pages.template import Block, Notice, Picture
from wirsung.pages.thumbnail import thumbnail

MOST_THUMBNAILS = 10
"""Of the worst cases; each costs as much time as scoring its case, and about 15 kB."""

_REFERENCE, _LESION_REFERENCE = "#56b4e9", "#f0e442"
_PREDICTIONS, _LESION_PREDICTION = ("#e69f00", "#ff8ad1"), "#ff5c39"


@dataclass(frozen=True)
class CasePictures:
    """What is drawn of the cases."""

    montages: tuple[Block, ...]
    """Best, median and worst."""
    thumbnails: dict[str, Picture]
    """Case to the slice of its largest error, for the worst."""


def draw_cases(evaluated: Evaluated) -> CasePictures:
    """Montages of the best, the median and the worst case, and thumbnails of the worst.

    They are ranked by the first method's leading metric of the leading structure. A case that can't be read
    any more has a notice in place of its montage.
    """
    ranked = evaluated.worst_first
    titles: dict[str, str] = {}
    for title, place in (("Best", -1), ("Median", (len(ranked) - 1) // 2), ("Worst", 0)):
        if ranked:
            titles.setdefault(ranked[place], title)
    montages: dict[str, Block] = {}
    thumbnails: dict[str, Picture] = {}
    for case in dict.fromkeys((*titles, *ranked[:MOST_THUMBNAILS])):
        said = f"case {case}, {_said(evaluated, case)}"
        try:
            scene = _scene(evaluated, case)
        except WirsungError as error:
            if case in titles:
                montages[case] = Notice(f"{titles[case]}: {said}. No picture: {error}")
            continue
        if case in titles:
            montages[case] = scene.montage(f"{titles[case]}: {said}")
        if case in ranked[:MOST_THUMBNAILS]:
            thumbnails[case] = scene.thumbnail(said)
    return CasePictures(tuple(montages[case] for case in titles), thumbnails)


@dataclass(frozen=True)
class _Scene:
    """One case, read."""

    contours: tuple[Contour, ...]
    """Of the leading structure the reference and the methods, then of the lesion."""
    image: Volume | None
    window: tuple[float, float]

    def montage(self, said: str) -> Picture:
        """Three slices through the masks."""
        return montage(
            self.contours,
            image=self.image,
            window=self.window,
            alternative=f"Axial slices with the contours of reference and prediction. {said}.",
            caption=f"{said}.",
        )

    def thumbnail(self, said: str) -> Picture:
        """The slice of the largest error."""
        return thumbnail(
            self.contours,
            image=self.image,
            window=self.window,
            alternative=f"Axial slice of the largest error, contours of reference and prediction: {said}.",
        )


def _scene(evaluated: Evaluated, case: str) -> _Scene:
    """Read the case of as many methods as can be told apart.

    Raises:
        WirsungError: The first method's prediction, or the reference, can't be read.
    """
    place = evaluated.reference.cases[case]
    contours: list[Contour] = []
    for index, method in enumerate(evaluated.methods[: len(_PREDICTIONS)]):
        try:
            reference = evaluated.reference.source(case, method)
            shown = [
                view
                for view in evaluated.reference.views_for(method)[0]
                if view.structure in {evaluated.leading_structure, LESION}
            ]
            sides = read_sides(reference, method.source(case), case, views=shown, resample=True)
        except WirsungError:
            if index == 0:
                raise
            # A further method may lack the case.
            continue
        contours += _contours(evaluated, method, sides[:2], index)
    image = _image(place, contours[0].mask) if isinstance(place, Case) else None
    contours.sort(key=lambda item: item.name.startswith("lesion, "))
    return _Scene(tuple(contours), image, _window(place, image))


def _contours(
    evaluated: Evaluated, method: Method, pair: tuple[CaseLabels, CaseLabels], index: int
) -> Iterator[Contour]:
    views = {view.structure: view for view in evaluated.reference.views_for(method)[0]}
    name = method.name if len(evaluated.methods) > 1 else "prediction"
    leading = views.get(evaluated.leading_structure)
    if leading:
        one, other = _masks(pair, leading)
        if index == 0:
            yield Contour("reference", one, _REFERENCE)
        yield Contour(name, other, _PREDICTIONS[index], dashed=True)
    lesion = views.get(LESION)
    if lesion and lesion is not leading and index == 0:
        one, other = _masks(pair, lesion)
        if one.voxels.any():
            yield Contour("lesion, reference", one, _LESION_REFERENCE)
        if other.voxels.any():
            yield Contour(f"lesion, {name}", other, _LESION_PREDICTION, dashed=True)


def _masks(pair: tuple[CaseLabels, CaseLabels], view: View) -> tuple[Volume, Volume]:
    values = (view.reference_values, view.prediction_values)
    one, other = (
        side.volume.with_voxels(mask_of(side.volume.voxels, side.values_of(found)))
        for side, found in zip(pair, values, strict=True)
    )
    return one, other


def _image(case: Case, mask: Volume) -> Volume | None:
    """The image where it can be read and lies on the same grid; else the contours stand alone."""
    try:
        image = case.image()
    except WirsungError:
        return None
    return image if image.shape == mask.shape else None


def _window(place: object, image: Volume | None) -> tuple[float, float]:
    """The abdominal window for CT; what is there for MR, whose values have no unit."""
    if image is None or not isinstance(place, Case) or place.modality == "ct":
        return WINDOW_HU
    low, high = np.percentile(image.voxels, [1, 99.5])
    return float(low), float(max(high, low + 1))


def _said(evaluated: Evaluated, case: str) -> str:
    """The case's headline scores in words."""
    structure, words = evaluated.leading_structure, []
    for method in evaluated.methods:
        values = []
        for metric in evaluated.protocol.headline_names:
            row = evaluated.scores.by_case(method.name, structure, metric).get(case)
            if row and not math.isnan(row.value):
                unit = "" if row.unit == "1" else f"\N{NO-BREAK SPACE}{row.unit}"
                values.append(f"{metric_title(metric)} {row.value:.{digits_of(metric)}f}{unit}")
        name = f"{method.name}: " if len(evaluated.methods) > 1 else ""
        words.append(f"{name}{structure.replace('_', ' ')} {', '.join(values) or 'not scored'}")
    return "; ".join(words)
