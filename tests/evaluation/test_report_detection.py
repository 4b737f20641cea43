import math

import pytest
from invented import invented

from wirsung.evaluation.case import LESION
from wirsung.evaluation.detection import proportion
from wirsung.evaluation.operating_points import OperatingPoint
from wirsung.evaluation.report_detection import auc_table, detection_section, point_table
from wirsung.pages.template import Gallery, Table


@pytest.fixture(scope="module")
def evaluated():
    return invented(40, names=("pancreas", LESION), methods=("ours", "theirs"))


def test_the_section_tells_areas_points_and_curves(evaluated):
    section = detection_section(evaluated)
    tables = [block for block in section.blocks if isinstance(block, Table)]
    assert [table.columns[1] for table in tables] == ["AUC", "difference", "point"]
    (gallery,) = [block for block in section.blocks if isinstance(block, Gallery)]
    assert "ROC curves" in gallery.pictures[0].alternative


def test_two_areas_are_compared_second_minus_first(evaluated):
    table = auc_table(evaluated.findings.aucs)
    one, other = (item.detection.auc.value for item in evaluated.findings.methods)
    assert table.rows[0][0] == "theirs minus ours"
    assert table.rows[0][1].order == pytest.approx(other - one)
    assert table.rows[0][3].text == "40"


def test_each_point_has_its_threshold_and_shares(evaluated):
    table = point_table(evaluated.findings.methods)
    point = evaluated.findings.methods[0].operating_points[0]
    assert table.rows[0][1] == "Youden"
    assert table.rows[0][2].order == point.threshold
    assert table.rows[0][3].order == point.sensitivity.value


def test_a_threshold_above_all_scores_is_said_in_words():
    class Method:
        name = "ours"
        operating_points = (OperatingPoint("specificity:0.99", math.inf, proportion(0, 3), proportion(5, 5)),)

    row = point_table([Method()]).rows[0]
    assert row[2].text == "above all"
    assert row[2].note == "no case is called positive"


def test_without_lesions_there_is_no_section():
    assert detection_section(invented(5, names=("pancreas",))) is None


def test_what_ranks_all_cases_is_said_once(evaluated):
    table = detection_section(evaluated).blocks[0]
    assert "ranked by" not in table.columns
    assert "highest lesion probability" in table.caption
