import pytest

from wirsung.curation.audit.release_table import read_release_table
from wirsung.curation.check import check
from wirsung.curation.settings import CheckSettings
from wirsung.errors import ManifestError


def test_the_published_table_gives_a_row_for_each_case(shared_data, tmp_path):
    """The counts were made without this code."""
    rows = read_release_table(shared_data / "pants_metadata")
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


def test_without_a_table_nothing_is_known(tmp_path):
    assert read_release_table(tmp_path) == {}


def test_a_damaged_table_makes_the_call_wrong(release):
    (release.root / "metadata.xlsx").write_bytes(b"PanTS ID;sex\n")
    with pytest.raises(ManifestError, match=r"no \.xlsx table"):
        check(CheckSettings(release.root))
