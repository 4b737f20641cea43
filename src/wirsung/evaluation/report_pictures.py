"""The pictures of report.html."""

import math
from collections.abc import Iterator, Sequence

import numpy as np

from wirsung.datasets.layout import Case
from wirsung.errors import WirsungError
from wirsung.evaluation.case import LESION, mask_of
from wirsung.evaluation.case_labels import CaseLabels
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.inputs import Method
from wirsung.evaluation.protocol import unit_of
from wirsung.evaluation.report_tables import digits_of, metric_title
from wirsung.evaluation.scoring import read_sides
from wirsung.evaluation.summary import MethodFindings
from wirsung.evaluation.views import View
from wirsung.imaging.volume import Volume
from wirsung.pages.figures import box_plot, paired_plot, roc_plot
from wirsung.pages.montage import WINDOW_HU, Contour, montage
from wirsung.pages.template import Block, Notice, Picture

_REFERENCE, _LESION_REFERENCE = "#56b4e9", "#f0e442"
_PREDICTIONS, _LESION_PREDICTION = ("#e69f00", "#ff8ad1"), "#ff5c39"


def score_pictures(evaluated: Evaluated) -> Iterator[Picture]:
    """Box plots of the leading metric by structure, and by centre where centres are known."""
    metric = evaluated.leading_metric
    title = metric_title(metric)
    structures = [name for found in evaluated.findings.methods for name in found.structures]
    by_structure = {
        structure.replace("_", " "): {
            method.name: [
                row.value for row in evaluated.scores.by_case(method.name, structure, metric).values()
            ]
            for method in evaluated.methods
        }
        for structure in dict.fromkeys(structures)
    }
    limits = _limits(evaluated, metric)
    yield box_plot(
        by_structure,
        label=title,
        limits=limits,
        alternative=f"Box plots of {title} by structure: " + _medians(evaluated),
        caption=f"{title} by structure. Box: quartiles and median. Whiskers: 1.5 interquartile ranges.",
    )
    centres = sorted({evaluated.reference.centres.get(case, "") for case in evaluated.cases} - {""})
    if len(centres) < 2:
        return
    leading = evaluated.leading_structure
    by_centre = {
        centre: {
            method.name: [
                row.value
                for case, row in evaluated.scores.by_case(method.name, leading, metric).items()
                if evaluated.reference.centres.get(case) == centre
            ]
            for method in evaluated.methods
        }
        for centre in centres
    }
    words = f"{title} of the {leading.replace('_', ' ')} by centre"
    yield box_plot(
        by_centre,
        label=title,
        limits=limits,
        alternative=f"Box plots of {words}: {', '.join(centres)}.",
        caption=f"{words}.",
    )


def roc_picture(found: Sequence[MethodFindings]) -> Picture | None:
    """The ROC curves of the methods that have one."""
    curves = {}
    for item in found:
        if item.detection and item.detection.true_positive_fractions:
            area = item.detection.auc
            name = f"{item.name}, AUC {area.value:.3f}"
            curves[name] = (item.detection.false_positive_fractions, item.detection.true_positive_fractions)
    if not curves:
        return None
    return roc_plot(curves, alternative=f"ROC curves of lesion detection by case: {'; '.join(curves)}.")


def comparison_picture(evaluated: Evaluated, second: str) -> Picture:
    """The leading metric of the leading structure, second method over first."""
    first = evaluated.methods[0].name
    structure, metric = evaluated.leading_structure, evaluated.leading_metric
    one, other = (evaluated.scores.by_case(name, structure, metric) for name in (first, second))
    pairs = [(one[case].value, other[case].value) for case in one if case in other]
    title = f"{structure.replace('_', ' ')} {metric_title(metric)}"
    above = sum(b > a for a, b in pairs)
    return paired_plot(
        pairs,
        labels=(f"{title}, {first}", f"{title}, {second}"),
        alternative=f"{title} of {len(pairs)} cases: {second} is higher in {above}.",
        caption=f"One dot a case; above the dotted line {second} is higher.",
    )


def case_montages(evaluated: Evaluated) -> Iterator[Block]:
    """Best, median and worst case of the first method by the leading structure's leading metric."""
    first = evaluated.methods[0]
    rows = evaluated.scores.by_case(first.name, evaluated.leading_structure, evaluated.leading_metric)
    ranked = sorted((row.value, case) for case, row in rows.items() if not math.isnan(row.value))
    if not ranked:
        return
    places = {"Best": len(ranked) - 1, "Median": len(ranked) // 2, "Worst": 0}
    shown: set[int] = set()
    for title, place in places.items():
        if place in shown:
            continue
        shown.add(place)
        case = ranked[place][1]
        said = f"{title}: case {case}, {_said(evaluated, case)}"
        try:
            yield _case_montage(evaluated, case, said)
        except WirsungError as error:
            yield Notice(f"{said}. No picture: {error}")


def _said(evaluated: Evaluated, case: str) -> str:
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


def _case_montage(evaluated: Evaluated, case: str, caption: str) -> Picture:
    source = evaluated.reference.cases[case]
    contours: list[Contour] = []
    for index, method in enumerate(evaluated.methods[: len(_PREDICTIONS)]):
        try:
            sides = read_sides(
                evaluated.reference.source(case, method), method.source(case), case, resample=True
            )
        except WirsungError:
            # The first method's is there, else it had no score; a further one may be missing.
            continue
        contours += _contours(evaluated, method, sides[:2], index)
    image = _image(source, contours[0].mask) if isinstance(source, Case) else None
    return montage(
        contours,
        image=image,
        window=_window(source, image),
        alternative=f"Axial slices with the contours of reference and prediction. {caption}.",
        caption=f"{caption}.",
    )


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


def _window(source: object, image: Volume | None) -> tuple[float, float]:
    """The abdominal window for CT; what is there for MR, whose values have no unit."""
    if image is None or not isinstance(source, Case) or source.modality == "ct":
        return WINDOW_HU
    low, high = np.percentile(image.voxels, [1, 99.5])
    return float(low), float(max(high, low + 1))


def _limits(evaluated: Evaluated, metric: str) -> tuple[float, float] | None:
    """An axis that a fraction's small differences can't fill: it ends at 1 and starts at most at 0.5."""
    if unit_of(metric) != "1":
        return None
    values = [row.value for row in evaluated.scores if row.metric == metric and not math.isnan(row.value)]
    return min(0.5, math.floor(10 * min(values, default=0)) / 10) - 0.01, 1.01


def _medians(evaluated: Evaluated) -> str:
    metric = evaluated.leading_metric
    said = [
        f"{found.name} {structure.replace('_', ' ')} median {summaries[metric].median:.3f}"
        for found in evaluated.findings.methods
        for structure, summaries in found.structures.items()
        if summaries[metric].n
    ]
    return "; ".join(said) + "."
