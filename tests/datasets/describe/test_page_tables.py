from wirsung.datasets.comparison import own_dataset
from wirsung.datasets.describe.coverage import Coverage
from wirsung.datasets.describe.missing import Missing
from wirsung.datasets.describe.page_tables import (
    card_table,
    cohort_table,
    comparison_table,
    coverage_table,
    file_table,
    missing_table,
    outlier_table,
    reason_table,
    reproduced_table,
)
from wirsung.datasets.tables.published import Reproduced
from wirsung.datasets.tables.table_one import table_one
from wirsung.pages.template import Page, Section, render


def html(table):
    return render(Page("x", "", (Section("", (table,)),)))


def test_table_one_explains_its_tests_only_where_it_has_some(both):
    one = cohort_table(table_one([both[0].cohort]))
    two = cohort_table(table_one([item.cohort for item in both]))
    assert "SMD" not in one.caption
    assert "SMD is the standardised mean difference" in two.caption
    assert two.columns[-3:] == ("p-value", "SMD", "Test")
    assert ("\N{EM SPACE}Female, n (%)", "5 (33.3)") in [row[:2] for row in one.rows]


def test_ones_own_dataset_stands_on_top_of_the_public_ones():
    table = comparison_table([own_dataset("mine", 1234, ["liver"], tumours=None)])
    assert table.rows[0][0] == "mine"
    assert [cell.text for cell in table.rows[0][1:5]] == ["–", "1,234", "–", "–"]
    assert len(table.rows) == 15
    assert all(len(row) == len(table.columns) for row in table.rows)


def test_a_missing_share_is_told_and_a_value_that_is_not_asked_for_is_a_dash():
    table = missing_table({"a": Missing(8, {"age": 2, "labels": 0}, ()), "b": Missing(4, {"age": 0}, ())})
    assert [[getattr(cell, "text", cell) for cell in row] for row in table.rows] == [
        ["age", "2 (25.0 %)", "0 (0.0 %)"],
        ["labels", "0 (0.0 %)", "–"],
    ]


def test_coverage_says_what_the_other_cases_are():
    table = coverage_table({"a": {"liver": Coverage(1, 1, 2)}, "b": {"spleen": Coverage(1, 0, 0)}})
    (liver, spleen) = table.rows
    assert (liver[1].text, liver[1].note, liver[2].text) == (
        "25.0 %",
        "1 empty, 2 not annotated",
        "not annotated",
    )
    assert (spleen[2].text, spleen[2].note) == ("100.0 %", "")


def test_outliers_of_several_datasets_are_named_and_sorted(both):
    far = both[0].outliers[0]
    table = outlier_table({"one": [far], "two": [far]})
    assert table.columns == ("case", "dataset", "why", "robust z")
    assert [row[1] for row in table.rows] == ["one", "two"]
    assert outlier_table({"one": [far]}).columns == ("case", "why", "robust z")


def test_a_figure_that_comes_out_as_printed_is_called_equal():
    rows = reproduced_table([Reproduced("A", "1", "1", ""), Reproduced("B", "1", "", "why")]).rows
    assert [row[3] for row in rows] == ["equal", "–"]
    assert rows[1][2] == "–"


def test_rows_with_one_reason_stand_together():
    found = [Reproduced(title, "1", "", "why") for title in "BC"] + [Reproduced("A", "1", "1", "")]
    assert [[cell.text for cell in row] for row in reason_table(found).rows] == [["B; C", "why"]]


def test_the_card_says_who_told_it(both):
    table = card_table([item.card for item in both])
    assert table.columns == ("question", "first", "second")
    assert {cell.note for row in table.rows for cell in row[1:]} >= {"", "manifest.parquet", "dataset.toml"}


def test_files_are_links_and_their_names_are_escaped():
    text = html(file_table({'a"b<c.csv': "what <it> is"}))
    assert '<a href="a&#34;b&lt;c.csv">a&#34;b&lt;c.csv</a>' in text
    assert "what &lt;it&gt; is" in text
