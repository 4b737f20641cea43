import numpy as np
import pytest

from wirsung.datasets.describe.extra import read_extra
from wirsung.datasets.tables.cohort import Cohort
from wirsung.datasets.tables.rendering import cells
from wirsung.datasets.tables.table_one import table_one
from wirsung.errors import ConfigError

NONE = Cohort("ours", 3, {}, {})


@pytest.fixture
def table(tmp_path):
    def write(text):
        path = tmp_path / "extra.csv"
        path.write_text(text, encoding="utf-8-sig")
        return path

    return write


def test_further_columns_are_rows_of_table_one(table):
    extra = read_extra(table("case,dilated_duct,CA 19-9,grade\na,yes,35.5,G1\nb,no,NA,G2\nz,no,1,G2\n"))
    found = extra.added_to(NONE, ["a", "b", "c"])
    assert found.words["dilated_duct"] == ["yes", "no", None]
    np.testing.assert_array_equal(found.numbers["CA 19-9"], [35.5, np.nan, np.nan])
    told = dict(map(tuple, cells(table_one([found], extra.variables()))))
    assert told["CA 19-9, median (IQR)"] == "35.50 (35.50, 35.50)"
    assert told["    G1, n (%)"] == "1 (33.3)"
    rows = cells(table_one([found], extra.variables()))
    place = [row[0] for row in rows].index("Dilated duct")
    assert [row[1] for row in rows[place + 1 : place + 4]] == ["1 (33.3)", "1 (33.3)", "1 (33.3)"]


def test_a_column_of_table_one_is_replaced(table):
    found = read_extra(table("case,age_years\na,50\n")).added_to(
        Cohort("x", 1, {"age_years": np.array([1.0])}, {}), ["a"]
    )
    assert found.numbers["age_years"].tolist() == [50]


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("", "needs the column 'case'"),
        ("case\na\n", "needs the column 'case' and at least one more"),
        ("id,x\na,1\n", "needs the column 'case'"),
        ("case,x\na,1\na,2\n", "case 'a' has 2 rows"),
        ("case,age_years\na,old\n", "the column 'age_years' holds numbers"),
    ],
)
def test_a_table_that_can_not_be_used_is_refused(table, text, match):
    with pytest.raises(ConfigError, match=match):
        read_extra(table(text))


def test_a_table_that_is_not_there_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="missing or no CSV"):
        read_extra(tmp_path / "none.csv")
