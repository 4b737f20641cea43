from collections import Counter

import numpy as np
import openpyxl
import pytest

from wirsung.datasets.release_metadata import COLUMNS, read_release_metadata, release_cohort
from wirsung.datasets.tables.rendering import cells
from wirsung.datasets.tables.table_one import table_one
from wirsung.errors import ManifestError

HEADER = [titles[0] for titles in COLUMNS.values()]
PLAIN = {
    "PanTS ID": "PanTS_00000001",
    "shape": "(512, 333, 200)",
    "spacing": "(0.625, 0.625, 0.8)",
    "ct phase": "Non-contrast",
    "sex": "F",
    "age": 66,
    "manufacturer": "SIEMENS",
    "manufacturer model": "Sensation 16",
    "study type": "ct colonography",
    "site": "15 Sites",
    "site detail": "Mayo Clinic Arizona",
    "site nationality": "US",
    "study year": 2000,
    "tumor?": 0,
}


@pytest.fixture
def table(tmp_path):
    def write(*rows, header=None):
        book = openpyxl.Workbook()
        book.active.append(header or HEADER)
        for row in rows:
            values = PLAIN | row
            book.active.append([values.get(name) for name in header or HEADER])
        path = tmp_path / "metadata.xlsx"
        book.save(path)
        return path

    return write


def test_a_plain_row_is_read(table):
    found = read_release_metadata(table({}))
    (row,) = found.rows
    assert (row.case, row.shape, row.spacing_mm) == ("PanTS_00000001", (512, 333, 200), (0.625, 0.625, 0.8))
    assert (row.phase, row.sex, row.age_years, row.tumour) == ("non-contrast", "F", 66, False)
    assert (row.manufacturer, row.model, row.study_years) == ("Siemens", "Sensation 16", (2000,))
    assert [(item.column, item.found, item.made) for item in found.repairs] == [
        ("manufacturer", "SIEMENS", "Siemens")
    ]


@pytest.mark.parametrize(
    ("column", "found", "attribute", "made"),
    [
        ("sex", "M ", "sex", "M"),
        ("sex", None, "sex", None),
        ("age", 0, "age_years", 0),
        ("site", "NA", "site", None),
        ("site detail", "IRCAD\xa0Hôpitaux ", "site_detail", "IRCAD Hôpitaux"),
        ("study type", "ct  ABDOMEN ", "study_type", "ct abdomen"),
        ("study year", "2012; 2016; 2020", "study_years", (2012, 2016, 2020)),
        ("study year", "06.2016-04.2021", "study_years", (2016, 2021)),
        ("study year", None, "study_years", ()),
        ("manufacturer", "GE MEDICAL SYSTEMS", "manufacturer", "GE"),
        ("manufacturer", "Philips Medical Systems", "manufacturer", "Philips"),
        ("ct phase", "Delay", "phase", "delayed"),
        ("ct phase", None, "phase", None),
        ("tumor?", 1, "tumour", True),
        ("spacing", "(5.0,0.80,0.80)", "spacing_mm", (5, 0.8, 0.8)),
    ],
)
def test_what_is_odd_is_understood(table, column, found, attribute, made):
    (row,) = read_release_metadata(table({column: found})).rows
    assert getattr(row, attribute) == made


def test_each_repair_is_listed_with_what_was_found(table):
    found = read_release_metadata(table({"sex": "M ", "site": "NA", "manufacturer": None}))
    assert [(item.column, item.found, item.made) for item in found.repairs] == [
        ("sex", "M ", "M"),
        ("site", "NA", ""),
    ]
    assert found.summary() == ["sex: 1 repaired", "site: 1 repaired"]


def test_a_model_gets_the_spelling_that_most_have(table):
    spellings = ["sensation 64", "Sensation 64", "Sensation 64"]
    rows = [
        {"PanTS ID": f"case-{number}", "manufacturer model": name, "manufacturer": None}
        for number, name in enumerate(spellings)
    ]
    found = read_release_metadata(table(*rows))
    assert {row.model for row in found.rows} == {"Sensation 64"}
    assert [(item.case, item.found) for item in found.repairs] == [("case-0", "sensation 64")]


@pytest.mark.parametrize(
    ("column", "found"),
    [
        ("sex", "X"),
        ("age", 200),
        ("age", "old"),
        ("spacing", "(0.8, 0.8)"),
        ("spacing", "(0.8, 0.8, 0)"),
        ("spacing", None),
        ("shape", "(512, 512, many)"),
        ("tumor?", 3),
        ("tumor?", None),
        ("ct phase", "Portal"),
        ("study year", "long ago"),
        ("manufacturer", "Acme"),
        ("PanTS ID", "../up"),
    ],
)
def test_a_value_that_its_column_can_not_hold_is_named(table, column, found):
    with pytest.raises(ManifestError) as raised:
        read_release_metadata(table({column: found}))
    assert f"in the column {column!r}" in str(raised.value)
    assert "metadata.xlsx: case" in str(raised.value)


