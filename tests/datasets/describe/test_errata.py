from wirsung.datasets.describe.errata import errata_rows, repair_counts, repair_rows


def test_what_others_found_is_told_with_its_cases_and_its_source(release):
    rows = errata_rows(release)
    assert ("PanTS_00003188", "has no mask celiac_artery, and no contrast phase in the table") in [
        row[:2] for row in rows
    ]
    assert all(what and source for _, what, source in rows)


def test_every_repair_of_the_table_is_listed(release):
    counts = repair_counts(release)
    assert ("sex", "M␣", "M", 1) in counts
    assert ("manufacturer", "SIEMENS", "Siemens", 3369) in counts
    rows = repair_rows(release)
    assert rows[0] == ["case", "column", "found", "made"]
    assert len(rows) - 1 == sum(count for *_, count in counts) == len(release.release.repairs)


def test_errors_of_cases_that_are_not_here_are_not_told(release):
    few = release.manifest.slice(0, 10)
    told = {cases for cases, _, _ in errata_rows(type(release)(**{**vars(release), "manifest": few}))}
    assert told == {"PanTS_00000006, PanTS_00000007", "not listed"}


def test_a_dataset_of_ones_own_has_neither(contents):
    assert (errata_rows(contents), repair_counts(contents)) == ([], [])
    assert repair_rows(contents) == [["case", "column", "found", "made"]]
