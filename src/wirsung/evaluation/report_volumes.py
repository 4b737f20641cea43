"""The section of report.html on volumes: do prediction and reference agree on how large a structure is?"""

from collections.abc import Iterator
from dataclasses import dataclass

from wirsung.evaluation.bland_altman import BlandAltman, bland_altman
from wirsung.evaluation.case import LESION
from wirsung.evaluation.correlation import Correlation, correlation
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.icc import Icc, icc
from wirsung.evaluation.report_pictures import agreement_picture
from wirsung.evaluation.report_tables import bounds_of, signed, words_of
from wirsung.pages.template import Block, Cell, Gallery, Paragraph, Section, Table

_FEWEST = 3
"""Cases of which an agreement can be told."""


@dataclass(frozen=True)
class _Agreement:
    """One method's volumes of one structure."""

    method: str
    structure: str
    difference: BlandAltman
    correlation: Correlation
    icc: Icc


def volume_section(evaluated: Evaluated) -> Section | None:
    """Bland-Altman plots of the leading structure and the lesion, and the agreement of all structures."""
    found = list(_agreements(evaluated))
    if not found:
        return None
    drawn = (evaluated.leading_structure, LESION)
    pictures = tuple(
        agreement_picture(evaluated, item.method, item.structure, item.difference)
        for item in found
        if item.structure in drawn
    )
    note = (
        "Over the cases where the reference or the prediction holds the structure. "
        "A bias is a mean difference, prediction minus reference."
    )
    blocks: list[Block] = [Paragraph(note), Gallery(pictures), _table(found, evaluated)]
    return Section("Volumes", tuple(blocks))


def _agreements(evaluated: Evaluated) -> Iterator[_Agreement]:
    for structure in dict.fromkeys(name for found in evaluated.findings.methods for name in found.structures):
        for method in evaluated.methods:
            pairs = _pairs(evaluated, method.name, structure)
            if len(pairs) < _FEWEST:
                continue
            reference, prediction = zip(*pairs, strict=True)
            yield _Agreement(
                method.name,
                structure,
                bland_altman(reference, prediction),
                correlation(reference, prediction),
                icc(pairs),
            )


def _pairs(evaluated: Evaluated, method: str, structure: str) -> list[tuple[float, float]]:
    references = evaluated.scores.by_case(method, structure, "reference_volume_ml")
    volumes = evaluated.scores.by_case(method, structure, "volume_ml")
    pairs = [(references[case].value, row.value) for case, row in volumes.items() if case in references]
    # Where both are empty they agree by agreeing on nothing; NaN is above nothing either.
    return [pair for pair in pairs if max(pair) > 0]


def _table(found: list[_Agreement], evaluated: Evaluated) -> Table:
    several = len(evaluated.methods) > 1
    rows: list[tuple[Cell | str, ...]] = []
    for item in found:
        difference = item.difference
        bias = Cell(
            signed(difference.bias, 1),
            difference.bias,
            bounds_of(difference.bias_low, difference.bias_high, 1, with_sign=True),
        )
        limits = f"{signed(difference.lower, 1)} to {signed(difference.upper, 1)}"
        rows.append(
            (
                words_of(item.structure),
                *([item.method] if several else []),
                bias,
                Cell(limits, difference.upper - difference.lower),
                Cell.number(item.icc.value, 3, bounds_of(item.icc.low, item.icc.high, 3)),
                Cell.number(
                    item.correlation.r, 3, bounds_of(item.correlation.r_low, item.correlation.r_high, 3)
                ),
                Cell.number(item.correlation.r2_fit, 3),
                Cell.number(item.correlation.r2_identity, 3),
                Cell(str(difference.n), float(difference.n)),
            )
        )
    columns = (
        "structure",
        *(["method"] if several else []),
        "bias, ml",
        "limits of agreement, ml",
        "ICC(A,1)",
        "Pearson's r",
        "R² of the fit",
        "R² against identity",
        "n",
    )
    return Table(columns, tuple(rows), "Agreement of volumes, with 95 % intervals below.")
