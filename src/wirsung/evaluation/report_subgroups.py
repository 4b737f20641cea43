"""The section of report.html on subgroups: does the score depend on who was scanned, and where?"""

from collections.abc import Iterator

from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.report_pictures import forest_pictures
from wirsung.evaluation.report_tables import subgroup_table
from wirsung.evaluation.subgroups import SubgroupFindings, subgroup_findings, subgrouping, with_holm
from wirsung.pages.template import Gallery, Section

_CENTRE = "centre"


def subgroup_section(evaluated: Evaluated) -> Section | None:
    """Forest plots and tests of the leading structure by centre, where there are several."""
    found = with_holm(list(_by_centre(evaluated)))
    if not found:
        return None
    return Section("Subgroups", (Gallery(tuple(forest_pictures(found))), subgroup_table(found)))


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
                patients=evaluated.reference.patients,
                seed=evaluated.seed,
            )
