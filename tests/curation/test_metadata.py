import pytest

from wirsung.curation.metadata import Metadata, canonical_phase, read_metadata
from wirsung.datasets.manifest import ManifestRow
from wirsung.errors import ManifestError


def _read(tmp_path, text, encoding="utf-8"):
    (tmp_path / "metadata.csv").write_bytes(text.encode(encoding))
    return read_metadata(tmp_path)


def test_values_are_read_by_their_columns(tmp_path):
    heading = "case,patient,centre,modality,phase,sex,age_years,tumour"
    text = f"{heading}\na,p1,centre-1,ct,Portal venous,female,61,1\n"
    rows, ignored = _read(tmp_path, text)
    assert ignored == []
    assert rows["a"].values == {
        "patient": "p1",
        "centre": "centre-1",
        "modality": "ct",
        "phase": "venous",
        "sex": "F",
        "age_years": 61,
        "tumour": True,
    }
    applied = rows["a"].applied_to(ManifestRow("a", "a", tumour=False, manufacturer="GE"))
    assert (applied.patient, applied.tumour, applied.manufacturer) == ("p1", True, "GE")


def test_empty_cells_leave_the_manifest_as_it_is(tmp_path):
    rows, _ = _read(tmp_path, "case,patient,sex\na,,\n")
    row = ManifestRow("a", "a", sex="M")
    assert rows["a"].applied_to(row) == row


def test_a_table_from_a_german_spreadsheet_is_read(tmp_path):
    rows, _ = _read(tmp_path, "case;patient;sex\r\na;p1;M\r\n", "utf-8-sig")
    assert rows["a"].values == {"patient": "p1", "sex": "M"}


def test_no_table_is_no_metadata(tmp_path):
    assert read_metadata(tmp_path) == ({}, [])


def test_the_oldest_are_ninety(tmp_path):
    rows, _ = _read(tmp_path, "case,age_years\na,97\nb,89\nc,0\n")
    assert [rows[case].values["age_years"] for case in "abc"] == [90, 89, 0]


@pytest.mark.parametrize(
    ("column", "value"),
    [
        ("patient", "Mustermann"),
        ("patient", "Erika Mustermann 7"),
        ("patient", "../../etc/7"),
        ("centre", "Charité Berlin"),
        ("centre", "x" * 33),
        ("modality", "pet"),
        ("phase", "Dr. Mustermann"),
        ("sex", "Mustermann"),
        ("age_years", "12.3.1961"),
        ("age_years", "-4"),
        ("age_years", "131"),
        ("age_years", "nan"),
        ("tumour", "2"),
        ("tumour", "Mustermann"),
    ],
)
def test_what_is_no_code_number_or_known_word_is_a_problem_that_does_not_show_it(tmp_path, column, value):
    rows, _ = _read(tmp_path, f"case,{column}\na,{value}\nb,\n")
    assert rows["a"].values == {}
    assert f"{column} of case a is not" in rows["a"].problem
    assert value not in rows["a"].problem
    assert rows["b"] == Metadata()


def test_two_rows_for_a_case_are_a_problem_of_that_case(tmp_path):
    rows, _ = _read(tmp_path, "case,sex\na,F\na,M\nb,F\n")
    assert "two rows for case a" in rows["a"].problem
    assert rows["b"].values == {"sex": "F"}


@pytest.mark.parametrize("row", ["a", "a,F,61"])
def test_a_row_of_another_length_is_a_problem_of_its_case(tmp_path, row):
    rows, _ = _read(tmp_path, f"case,sex\n{row}\n")
    assert "too many or too few cells" in rows["a"].problem


def test_a_table_without_cases_is_refused_and_not_shown(tmp_path):
    with pytest.raises(ManifestError, match="no column named case") as caught:
        _read(tmp_path, "Mustermann,61\nMusterfrau,60\n")
    assert "Muster" not in str(caught.value)


def test_a_table_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="not UTF-8"):
        _read(tmp_path, "case,sex\nä,F\n", "latin-1")


def test_unknown_phases_are_none():
    assert canonical_phase("NON CONTRAST") == "non-contrast"
    assert canonical_phase("Delay") == "delayed"
    assert canonical_phase("") is None
