from wirsung.datasets.tables.cohort import cohort
from wirsung.datasets.tables.rendering import as_csv, as_latex, as_markdown, cells
from wirsung.datasets.tables.table_one import table_one


def test_one_cohort_is_told_without_tests(tables):
    table = cells(table_one([cohort("ours", *tables)]))
    assert table[0] == ["Variable", "ours (n = 4)"]
    told = dict(map(tuple, table))
    assert told["Age, years, mean (SD)"] == "60.0 (10.0)"
    assert told["    Female, n (%)"] == "2 (50.0)"
    assert told["    Portal venous, n (%)"] == "3 (75.0)"
    assert told["    Delayed, n (%)"] == "0 (0.0)"
    assert told["Dilated duct"] == "-"
    assert told["Tumour volume, mm³, median (IQR)"] == "3,000 (2,500, 3,500)"


def test_the_unknown_are_counted(tables):
    lines = [line for line in cells(table_one([cohort("ours", *tables)])) if "Unknown" in line[0]]
    assert [line[1] for line in lines] == [
        "1 (25.0)",
        "1 (25.0)",
        "2 (50.0)",
        "2 (50.0)",
    ]  # age, sex, pancreas


def test_the_table_is_written_for_papers(tables):
    table = table_one([cohort("ours", *tables), cohort("theirs_2", *tables)])
    assert as_csv(table).splitlines()[0] == "Variable,ours (n = 4),theirs_2 (n = 4),p-value,SMD,Test"
    assert "| &emsp;Female, n (%) | 2 (50.0) | 2 (50.0) |" in as_markdown(table)
    latex = as_latex(table)
    assert r"theirs\_2 (n = 4)" in latex
    assert r"\quad Female, n (\%) & 2 (50.0)" in latex
    assert latex.count(r"\\") == len(cells(table))
