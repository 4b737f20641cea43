import numpy as np
import pytest
from invented import invented
from scipy import stats

from wirsung.evaluation.case import LESION
from wirsung.evaluation.report_volumes import volume_section
from wirsung.pages.template import Gallery, Table


def block(section, kind):
    (found,) = [item for item in section.blocks if isinstance(item, kind)]
    return found


def test_the_table_holds_what_scipy_and_hand_find():
    evaluated = invented(60, names=("pancreas",))
    by_case = evaluated.scores.by_case
    predicted = np.array([row.value for row in by_case("ours", "pancreas", "volume_ml").values()])
    reference = np.array([row.value for row in by_case("ours", "pancreas", "reference_volume_ml").values()])
    table = block(volume_section(evaluated), Table)
    row = dict(zip(table.columns, table.rows[0], strict=True))
    difference = predicted - reference
    assert row["bias, ml"].order == pytest.approx(difference.mean())
    ends = difference.mean() + np.array([-1, 1]) * stats.norm.ppf(0.975) * difference.std(ddof=1)
    assert row["limits of agreement, ml"].text == f"{ends[0]:+.1f} to {ends[1]:+.1f}".replace("-", "−")
    assert row["Pearson's r"].order == pytest.approx(stats.pearsonr(reference, predicted).statistic)
    assert row["n"].text == "60"


def test_where_both_are_empty_nothing_agrees():
    evaluated = invented(40, names=("pancreas", LESION))
    by_case = evaluated.scores.by_case
    pairs = zip(
        by_case("ours", LESION, "volume_ml").values(),
        by_case("ours", LESION, "reference_volume_ml").values(),
        strict=True,
    )
    held = sum(max(one.value, other.value) > 0 for one, other in pairs)
    assert 20 < held < 40
    table = block(volume_section(evaluated), Table)
    assert table.rows[1][-1].text == str(held)


def test_the_gland_and_the_lesion_are_drawn_for_each_method():
    evaluated = invented(30, names=("pancreas", "liver", LESION), methods=("ours", "theirs"))
    section = volume_section(evaluated)
    titles = [picture.caption for picture in block(section, Gallery).pictures]
    assert ["pancreas volume, ours" in title for title in titles] == [True, False, False, False]
    assert "pancreatic lesion volume, theirs" in titles[3]
    assert len(block(section, Table).rows) == 6


def test_two_cases_agree_on_nothing():
    assert volume_section(invented(2, names=("pancreas",))) is None
