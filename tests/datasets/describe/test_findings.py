from wirsung.datasets.describe.extra import Extra
from wirsung.datasets.describe.findings import findings_of, is_whole_release


def test_a_dataset_is_counted_for_the_comparison(both):
    found = both[0].compared()
    # Cases 0, 3, 6, 9, 12 have a tumour.
    assert (found.name, found.scans, found.tumours, found.institutions) == ("first", 15, 5, 2)
    assert found.countries is None
    assert found.ticks == {"liver", "pancreas", "spleen"}


def test_the_cohort_and_the_card_bear_the_name_on_the_page(contents):
    found = findings_of(contents, "another", 3.5)
    assert (found.cohort.name, found.card.name) == ("another", "another")
    assert found.reproduced == ()


def test_the_whole_release_is_held_against_the_paper(released):
    assert is_whole_release(released.contents)
    assert sum(row.is_equal for row in released.reproduced) == 7


def test_the_release_counts_tumours_and_countries_and_no_centres(released):
    found = released.compared()
    assert (found.scans, found.tumours, found.countries, found.institutions) == (9901, 1077, 12, None)
    assert len(found.ticks) == 25


def test_the_releases_training_and_test_cases_are_its_parts(released):
    table = released.parts("subset")
    assert (table.cohorts, table.cases) == (("train", "test"), (9000, 901))
    tumour = next(row for row in table.rows if row.variable.column == "tumour")
    # 926 of 9,000 and 151 of 901.
    assert [dict(item.counts)["yes"] for item in tumour.summaries] == [926, 151]
    assert tumour.difference.test == "chi-square"


def test_of_many_parts_the_largest_are_told_and_one_part_is_none(released):
    assert len(released.parts("centre").cohorts) == 8
    assert released.parts("modality") is None
    assert released.parts("tumour").cohorts == ("no tumour", "tumour")


def test_an_extra_table_is_joined_by_case(both):
    extra = Extra({"dilated_duct": {"first-00": "yes", "first-03": "no"}})
    found = both[0].with_extra(extra)
    assert found.cohort.words["dilated_duct"][:4] == ["yes", None, None, "no"]
    duct = next(row for row in found.parts("tumour").rows if row.variable.column == "dilated_duct")
    # Both are cases with a tumour, which are the smaller part.
    assert [dict(item.counts) for item in duct.summaries] == [{"yes": 0, "no": 0}, {"yes": 1, "no": 1}]
    assert not extra.names_any(["second-00"])
