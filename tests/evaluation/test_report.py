import re

import pytest
from invented import invented, write_scans

from wirsung.evaluation.report import page
from wirsung.evaluation.report_tables import metric_title, with_interval
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.statistics import summarise
from wirsung.pages.template import render


@pytest.fixture(scope="module")
def html(known, tmp_path_factory):
    root = tmp_path_factory.mktemp("report")
    references = known.write_references(root / "reference")
    predictions = known.write_predictions(root / "prediction")
    other = known.write_predictions(root / "other")
    (predictions / "c.nii.gz").unlink()
    settings = EvaluateSettings(references, predictions, root / "scores", also=(other,), scheme="pants-2")
    return evaluate(settings).report.read_text(encoding="utf-8")


def test_the_page_says_what_was_run_and_what_failed(html):
    assert "prediction and other against reference" in html
    assert "1 of 8 could not be scored" in html
    assert "there is no prediction" in html


def test_the_page_defines_what_it_shows(html):
    assert "is &lt; 2 mm" in html
    assert "six neighbours" in html
    assert "parenchyma, duct and lesion together" in html


def test_the_page_counts_what_is_undefined(html):
    assert "1 prediction missing" in html
    assert re.search(r"reference empty|both empty", html)


def test_the_page_compares_the_methods(html):
    assert "other compared with prediction" in html


def test_every_picture_has_words(html):
    alternatives = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alternatives) == html.count("<img")
    assert all(len(words) > 20 for words in alternatives)


def test_the_page_shows_best_median_and_worst(html):
    assert re.search(r"Best: case [acd],.*Median: case .*Worst: case b,", html, re.DOTALL)


def test_no_path_of_this_machine_is_on_the_page(html):
    assert "/pytest-" not in html
    assert "pytest-of" not in html


def test_metrics_have_names_for_people():
    assert metric_title("reference_volume_ml") == "reference volume"


def test_a_mean_of_nothing_says_so():
    assert with_interval(summarise([float("nan")], ["both_empty"]), "dsc") == ("–", "undefined in every case")
    assert with_interval(summarise([0.5], [None]), "hd") == ("0.5 mm", "one case")


def test_the_page_says_how_to_make_its_numbers_again(html):
    assert "wirsung evaluate reference prediction --also other --scheme pants-2" in html
    assert re.search(r"SHA-256 of all that decides a number</dt><dd>[0-9a-f]{64}<", html)
    assert "left open" in html


def test_a_page_of_a_thousand_cases_is_at_most_five_megabytes(tmp_path):
    evaluated = invented(1000, folder=tmp_path)
    worst = evaluated.worst_first
    # The worst, the median and the best are drawn, on noise, which is what compresses least.
    write_scans(evaluated, [*worst[:10], worst[499], worst[-1]])
    html = render(page(evaluated))
    assert html.count("<details>") == 10
    assert html.count("data:image/jpeg") == 3
    assert html.count("case_00") > 1000
    assert len(html.encode()) <= 5_000_000


def test_many_methods_are_counted_in_the_title():
    names = ("a", "b", "c", "d")
    titles = [page(invented(5, names=("pancreas",), methods=names[:count])).title for count in (1, 2, 3, 4)]
    assert titles == [
        "a against reference",
        "a and b against reference",
        "a, b and c against reference",
        "4 methods against reference",
    ]