def test_a_column_that_was_renamed_is_named_with_the_new_one(table):
    header = ["phase of contrast" if name == "ct phase" else name for name in HEADER]
    with pytest.raises(
        ManifestError, match=r"lacks the columns 'ct phase'\. It has 'phase of contrast' instead"
    ):
        read_release_metadata(table({}, header=header))


def test_columns_are_found_by_name_in_any_order_and_others_are_ignored(table):
    header = ["extra", *reversed(HEADER), "structured report"]
    found = read_release_metadata(table({"structured report": "FINDINGS:_x000D_\nno lesion"}, header=header))
    assert found.rows[0].age_years == 66
    assert found.rows[0].report.startswith("FINDINGS:")
    assert found.ignored == ("extra",)


def test_the_other_copys_names_are_known(table):
    other = {"PanTS ID": "BDMAP ID", "tumor?": "number of pancreatic lesion instances"}
    header = [other.get(name, name) for name in HEADER]
    row = {"BDMAP ID": "BDMAP_1", "number of pancreatic lesion instances": 1}
    assert read_release_metadata(table(row, header=header)).rows[0].tumour


def test_a_case_with_two_rows_is_named(table):
    with pytest.raises(ManifestError, match="case PanTS_00000001 has two rows"):
        read_release_metadata(table({}, {"age": 3}))


@pytest.mark.parametrize("content", [None, b"", b"no table"])
def test_what_is_no_table_is_refused(tmp_path, content):
    path = tmp_path / "metadata.xlsx"
    if content is not None:
        path.write_bytes(content)
    with pytest.raises(ManifestError, match=r"missing or no \.xlsx"):
        read_release_metadata(path)


@pytest.fixture(scope="module")
def release(shared_data):
    return read_release_metadata(shared_data / "pants_metadata" / "metadata.xlsx")


def test_the_real_table_is_read_whole(release):
    assert len(release.rows) == 9901
    assert sum(row.tumour for row in release.rows) == 1077
    blank = [row.case for row in release.rows if row.phase is None]
    assert blank == ["PanTS_00003188"]
    assert Counter(row.sex for row in release.rows) == {"M": 2924, "F": 2358, None: 4619}
    (repair,) = [item for item in release.repairs if item.column == "sex"]
    assert (repair.case, repair.found, repair.made) == ("PanTS_00009347", "M ", "M")


def test_the_real_repairs_are_all_counted(release):
    assert Counter(item.column for item in release.repairs) == {
        "manufacturer": 3369 + 768 + 89 + 1,
        "site": 594,
        "site_detail": 1225,
        "nationality": 594,
        "study_type": 354,
        "model": 206,
        "sex": 1,
    }


def test_table_one_of_the_paper_comes_out_where_the_release_can_give_it(release):
    told = dict(map(tuple, cells(table_one([release_cohort("training", release.rows)]))))
    # As published.
    assert told["Age, years, mean (SD)"] == "60.6 (13.0)"
    assert told["    Female, n (%)"] == "2,358 (23.8)"
    assert told["Slice thickness, mm, median (IQR)"] == "1.25 (0.80, 2.50)"
    assert told["    Portal venous, n (%)"] == "2,895 (29.2)"
    assert told["    Arterial, n (%)"] == "2,450 (24.7)"
    assert told["    Yes, n (%)"] == "1,077 (10.9)"
    assert told["    No, n (%)"] == "8,824 (89.1)"
    # One case off: the paper counts "M " as unknown, and the blank phase as non-contrast (4,488).
    assert told["    Male, n (%)"] == "2,924 (29.5)"
    assert told["    Non-contrast, n (%)"] == "4,487 (45.3)"
    # 68 of 9,901 are 0.7 %, and not the 0.8 of the paper.
    assert told["    Delayed, n (%)"] == "68 (0.7)"


def test_the_papers_in_plane_spacing_is_the_first_of_three_whatever_the_axis(release):
    # Published: 0.81 (0.74, 0.98). In 497 cases the first axis lies across the slices, so ours is lower.
    first = np.array([row.spacing_mm[0] for row in release.rows])
    assert np.percentile(first, (50, 25, 75)).round(2).tolist() == [0.81, 0.74, 0.98]
    ours = release_cohort("training", release.rows).numbers["in_plane_spacing_mm"]
    assert np.percentile(ours, (50, 25, 75)).round(2).tolist() == [0.8, 0.74, 0.95]
