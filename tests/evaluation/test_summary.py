import math

from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.scores import Score, Scores
from wirsung.evaluation.statistics import compare, holm, summarise
from wirsung.evaluation.subgroups import subgrouping
from wirsung.evaluation.summary import as_json, find

DSC = {
    "one": {"pancreas": [0.8, 0.7, 0.9, 0.6], "liver": [0.95, 0.96, 0.94, 0.97]},
    "two": {"pancreas": [0.82, 0.75, 0.9, 0.7], "liver": [0.95, 0.9, 0.93, 0.96]},
}
PANSEG = protocol("panseg")


def scores():
    rows = []
    for method, structures in DSC.items():
        for structure, values in structures.items():
            for case, value in zip("abcd", values, strict=True):
                rows.append(Score(case, structure, "dsc", value, "1", None, "panseg", method))
                rows.append(Score(case, structure, "hd95", math.nan, "mm", "both_empty", "panseg", method))
    return Scores(rows)


def found(cohort=None, methods=("one", "two")):
    return find(scores(), methods, PANSEG, cohort=cohort or Cohort(), seed=4, by_probability=True)


def test_every_structure_and_metric_is_summarised():
    summaries = found().methods[0].structures
    assert list(summaries) == ["pancreas", "liver"]
    assert summaries["pancreas"]["dsc"] == summarise(DSC["one"]["pancreas"], [None] * 4, seed=4)
    assert summaries["liver"]["hd95"].undefined == {"both_empty": 4}


def test_further_methods_are_compared_with_the_first_and_adjusted_by_metric():
    pairs = {item.structure: item for item in found().comparisons if item.metric == "dsc"}
    for structure, pair in pairs.items():
        assert pair.comparison == compare(DSC["one"][structure], DSC["two"][structure], seed=4)
    adjusted = holm([item.comparison.p_wilcoxon for item in pairs.values()])
    assert [item.p_holm for item in pairs.values()] == adjusted


def test_patients_are_drawn_whole():
    cohort = Cohort({"a": "p", "b": "p", "c": "q", "d": "q"})
    values = DSC["one"]["pancreas"]
    expected = summarise(values, [None] * 4, patients=["p", "p", "q", "q"], seed=4)
    assert found(cohort).methods[0].structures["pancreas"]["dsc"] == expected


def test_subgroups_are_told_of_every_method_structure_and_headline_metric():
    rows = {case: {"sex": sex} for case, sex in zip("abcd", "FFMM", strict=True)}
    subgroups = found(Cohort(groupings=(subgrouping("sex", rows),))).subgroups
    keys = [(item.method, item.structure, item.metric) for item in subgroups]
    assert len(set(keys)) == len(keys) == 2 * 2 * len(PANSEG.headline_names)
    first = subgroups[0]
    assert [level.summary.mean for level in first.levels] == [0.75, 0.75]


def test_without_volumes_or_columns_there_are_neither():
    assert found().volumes == found().subgroups == ()


def test_json_has_null_where_there_is_no_number():
    content = as_json(found().methods[0])
    assert content["structures"]["pancreas"]["hd95"]["mean"] is None
    assert content["detection"] is None
