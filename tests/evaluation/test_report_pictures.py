import base64
import re

import pytest
from invented import invented

from wirsung.evaluation.case import LESION
from wirsung.evaluation.report_pictures import comparison_picture, roc_picture, score_pictures


@pytest.fixture(scope="module")
def evaluated():
    return invented(40, names=("pancreas", LESION), methods=("ours", "theirs"))


def test_every_headline_metric_is_drawn_with_its_unit_and_medians_in_words(evaluated):
    pictures = list(score_pictures(evaluated))
    assert [picture.caption for picture in pictures] == [
        "DSC by structure.",
        "HD95 by structure. Logarithmic above 1 mm.",
    ]
    median = evaluated.findings.methods[0].structures["pancreas"]["dsc"].median
    assert f"ours pancreas median {median:.3f}" in pictures[0].alternative


def test_the_roc_curves_have_their_areas_and_bands(evaluated):
    found = evaluated.findings.methods
    picture = roc_picture(evaluated, found)
    for item in found:
        assert f"{item.name}, AUC {item.detection.auc.value:.3f}" in picture.alternative
    svg = base64.b64decode(picture.data_uri.partition(",")[2]).decode()
    assert len(re.findall("FillBetween", svg)) == 2


def test_without_lesions_there_is_no_curve():
    evaluated = invented(5, names=("pancreas",))
    assert roc_picture(evaluated, evaluated.findings.methods) is None


def test_the_comparison_counts_who_is_higher(evaluated):
    one, other = (evaluated.scores.by_case(name, "pancreas", "dsc") for name in ("ours", "theirs"))
    higher = sum(other[case].value > one[case].value for case in one)
    assert f"theirs is higher in {higher}." in comparison_picture(evaluated, "theirs").alternative
