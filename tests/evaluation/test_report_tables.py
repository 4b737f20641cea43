import pytest
from invented import invented

from wirsung.evaluation import report_tables
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.report_tables import bounds_of, case_table, comparison_table, convention_table
from wirsung.pages.template import Picture


def test_the_table_of_cases_begins_with_the_worst_and_their_pictures():
    evaluated = invented(6, names=("pancreas",))
    shown = {case: Picture("data:,", case) for case in evaluated.cases[:2]}
    table = case_table(evaluated, shown)
    assert table.columns[:3] == ("case", "picture", "centre")
    assert [row[0] for row in table.rows] == list(evaluated.cases)
    assert [row[1].picture is not None for row in table.rows] == [True, True, False, False, False, False]
    assert "2 worst" in table.caption


def test_without_pictures_there_is_no_column_of_them():
    table = case_table(invented(3, names=("pancreas",)), {})
    assert "picture" not in table.columns


def test_a_very_long_table_says_where_the_rest_is(monkeypatch):
    monkeypatch.setattr(report_tables, "MOST_CASES", 4)
    table = case_table(invented(6, names=("pancreas",)), {})
    assert len(table.rows) == 4
    assert "first 4 of 6" in table.caption
    assert "scores.csv" in table.caption


@pytest.mark.parametrize("name", ["pants", "msd", "panorama", "panseg"])
def test_conventions_stand_beside_their_sources(name):
    table = convention_table(protocol(name))
    assert all(len(row) == len(table.columns) for row in table.rows)
    assert {row[0] for row in table.rows} == {item.what for item in protocol(name).conventions}


def test_an_interval_with_one_end_is_none():
    assert bounds_of(0.1, float("nan"), 2) == ""


def test_the_comparison_gives_the_effect_in_two_ways():
    evaluated = invented(12, names=("pancreas",), methods=("ours", "theirs"))
    table = comparison_table(evaluated.findings.comparisons)
    found = evaluated.findings.comparisons[0].comparison
    cell = table.rows[0][table.columns.index("effect, dz")]
    assert cell.order == found.cohens_dz
    assert cell.note == f"rank-biserial {found.rank_biserial:+.2f}".replace("-", "−").replace(
        "rank−", "rank-"
    )
