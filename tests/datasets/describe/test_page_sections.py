from dataclasses import replace

from wirsung.datasets.contents import contents_of
from wirsung.datasets.describe.findings import findings_of
from wirsung.datasets.describe.page_sections import (
    as_published,
    by_level,
    distributions,
    errata,
    label_coverage,
    missing_data,
    outlying_cases,
    public_comparison,
)
from wirsung.pages.template import Gallery, Notice, Paragraph, Table


def of_kind(section, kind):
    return [block for block in section.blocks if isinstance(block, kind)]


def captions(section):
    return [picture.caption for gallery in of_kind(section, Gallery) for picture in gallery.pictures]


def test_every_quantity_that_is_known_has_a_figure(both):
    found = distributions(both)
    # Age, two spacings, four of the lesion and the pancreas each; then volume and HU of every structure.
    assert len(captions(found)) == 8 + 2
    assert captions(found)[0] == "Cases: first 14, second 11."


def test_small_multiples_are_drawn_for_each_dataset_with_several_levels(both):
    found = by_level(both, "phase", "contrast phase")
    assert [block.text for block in of_kind(found, Paragraph)] == ["first", "second"]
    assert len(captions(found)) == 8
    assert by_level(both, "manufacturer", "maker").blocks == ()


def test_missing_data_say_where(both):
    found = missing_data(both[:1])
    # The checksums, which are missing most, are missing everywhere, so there is nothing to say of where.
    assert len(of_kind(found, Table)) == 1
    assert "each row is a pattern" in captions(found)[0]


def test_where_a_value_is_missing_is_told_by_centre(released):
    table = of_kind(missing_data([released]), Table)[1]
    assert table.columns == ("centre", "cases", "manufacturer, missing")
    told = {row[0].text: row[2].text for row in table.rows}
    assert told["University Hospital Tubingen"] == "0 (0.0 %)"
    assert told["Memorial Sloan Kettering Cancer Center"] == "966 (100.0 %)"


def test_masks_that_were_not_measured_are_told(both):
    unmeasured = replace(both[0], contents=replace(both[0].contents, structures=None))
    assert "count as present" in of_kind(label_coverage([unmeasured]), Notice)[0].text
    assert not of_kind(label_coverage(both), Notice)
    assert label_coverage([replace(both[0], coverage={})]).blocks == ()


def test_outliers_are_listed_or_none_is_said_to_be(both):
    assert of_kind(outlying_cases(both, [], 3.5), Table)
    none = outlying_cases([replace(both[0], outliers=())], [], 5.0)
    assert none.blocks[-1] == Paragraph("No value is that far out.")
    assert "from a robust z-score of 5 on" in none.blocks[0].text


def test_of_few_cases_it_is_said_that_nobody_can_tell(small_dataset):
    few = findings_of(contents_of(small_dataset(cases=3)), "few", 3.5)
    assert "of fewer than 10 cases nobody can say" in of_kind(outlying_cases([few], [], 3.5), Notice)[0].text


def test_the_published_table_is_made_again_and_its_score_is_told(released, both):
    (told,) = of_kind(as_published([released]), Paragraph)
    assert "Of 19 published rows 7 come out as printed, 5 otherwise, and 7 can't be had" in told.text
    assert as_published(both).blocks == ()


def test_errata_and_repairs_are_told_of_a_release_and_of_nothing_else(released, both):
    known, repairs = of_kind(errata([released]), Table)
    assert "told by others" in known.caption
    assert "values of its table were repaired" in repairs.caption
    assert errata(both).blocks == ()


def test_the_comparison_names_what_other_sources_say(both):
    text = of_kind(public_comparison(both), Paragraph)[0].text
    assert "676 of its 2,238 studies" in text
    assert ".." not in text
