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


def test_the_published_table_gives_a_row_for_each_case(shared_data):
    """The counts were made without this code."""
    rows = read_release_rows(shared_data / "pants_metadata", with_grid=True)
    assert len(rows) == 9901
    phases = [row.phase for row in rows.values()]
    told = {phase: phases.count(phase) for phase in set(phases)}
    assert told == {"non-contrast": 4487, "venous": 2895, "arterial": 2450, "delayed": 68, None: 1}
    sexes = [row.sex for row in rows.values()]
    assert (sexes.count("M"), sexes.count("F"), sexes.count(None)) == (2924, 2358, 4619)
    assert sum(row.age_years is None for row in rows.values()) == 4809
    assert sum(row.tumour is True for row in rows.values()) == 926 + 151
    first = rows["PanTS_00000057"]
    assert (first.shape_i, first.shape_j, first.shape_k) == (58, 391, 204)
