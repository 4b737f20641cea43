import shutil

import openpyxl
import pytest

from wirsung.curation.metadata import (
    Metadata,
    canonical_phase,
    read_manifest_metadata,
    read_metadata,
    read_release,
)
from wirsung.datasets.manifest import ManifestRow, write_manifest
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


def test_a_manifest_is_held_to_the_same_rules_as_the_table(tmp_path):
    assert read_manifest_metadata(tmp_path) == {}
    (tmp_path / "ImageTr").mkdir()
    assert read_manifest_metadata(tmp_path) == {}
    rows = [
        ManifestRow("a", "p1", centre="NYU", modality="t1", sex="F", age_years=0, tumour=False),
        ManifestRow("b", "Jane Doe", centre="a place with spaces", phase="venous", age_years=90),
    ]
    write_manifest(tmp_path, rows)
    found = read_manifest_metadata(tmp_path)
    assert found["a"].values == {
        "patient": "p1",
        "centre": "NYU",
        "sex": "F",
        "age_years": 0,
        "tumour": False,
    }
    assert found["b"].values == {"phase": "venous", "age_years": 90}
    table = Metadata({"centre": "MCF"}, "", ("mended",))
    assert table.over(found["a"]) == Metadata({**found["a"].values, "centre": "MCF"}, "", ("mended",))


def test_a_table_that_is_no_text_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="not UTF-8"):
        _read(tmp_path, "case,sex\nä,F\n", "latin-1")


def test_unknown_phases_are_none():
    assert canonical_phase("NON CONTRAST") == "non-contrast"
    assert canonical_phase("Delay") == "delayed"
    assert canonical_phase("") is None


HEADINGS = (
    *(
        "PanTS ID",
        "shape",
        "spacing",
        "ct phase",
        "sex",
        "age",
        "manufacturer",
        "manufacturer model",
        "study type",
    ),
    *("site", "site detail", "site nationality", "study year", "tumor?"),
)


def _xlsx(path, *rows, headings=HEADINGS):
    book = openpyxl.Workbook()
    book.active.append(list(headings))
    for row in rows:
        book.active.append(list(row))
    book.save(path)
    return path


def _row(case, phase="Venous", sex="M", age=61, tumour=0, year=2010):
    place = ("SIEMENS", "Sensation 64", "ct abdomen ", "NA", "NA", "NA")
    return (case, "(512, 512, 90)", "(0.7, 0.7, 2.5)", phase, sex, age, *place, year, tumour)


def test_the_table_of_a_release_takes_the_place_of_metadata_csv(tmp_path):
    _xlsx(
        tmp_path / "metadata.xlsx",
        _row("PanTS_1", sex="M ", age=97, tumour=1, year="06.2016-04.2021"),
        _row("PanTS_2", phase="Delay", sex=None, age=None),
        _row("PanTS_3", phase=None),
    )
    rows, ignored = read_metadata(tmp_path)
    assert ignored == []
    assert {case: row.values for case, row in rows.items()} == {
        "PanTS_1": {"phase": "venous", "sex": "M", "age_years": 90, "tumour": True},
        "PanTS_2": {"phase": "delayed", "tumour": False},
        "PanTS_3": {"sex": "M", "age_years": 61, "tumour": False},
    }


def test_each_repair_of_a_releases_table_is_listed(tmp_path):
    repairs = read_release(_xlsx(tmp_path / "metadata.xlsx", _row("PanTS_1", sex="M "))).repairs
    assert "PanTS_1: sex 'M ' was read as M" in repairs
    assert read_metadata(tmp_path)[0]["PanTS_1"].repairs == ("PanTS_1: sex 'M ' was read as M",)
    assert any(line.startswith("PanTS_1: site 'NA' was read as nothing") for line in repairs)


def test_columns_that_moved_are_named(tmp_path):
    headings = [name if name != "ct phase" else "phase of contrast" for name in HEADINGS]
    _xlsx(tmp_path / "metadata.xlsx", _row("PanTS_1"), headings=headings)
    with pytest.raises(
        ManifestError, match=r"lacks the columns 'ct phase'\. It has 'phase of contrast' instead"
    ):
        read_metadata(tmp_path)


def test_the_order_of_a_releases_columns_makes_no_difference(tmp_path):
    row = dict(zip(HEADINGS, _row("PanTS_1"), strict=True))
    turned = HEADINGS[::-1]
    _xlsx(tmp_path / "metadata.xlsx", [row[name] for name in turned], headings=turned)
    assert read_metadata(tmp_path)[0]["PanTS_1"].values["age_years"] == 61


def test_two_tables_are_one_too_many(tmp_path):
    _xlsx(tmp_path / "metadata.xlsx", _row("PanTS_1"))
    with pytest.raises(
        ManifestError, match=r"has metadata\.csv and metadata\.xlsx\. Keep the one that counts"
    ):
        _read(tmp_path, "case,sex\nPanTS_1,F\n")


def test_a_table_that_is_no_excel_file_is_refused(tmp_path):
    (tmp_path / "metadata.xlsx").write_text("PanTS ID,sex")
    with pytest.raises(ManifestError, match=r"is missing or no \.xlsx table"):
        read_metadata(tmp_path)


def test_the_real_table_is_read_as_it_was_counted(shared_data, tmp_path):
    shutil.copy(shared_data / "pants_metadata/metadata.xlsx", tmp_path)
    rows, ignored = read_metadata(tmp_path)
    values = [row.values for row in rows.values()]
    assert (len(rows), ignored) == (9901, [])
    assert sum(row["tumour"] for row in values) == 1077
    sexes = [row.get("sex") for row in values]
    assert (sexes.count("M"), sexes.count("F"), sexes.count(None)) == (2924, 2358, 4619)
    phases = [row.get("phase") for row in values]
    assert (phases.count("non-contrast"), phases.count("delayed"), phases.count(None)) == (4487, 68, 1)
    assert max(row.get("age_years", 0) for row in values) == 90
    assert sum("age_years" in row for row in values) == 5092
