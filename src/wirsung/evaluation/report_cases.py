"""The cases on report.html, seen: contours of reference and prediction on the image.

Each case is read once, whatever is drawn of it.
"""

import math
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass

import numpy as np

from wirsung.datasets.layout import Case
from wirsung.errors import WirsungError
from wirsung.evaluation.case import LESION, mask_of
from wirsung.evaluation.case_labels import CaseLabels
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.grids import on_grid_of
from wirsung.evaluation.inputs import Method
from wirsung.evaluation.report_tables import digits_of, metric_title
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
    """Read the case of as many methods as can be told apart; the reference once, in the first one's scheme.

    Raises:
        WirsungError: The first method's prediction, or the reference, can't be read.
    """
    place, first = evaluated.reference.cases[case], evaluated.methods[0]
    views = _views(evaluated, first)
    wanted = [value for view in views.values() for value in view.reference_values]
    reference = evaluated.reference.source(case, first).read(wanted)
    ours = {name: _mask(reference, view.reference_values) for name, view in views.items()}
    predicted: list[dict[str, Volume]] = []
    for index, method in enumerate(evaluated.methods[: len(_PREDICTIONS)]):
        try:
            predicted.append(_predicted(evaluated, method, case, reference.volume))
        except WirsungError:
            if index == 0:
                raise
            # A further method may lack the case.
            predicted.append({})
    image = _image(place, reference.volume) if isinstance(place, Case) else None
    return _Scene(tuple(_contours(evaluated, ours, predicted)), image, _window(place, image))


def _views(evaluated: Evaluated, method: Method) -> dict[str, View]:
    """What is drawn: the leading structure, and the lesion."""
    drawn = {evaluated.leading_structure, LESION}
    return {
        view.structure: view for view in evaluated.reference.views_for(method)[0] if view.structure in drawn
    }


def _predicted(evaluated: Evaluated, method: Method, case: str, reference: Volume) -> dict[str, Volume]:
    """Structure to mask, on the reference's grid."""
    views = _views(evaluated, method)
    labels = method.source(case).read([value for view in views.values() for value in view.prediction_values])
    moved = labels.moved_to(on_grid_of(reference, labels.volume, case=case, resample=True)[0])
    return {name: _mask(moved, view.prediction_values) for name, view in views.items()}


def _mask(labels: CaseLabels, values: Sequence[int]) -> Volume:
    return labels.volume.with_voxels(mask_of(labels.volume.voxels, labels.values_of(values)))


def _contours(
    evaluated: Evaluated, reference: Mapping[str, Volume], predicted: Sequence[Mapping[str, Volume]]
) -> Iterator[Contour]:
    """The leading structure of the reference and of each method, then the first method's lesion."""
    leading = evaluated.leading_structure
    names = [method.name if len(evaluated.methods) > 1 else "prediction" for method in evaluated.methods]
    yield Contour("reference", reference[leading], _REFERENCE)
    for name, masks, colour in zip(names, predicted, _PREDICTIONS, strict=False):
        if leading in masks:
            first = masks is predicted[0]
            yield Contour(name, masks[leading], colour, dashed=first, dotted=not first)
    if leading == LESION or LESION not in reference:
        return
    if reference[LESION].voxels.any():
        yield Contour("lesion, reference", reference[LESION], _LESION_REFERENCE)
    if predicted[0][LESION].voxels.any():
        yield Contour(f"lesion, {names[0]}", predicted[0][LESION], _LESION_PREDICTION, dashed=True)


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
