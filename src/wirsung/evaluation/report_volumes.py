"""The section of report.html on volumes: do prediction and reference agree on how large a structure is?"""

from collections.abc import Sequence

from wirsung.evaluation.case import LESION
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.icc import Icc
from wirsung.evaluation.report_pictures import agreement_picture
from wirsung.evaluation.report_tables import bounds_of, signed, words_of
from wirsung.evaluation.volumes import VolumeFindings
from wirsung.pages.template import Block, Cell, Gallery, Paragraph, Section, Table


def volume_section(evaluated: Evaluated) -> Section | None:
    """Bland-Altman plots of the leading structure and the lesion, and the agreement of all structures."""
    found = evaluated.findings.volumes
    if not found:
        return None
    drawn = (evaluated.leading_structure, LESION)
    pictures = tuple(agreement_picture(evaluated, item) for item in found if item.structure in drawn)
    note = (
        "Over the cases where the reference or the prediction holds the structure. "
        "A bias is a mean difference, prediction minus reference."
    )
    blocks: list[Block] = [Paragraph(note), Gallery(pictures), _table(found, evaluated)]
    return Section("Volumes", tuple(blocks))


def _table(found: Sequence[VolumeFindings], evaluated: Evaluated) -> Table:
    several = len(evaluated.methods) > 1
    rows: list[tuple[Cell | str, ...]] = []
    for item in found:
        difference, line = item.difference, item.correlation
        bounds = bounds_of(difference.bias_low, difference.bias_high, 1, with_sign=True)
        limits = f"{signed(difference.lower, 1)} to {signed(difference.upper, 1)}"
        rows.append(
            (
                words_of(item.structure),
                *([item.method] if several else []),
                Cell(signed(difference.bias, 1), difference.bias, bounds),
                Cell(limits, difference.upper - difference.lower),
                _icc(item.agreement),
                _icc(item.consistency),
                Cell.number(line.r, 3, bounds_of(line.r_low, line.r_high, 3)),
                Cell.number(line.r2_fit, 3),
                Cell.number(line.r2_identity, 3),
                Cell(str(difference.n), float(difference.n)),
            )
        )
    columns = (
        "structure",
        *(["method"] if several else []),
        "bias, ml",
        "limits of agreement, ml",
        "ICC(A,1)",
        "ICC(C,1)",
        "Pearson's r",
        "R² of the fit",
        "R² against identity",
        "n",
    )
    return Table(columns, tuple(rows), "Agreement of volumes, with 95 % intervals below.")


def _icc(found: Icc) -> Cell:
    return Cell.number(found.value, 3, bounds_of(found.low, found.high, 3))
