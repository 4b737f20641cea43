import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wirsung.errors import ManifestError
from wirsung.evaluation.case_table import csv_rows, patients_of, read_case_table


def written(path, text):
    path.write_text(text, encoding="utf-8")
    return path


def test_numbers_of_a_csv_are_numbers_and_names_stay_text(tmp_path):
    table = read_case_table(written(tmp_path / "t.csv", "case,age,site,code\n1e5,61,A,007\n0042,7.5,,12\n"))
    assert table["1e5"] == {"age": 61, "site": "A", "code": "007"}
    assert table["0042"] == {"age": 7.5, "site": None, "code": 12}


def test_a_byte_order_mark_and_empty_lines_do_no_harm(tmp_path):
    path = tmp_path / "t.csv"
    path.write_bytes("\ufeffname,sex\r\na,F\r\n\r\nb,M\r\n".encode())
    assert read_case_table(path) == {"a": {"sex": "F"}, "b": {"sex": "M"}}


@pytest.mark.parametrize("separator", [",", ";", "\t"])
def test_comma_semicolon_and_tab_separate(tmp_path, separator):
    text = "case,sex,age\na,F,61\n".replace(",", separator)
    assert read_case_table(written(tmp_path / "t.csv", text)) == {"a": {"sex": "F", "age": 61}}


def test_a_quoted_cell_may_hold_a_separator(tmp_path):
    table = read_case_table(written(tmp_path / "t.csv", 'case,site\na,"North, West"\n'))
    assert table["a"]["site"] == "North, West"


def test_a_parquet_file_is_read(tmp_path):
    pq.write_table(pa.table({"case": ["a"], "patient": ["p"], "sex": [None]}), tmp_path / "t.parquet")
    table = read_case_table(tmp_path / "t.parquet")
    assert table == {"a": {"patient": "p", "sex": None}}
    assert patients_of(table) == {"a": "p"}


def test_a_dataset_without_a_manifest_knows_its_cases(dataset):
    table = read_case_table(dataset)
    assert sorted(table) == ["one", "two"]
    assert table["one"]["patient"] == "one"


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("patient,sex\np,F\n", "no column that names the case"),
        ("case,sex\na,F\na,M\n", "case a twice"),
        ("case,sex\n,F\n", "a row without a case"),
        ("case,sex\na\n", "row 2 has 1 cells, but the header has 2"),
        ("", "is empty"),
    ],
)
def test_a_table_that_is_not_one_row_a_case_is_refused(tmp_path, text, said):
    with pytest.raises(ManifestError, match=said):
        read_case_table(written(tmp_path / "t.csv", text))


def test_a_missing_or_binary_table_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="is not there"):
        csv_rows(tmp_path / "none.csv")
    with pytest.raises(ManifestError, match="is not there"):
        read_case_table(tmp_path / "none.parquet")
    (tmp_path / "bad.csv").write_bytes(b"\xff\xfe\x00")
    with pytest.raises(ManifestError, match="UTF-8"):
        csv_rows(tmp_path / "bad.csv")
    (tmp_path / "bad.parquet").write_bytes(b"PAR1")
    with pytest.raises(ManifestError, match="not Parquet"):
        read_case_table(tmp_path / "bad.parquet")
