import pytest
from invented import invented, write_scans

from wirsung.evaluation.report_cases import MOST_THUMBNAILS, draw_cases
from wirsung.pages.template import Notice, Picture


@pytest.fixture
def evaluated(tmp_path):
    return invented(25, folder=tmp_path, names=("pancreas",), methods=("ours", "theirs"))


def test_the_worst_have_thumbnails_and_three_have_montages(evaluated):
    write_scans(evaluated, evaluated.cases)
    found = draw_cases(evaluated)
    assert list(found.thumbnails) == list(evaluated.cases[:MOST_THUMBNAILS])
    assert [block.caption.partition(",")[0] for block in found.montages] == [
        "Best: case case_00024",
        "Median: case case_00012",
        "Worst: case case_00000",
    ]


def test_thumbnails_say_what_they_show(evaluated):
    write_scans(evaluated, evaluated.cases)
    words = draw_cases(evaluated).thumbnails["case_00000"].alternative
    assert "largest error" in words
    assert "ours: pancreas DSC 0.300" in words
    assert "theirs: pancreas DSC" in words


def test_a_case_whose_scan_is_gone_is_said_and_the_others_are_drawn(evaluated):
    write_scans(evaluated, evaluated.cases[1:])
    found = draw_cases(evaluated)
    assert [type(block) for block in found.montages] == [Picture, Picture, Notice]
    assert "No picture" in found.montages[2].text
    assert list(found.thumbnails) == list(evaluated.cases[1:MOST_THUMBNAILS])


def test_a_further_method_may_lack_a_case(evaluated):
    write_scans(evaluated, evaluated.cases)
    (evaluated.methods[1].folder / "case_00000.nii.gz").unlink()
    assert "case_00000" in draw_cases(evaluated).thumbnails


def test_one_case_is_drawn_once(tmp_path):
    alone = invented(1, folder=tmp_path, names=("pancreas",))
    write_scans(alone, alone.cases)
    found = draw_cases(alone)
    assert len(found.montages) == len(found.thumbnails) == 1
