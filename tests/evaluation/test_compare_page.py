import re

import numpy as np
import pytest

from wirsung.evaluation.compare import compare
from wirsung.evaluation.compare_settings import CompareSettings


@pytest.fixture(scope="module")
def make(tmp_path_factory):
    def made(count, **settings):
        root = tmp_path_factory.mktemp("page")
        folders = []
        for index in range(count):
            folder = root / f"net{index}"
            folder.mkdir()
            for seed, metric in enumerate(("dsc", "hd95")):
                values = np.random.default_rng(10 * index + seed).random(9)
                rows = [f"c{i},{value:.4f},{value / 2:.4f}" for i, value in enumerate(values)]
                rows.append("c9,,0.5")
                (folder / f"{metric}.csv").write_text("case,liver,pancreas\n" + "\n".join(rows) + "\n")
            folders.append(folder)
        done = compare(CompareSettings(tuple(folders), root / "out", **settings))
        return done.page.read_text(encoding="utf-8")

    return made


@pytest.fixture(scope="module")
def html(make):
    return make(3, equivalence_margin=("dsc=0.9",), non_inferiority_margin=("dsc=0.0001",))


def test_the_page_names_methods_metrics_and_structures(html):
    assert "net0 and net1 and net2 compared" in html
    assert "<h2" in html
    for words in ("DSC", "HD95, mm", "pancreas", "liver", "10 cases"):
        assert words in html


def test_the_page_says_which_way_is_better(html):
    assert "Second minus first. More is better." in html
    assert "Second minus first. Less is better." in html
    assert "Right of 0 it is better." in html
    assert "Left of 0 it is better." in html


def test_the_page_counts_what_is_left_out(html):
    assert "1 absent" in html


def test_the_page_answers_the_margins(html):
    assert "equivalent" in html
    assert "not shown" in html
    assert "equivalence DSC 0.9, non-inferiority DSC 0.0001" in html


def test_every_picture_has_words(html):
    alternatives = re.findall(r'<img [^>]*alt="([^"]*)"', html)
    assert len(alternatives) == html.count("<img") == 4
    assert all("net1" in words for words in alternatives)


def test_the_page_has_no_margins_unless_asked(make):
    html = make(2)
    assert "interval or bound" not in html
    assert "Equivalence" not in html


def test_many_methods_have_their_means_drawn_but_not_their_pairs(make):
    html = make(7, metrics=("dsc",))
    assert "7 methods compared" in html
    assert html.count("<img") == 1
    assert "Pairs are told apart by the table" in html
