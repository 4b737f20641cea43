import pytest
from source_fakes import PANTS_HEADER, PANTS_ROW, pants, save_table

from wirsung.datasets.importing.finding import list_files
from wirsung.datasets.importing.source_table import read_source_table
from wirsung.datasets.sources import source_named
from wirsung.errors import ManifestError

HEADER = ["image_id", "age", "gender", "institute", "study_type", "split", "manufacturer"]
ROW = ["s0000", 66.0, "m", "A", "ct abdomen", "val", "SIEMENS"]


def read(name, folder):
    return read_source_table(source_named(name), folder, list_files(folder))


@pytest.mark.parametrize(
    ("column", "cell", "ours", "value"),
    [
        ("age", "045Y", "age_years", 45),
        ("age", "45.0", "age_years", 45),
        ("age", "93", "age_years", 90),
        ("age", "000Y", "age_years", 0),
        ("age", "old", "age_years", None),
        ("age", "400", "age_years", None),
        ("gender", " F ", "sex", "F"),
        ("gender", "Male", "sex", "M"),
        ("gender", "?", "sex", None),
        ("split", "val", "subset", "train"),
        ("split", "test", "subset", "test"),
        ("split", "TRAIN", "subset", "train"),
        ("manufacturer", "GE MEDICAL SYSTEMS", "manufacturer", "GE"),
        ("manufacturer", "Siemens Healthineers", "manufacturer", "Siemens"),
        ("manufacturer", "Somebody", "manufacturer", None),
        ("institute", "NaN", "centre", None),
        ("institute", "Site B", "centre", "Site B"),
    ],
)
def test_a_cell_is_read_or_left_out(column, cell, ours, value, tmp_path):
    row = [cell if title == column else found for title, found in zip(HEADER, ROW, strict=True)]
    save_table(tmp_path / "meta.csv", [HEADER, row])
    table = read("totalsegmentator-v2", tmp_path)
    assert table.rows["s0000"].get(ours) == value
    assert (ours in table.unread) == (value is None)


def test_columns_may_stand_in_any_order_with_others_between(tmp_path):
    order = [3, 0, 6, 1, 5, 2, 4]
    save_table(tmp_path / "meta.csv", [[*(HEADER[i] for i in order), "new"], [*(ROW[i] for i in order), "x"]])
    assert read("totalsegmentator-v2", tmp_path).rows["s0000"]["sex"] == "M"


def test_columns_that_are_missing_are_named_with_the_new_ones(tmp_path):
    header = ["sex at birth" if title == "gender" else title for title in HEADER]
    save_table(tmp_path / "meta.csv", [header, ROW])
    with pytest.raises(
        ManifestError, match=r"lacks the columns 'gender'; new are 'sex at birth', 'study_type'"
    ):
        read("totalsegmentator-v2", tmp_path)


def test_a_changed_pants_table_names_its_columns(tmp_path):
    raw = pants(None).build(tmp_path)
    header = ["phase" if title == "ct phase" else title for title in PANTS_HEADER]
    save_table(raw / "data/metadata.xlsx", [header, ["PanTS_00000001", *PANTS_ROW]])
    with pytest.raises(
        ManifestError, match=r"metadata\.xlsx lacks the columns 'ct phase'\. It has 'phase' instead"
    ):
        read("pants", raw)


def test_two_rows_of_one_case_must_be_equal(tmp_path):
    save_table(tmp_path / "meta.csv", [HEADER, ROW, ROW])
    assert len(read("totalsegmentator-v2", tmp_path).rows) == 1
    save_table(tmp_path / "meta.csv", [HEADER, ROW, ["s0000", 3, *ROW[2:]]])
    with pytest.raises(ManifestError, match="case s0000 has two rows that differ"):
        read("totalsegmentator-v2", tmp_path)


@pytest.mark.parametrize(
    ("source", "file", "content", "match"),
    [
        ("totalsegmentator-v2", "meta.csv", b"\xff\xfe\x00", "can't be read as a table"),
        ("totalsegmentator-v2", "meta.csv", b"", "has no rows"),
        ("kits", "kits23.json", b"{", "can't be read as a table"),
        ("panorama", "clinical_information.xlsx", b"zip", "can't be read as a table"),
        ("pants", "metadata.xlsx", b"zip", "no .xlsx table"),
    ],
)
def test_a_damaged_table_is_refused(source, file, content, match, tmp_path):
    (tmp_path / file).write_bytes(content)
    with pytest.raises(ManifestError, match=match):
        read(source, tmp_path)


def test_a_table_may_lie_beside_the_folder(tmp_path):
    inner = tmp_path / "amos22"
    inner.mkdir()
    header = ["amos_id", "Patient's Sex", "Patient's Age", "Manufacturer", "Site"]
    save_table(tmp_path / "labeled_data_meta_0000_0599.csv", [header, [7, "M", "", "", "SZ"]])
    assert read("amos", inner).rows["amos_0007"] == {"sex": "M", "centre": "SZ"}


def test_without_a_table_there_is_none(tmp_path):
    assert read("totalsegmentator-v2", tmp_path) is None
    assert read("word", tmp_path) is None


def test_the_real_table_of_pants_gives_each_case_its_row(shared_data):
    table = read("pants", shared_data / "pants_metadata")
    assert len(table.rows) == 9901
    assert sum(row["tumour"] for row in table.rows.values()) == 1077
    assert "phase" not in table.rows["PanTS_00003188"]
    assert max(row.get("age_years", 0) for row in table.rows.values()) == 90
    assert "site" not in table.rows["PanTS_00000001"]


def test_the_real_table_of_panorama_gives_each_study_its_row(shared_data):
    table = read("panorama", shared_data / "panorama_labels")
    assert len(table.rows) == 2238
    assert len({row["patient"] for row in table.rows.values()}) == 2224
    assert sum(bool(row.get("tumour")) for row in table.rows.values()) == 676
    assert "tumour" not in table.unread
