from wirsung.datasets.release_rows import read_release_rows


def test_without_a_table_nothing_is_known(tmp_path):
    assert read_release_rows(tmp_path) == {}


def test_the_real_table_fills_9901_rows(shared_data):
    rows = read_release_rows(shared_data / "pants_metadata")
    assert len(rows) == 9901
    assert sum(row.tumour for row in rows.values()) == 1077
    assert sum(row.phase == "venous" for row in rows.values()) == 2895
    assert rows["PanTS_00009347"].sex == "M"
    assert all(row.patient == case for case, row in rows.items())
