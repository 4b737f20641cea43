from wirsung.datasets.comparing_page import ComparedPair, leaks_page
from wirsung.datasets.leaks import KINDS, Leak, Scan
from wirsung.datasets.manifest import ManifestRow
from wirsung.pages.template import render

COUNTS = dict.fromkeys(KINDS, 0)


def leak(number, kind="patient"):
    scans = (Scan(name, ManifestRow(f"{name}-{number}", "p")) for name in ("one", "two"))
    return Leak(kind, *scans, "the same patient code")


def test_a_page_of_nothing_says_so():
    html = render(leaks_page([ComparedPair("one", "two", COUNTS)], [], [], {"one": None, "two": None}, 24))
    assert "No scan and no patient was found in two datasets." in html
    assert "What one and two share" in html


def test_a_long_list_is_cut_and_says_so():
    leaks = [leak(number) for number in range(2100)]
    counts = COUNTS | {"patient": 2100}
    html = render(leaks_page([ComparedPair("one", "two", counts)], leaks, [], {"one": None, "two": None}, 0))
    assert "The first 2,000 of 2,100 pairs" in html
    assert "one-1999" in html
    assert "one-2000" not in html
