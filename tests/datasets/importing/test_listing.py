from pathlib import Path

import pytest

from wirsung.datasets.importing.listing import SourceList, absent_structures, overlaps_table, sources_table
from wirsung.datasets.sources import all_sources, source_named

PAGE = Path(__file__).parents[3] / "docs/concepts/sources.md"


@pytest.mark.parametrize("table", [sources_table, overlaps_table])
def test_the_page_of_sources_holds_the_tables_as_they_are(table):
    made = table(all_sources())
    assert made in PAGE.read_text(encoding="utf-8"), f"put this into {PAGE.name}:\n{made}"


def test_the_list_names_every_source_once():
    lines = SourceList().lines()
    assert [line.split()[0] for line in lines[1:-1]] == [source.name for source in all_sources()]
    assert not SourceList().is_saved


def test_the_list_is_json_too():
    (pants,) = [row for row in SourceList().as_json()["sources"] if row["name"] == "pants"]
    assert pants["scans"] == 9901
    assert len(pants["annotated"]) == 28


def test_what_a_source_has_not_is_told():
    absent = absent_structures(source_named("msd-pancreas"))
    assert len(absent) == 26
    assert "liver" in absent
    assert absent_structures(source_named("pants")) == ()
    assert "kidney_left" in absent_structures(source_named("kits"))
