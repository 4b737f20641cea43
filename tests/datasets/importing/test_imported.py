from wirsung.compute.cases import Outcome
from wirsung.datasets.importing.finding import Found, FoundCase
from wirsung.datasets.importing.imported import Imported
from wirsung.datasets.importing.source_table import SourceTable
from wirsung.datasets.sources import source_named


def made(source="pants", cases=("PanTS_00000006",), rows=None, **missing):
    told = source_named(source)
    part = told.layouts[0].parts[0]
    found = Found(
        told.layouts[0],
        {own: FoundCase(own, part) for own in cases},
        missing.get("unlabelled", ()),
        missing.get("imageless", ()),
    )
    table = None if rows is None else SourceTable("metadata.xlsx", rows, {"sex": 2}, ("new",))
    return Imported(
        [Outcome(own, "done") for own in cases], told, None, found, table, missing.get("gone", ())
    )


def test_what_is_here_of_how_much_is_told():
    lines = made().lines()
    assert lines[0].endswith("CC-BY-NC-ND-4.0: redistribution yes, derivatives no, commercial use no.")
    assert "1 of its 9,901 scans are here." in lines
    assert "1 known errata are about cases that are here; see wirsung describe." in lines


def test_long_lists_are_cut_in_the_terminal_and_whole_in_json():
    names = tuple(f"PanTS_{number:08}" for number in range(1, 6))
    result = made(imageless=names)
    (line,) = [line for line in result.lines() if line.startswith("Labels without an image")]
    assert line == (
        "Labels without an image: 5 (PanTS_00000001, PanTS_00000002, PanTS_00000003, ...; "
        "all are in import.json)."
    )
    assert result.as_json()["labels_without_an_image"] == list(names)


def test_rows_and_images_that_lack_each_other_are_told():
    result = made(rows={"PanTS_00000007": {}})
    assert "Images without a row in the table: 1 (PanTS_00000006)." in result.lines()
    assert "Rows of the table without an image: 1 (PanTS_00000007)." in result.lines()
    assert "metadata.xlsx: sex could not be read in 2 rows" in result.lines()
    assert "metadata.xlsx: the columns new are not known" in result.lines()


def test_without_a_table_no_row_is_missed():
    assert not any("row" in line for line in made().lines())
