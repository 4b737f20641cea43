from dataclasses import replace

import numpy as np
import pytest
from invented import invented
from scipy import stats

from wirsung.evaluation.case import LESION
from wirsung.evaluation.report_subgroups import subgroup_section
from wirsung.evaluation.subgroups import subgroup_findings, subgrouping, with_holm
from wirsung.pages.template import Gallery, Table


@pytest.fixture(scope="module")
def evaluated():
    return invented(40, names=("pancreas",), methods=("ours", "theirs"))


def test_each_headline_metric_has_a_forest_plot_with_every_level_in_words(evaluated):
    _, gallery, _ = subgroup_section(evaluated).blocks
    assert isinstance(gallery, Gallery)
    assert [picture.caption.partition(", by")[0] for picture in gallery.pictures] == [
        "pancreas, mean DSC",
        "pancreas, mean HD95, mm",
    ]
    rows = evaluated.scores.by_case("ours", "pancreas", "dsc")
    mean = np.mean([rows[case].value for case in evaluated.cases[1::4]])
    assert f"ours, centre centre-1 {mean:.3f}" in gallery.pictures[0].alternative


def test_the_table_tests_whether_centres_differ(evaluated):
    _, _, table = subgroup_section(evaluated).blocks
    assert isinstance(table, Table)
    rows = evaluated.scores.by_case("ours", "pancreas", "dsc")
    groups = [[rows[case].value for case in evaluated.cases[k::4]] for k in range(4)]
    row = dict(zip(table.columns, table.rows[0], strict=True))
    assert row["p"].order == pytest.approx(stats.kruskal(*groups).pvalue)
    assert row["cases by level"] == "centre-0: 10; centre-1: 10; centre-2: 10; centre-3: 10"


def test_one_centre_makes_no_subgroups(evaluated):
    reference = replace(evaluated.reference, centres=dict.fromkeys(evaluated.cases, "centre-1"))
    assert subgroup_section(replace(evaluated, reference=reference)) is None


def by_sex(evaluated, structures):
    """Findings by a column that makes the liver differ and nothing else."""
    rows = {case: {"sex": "F" if k % 2 else "M"} for k, case in enumerate(evaluated.cases)}
    found = []
    for structure in structures:
        scores = evaluated.scores.by_case("ours", structure, "dsc")
        told = {case: (row.value, row.reason) for case, row in scores.items()}
        if structure == "liver":
            told = {case: (0.9 if rows[case]["sex"] == "F" else 0.1, None) for case in told}
        key = ("ours", structure, "dsc")
        found.append(subgroup_findings(key, subgrouping("sex", rows), told, patients={}))
    return with_holm(found)


def test_of_other_structures_only_what_differs_is_listed():
    evaluated = invented(30, names=("pancreas", "liver", "spleen", LESION))
    findings = replace(
        evaluated.findings, subgroups=by_sex(evaluated, ("pancreas", "liver", "spleen", LESION))
    )
    note, gallery, table = subgroup_section(replace(evaluated, findings=findings)).blocks
    assert [row[2] for row in table.rows] == ["pancreas", "liver", "pancreatic lesion"]
    assert len(gallery.pictures) == 2
    assert "Of 4 tests" in note.text
