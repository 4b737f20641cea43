"""The section of report.html on subgroups: does the score depend on who was scanned, and where?"""

from collections.abc import Iterator, Sequence

from wirsung.evaluation.case import LESION
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.report_pictures import forest_pictures
from wirsung.evaluation.report_tables import subgroup_table
from wirsung.evaluation.subgroups import SubgroupFindings, subgroup_findings, subgrouping, with_holm
from wirsung.pages.template import Block, Gallery, Paragraph, Section

_CENTRE = "centre"
_NOTABLE = 0.05


def subgroup_section(evaluated: Evaluated) -> Section | None:
    """Forest plots and tests of the leading structure and the lesion, and tests of all others that differ.

    By the columns that were asked for; where none was, by centre if there are several.
    """
    found = evaluated.findings.subgroups or with_holm(list(_by_centre(evaluated)))
    if not found:
        return None
    shown = (evaluated.leading_structure, LESION)
    drawn = [item for item in found if item.structure in shown]
    listed = [item for item in found if item in drawn or item.p_holm < _NOTABLE]
    blocks: list[Block] = [
        Paragraph(_note(found, listed)),
        Gallery(tuple(forest_pictures(drawn))),
        subgroup_table(listed),
    ]
    return Section("Subgroups", tuple(blocks))


def _note(found: Sequence[SubgroupFindings], listed: Sequence[SubgroupFindings]) -> str:
    note = "Means with 95 % intervals. Each p tells whether any level of a column differs from another."
    if len(listed) < len(found):
        note += f" Of {len(found)} tests, the table leaves out those of other structures with a p after Holm "
        note += f"of {_NOTABLE} or more; summary.json has all."
    return note


def _by_centre(evaluated: Evaluated) -> Iterator[SubgroupFindings]:
    """The headline by centre, which every dataset of several centres knows."""
    centres = {case: evaluated.reference.centres.get(case, "") for case in evaluated.cases}
    if len(set(centres.values()) - {""}) < 2:
        return
    grouping = subgrouping(_CENTRE, {case: {_CENTRE: centre} for case, centre in centres.items()})
    for metric in evaluated.protocol.headline_names:
        for method in evaluated.methods:
            rows = evaluated.scores.by_case(method.name, evaluated.leading_structure, metric)
            yield subgroup_findings(
                (method.name, evaluated.leading_structure, metric),
                grouping,
                {case: (row.value, row.reason) for case, row in rows.items()},
                patients=evaluated.patients,
                seed=evaluated.seed,
            )
