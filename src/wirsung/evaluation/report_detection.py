"""The section of report.html on detection: who has a lesion, and which lesions are found?"""

import math
from collections.abc import Sequence

from wirsung.evaluation.detection_findings import AucPair
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.report_lesions import froc_picture, lesion_table, size_table
from wirsung.evaluation.report_pictures import roc_picture
from wirsung.evaluation.report_tables import bounds_of, detection_table, p_value, share_cell, signed
from wirsung.evaluation.summary import MethodFindings
from wirsung.pages.template import Block, Cell, Gallery, Section, Table


def detection_section(evaluated: Evaluated) -> Section | None:
    """Tables and curves by case and by lesion; None where no method was scored on the lesion."""
    found = [item for item in evaluated.findings.methods if item.detection]
    if not found:
        return None
    lesions = {item.name: item.lesions for item in found if item.lesions}
    curves = (roc_picture(evaluated, found), froc_picture(lesions))
    blocks: list[Block] = [detection_table(found)]
    if evaluated.findings.aucs:
        blocks.append(auc_table(evaluated.findings.aucs))
    blocks.append(Gallery(tuple(picture for picture in curves if picture)))
    if any(item.operating_points for item in found):
        blocks.append(point_table(found))
    if lesions:
        blocks += [lesion_table(lesions), size_table(lesions)]
    return Section("Who has a lesion?", tuple(blocks))


def auc_table(found: Sequence[AucPair]) -> Table:
    """A row a further method: its AUC against the first's."""
    rows = []
    for item in found:
        of = item.comparison
        difference = Cell(
            signed(of.difference, 3), of.difference, bounds_of(of.low, of.high, 3, with_sign=True)
        )
        rows.append(
            (
                f"{item.second} minus {item.first}",
                difference,
                p_value(of.p),
                Cell(str(item.cases), item.cases),
            )
        )
    caption = "AUC by case of two methods on the same cases, by DeLong's test."
    return Table(("AUC", "difference", "p", "cases"), tuple(rows), caption)


def point_table(found: Sequence[MethodFindings]) -> Table:
    """A row a method and operating point: what calling cases from that threshold on would do."""
    rows: list[tuple[Cell | str, ...]] = []
    for item in found:
        for point in item.operating_points:
            rows.append(
                (
                    item.name,
                    point_title(point.name),
                    _threshold(point.threshold, point.reason),
                    share_cell(point.sensitivity),
                    share_cell(point.specificity),
                )
            )
    caption = (
        "Operating points by case. A threshold that was chosen on the cases it is told for is optimistic, "
        "which the intervals do not show."
    )
    return Table(("method", "point", "threshold", "sensitivity", "specificity"), tuple(rows), caption)


def point_title(name: str) -> str:
    """How an operating point is called on a page.

    Example:
        >>> point_title("specificity:0.95"), point_title("youden")
        ('specificity at least 0.95', 'Youden')
    """
    kind, _, number = name.partition(":")
    if kind == "youden":
        return "Youden"
    return f"threshold {number}" if kind == "threshold" else f"{kind} at least {number}"


def _threshold(value: float, reason: str) -> Cell:
    if math.isinf(value):
        return Cell("above all", value, "no case is called positive")
    return Cell.number(value, 3, reason)
