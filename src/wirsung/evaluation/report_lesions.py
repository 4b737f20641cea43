"""What report.html shows of detection by lesion: each tumour found or missed, each false one."""

from collections.abc import Mapping

import numpy as np

from wirsung.evaluation.detection import Proportion
from wirsung.evaluation.froc import Estimate, Froc, LesionDetection
from wirsung.evaluation.report_tables import bounds_of, share_cell
from wirsung.pages.figures import Curve, froc_plot
from wirsung.pages.template import Cell, Picture, Table

_SIZES = {"under_2cm": "under 2 cm", "2_to_4cm": "2 to 4 cm", "over_4cm": "over 4 cm"}


def lesion_table(found: Mapping[str, LesionDetection]) -> Table:
    """A row a method: lesions found one to one and touched at all, false ones, average precision."""
    rows = [
        (
            name,
            share_cell(item.sensitivity),
            share_cell(item.t_sen),
            share_cell(item.precision),
            _estimate(item.false_positives_per_scan, 2),
            _estimate(item.false_positives_per_negative_scan, 2),
            _estimate(item.average_precision, 3),
            Cell(str(item.cases), float(item.cases)),
        )
        for name, item in found.items()
    ]
    columns = (
        "method",
        "sensitivity by lesion",
        "T-Sen",
        "precision",
        "false positives per scan",
        "per scan without lesion",
        "AP",
        "scans",
    )
    least = next(iter(found.values())).min_iou
    caption = (
        f"By lesion: found is one to one at an IoU of at least {least:g}; T-Sen asks for any shared voxel."
    )
    return Table(columns, tuple(rows), caption)


def size_table(found: Mapping[str, LesionDetection]) -> Table:
    """A row a method and size: how many of the lesions of that size are found, and touched."""
    rows: list[tuple[Cell | str, ...]] = []
    for place, (key, words) in enumerate(_SIZES.items()):
        for name, item in found.items():
            matched, touched = (
                by_size.get(key, _NOTHING) for by_size in (item.sensitivity_by_size, item.t_sen_by_size)
            )
            rows.append((Cell(words, float(place)), name, share_cell(matched), share_cell(touched)))
    columns = ("largest diameter", "method", "sensitivity by lesion", "T-Sen")
    return Table(columns, tuple(rows), "By the largest diameter of the reference's lesion.")


def froc_picture(found: Mapping[str, LesionDetection]) -> Picture | None:
    """The FROC curves of the methods that have one, with their bands; None where there is no lesion."""
    curves = {name: _steps(item.froc) for name, item in found.items() if item.lesions}
    if not curves:
        return None
    told = "; ".join(
        f"{name} finds {found[name].sensitivity_at[rate].value:.3f} at {rate} false positives per scan"
        for name in curves
        for rate in ("0.125", "1")
        if rate in found[name].sensitivity_at
    )
    return froc_plot(
        curves,
        alternative=f"FROC curves of lesion detection: {told}.",
        caption="FROC by lesion. Band: pointwise 95 %, bootstrap over patients. "
        "The scale is logarithmic above 0.125.",
    )


_NOTHING = Proportion(float("nan"), float("nan"), float("nan"), 0, 0)


def _steps(froc: Froc) -> Curve:
    """The highest sensitivity at no more than each number of false positives, from none found on."""
    across = np.concatenate([[0.0], np.repeat(froc.false_positives_per_scan, 2)])
    up = np.concatenate([[0.0], np.repeat(froc.sensitivities, 2)])
    # Across to the next number of false positives, then up.
    up = np.concatenate([[0.0], up[:-1]])
    # Beyond the last threshold there is nothing to be sure or unsure of.
    within = np.asarray(froc.band_across) <= across[-1]
    band = (np.asarray(line)[within].tolist() for line in (froc.band_across, froc.band_low, froc.band_high))
    return Curve(across.tolist(), up.tolist(), *band)


def _estimate(found: Estimate, digits: int) -> Cell:
    return Cell.number(found.value, digits, bounds_of(found.low, found.high, digits) or found.reason)
