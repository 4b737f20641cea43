from dataclasses import replace

from wirsung.datasets.describe.missing import Pattern, find_missing, missing_by_level


def test_gaps_are_counted_by_value_and_by_pattern(contents):
    found = find_missing(contents)
    # Sex is unknown of every third case (2, 5, 8, 11, 14), age of the first alone, checksums of all.
    assert {title: count for title, count in found.counts.items() if count} == {
        "age": 1,
        "sex": 5,
        "image checksum": 15,
    }
    assert found.patterns == (
        Pattern(("image checksum",), 9),
        Pattern(("sex", "image checksum"), 5),
        Pattern(("age", "image checksum"), 1),
    )


def test_the_patterns_hold_every_case_once(both):
    for item in both:
        assert sum(pattern.cases for pattern in item.missing.patterns) == item.contents.cases


def test_gaps_are_counted_by_centre(contents):
    # Cases 2, 8 and 14 are of centre 1, which has eight; 5 and 11 of centre 2.
    found = missing_by_level(contents, "sex", "centre")
    assert found == {"centre-1": (3, 8), "centre-2": (2, 7)}


def test_a_table_alone_is_not_blamed_for_what_only_files_have(contents):
    found = find_missing(replace(contents, dataset=None))
    assert not {"labels", "image checksum"} & set(found.counts)
