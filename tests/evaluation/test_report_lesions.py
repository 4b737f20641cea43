import math

import pytest

from wirsung.evaluation.froc import lesion_detection
from wirsung.evaluation.lesions import Candidate, CaseLesions, Lesion, Verdict
from wirsung.evaluation.report_lesions import _steps, froc_picture, lesion_table, size_table


def found(diameter_mm: float, confidence: float) -> Lesion:
    return Lesion(1.0, diameter_mm, iou=0.5, confidence=confidence, is_found=True, is_touched=True)


def false(confidence: float) -> Candidate:
    return Candidate(1.0, confidence, Verdict.FALSE, touches=False)


@pytest.fixture(scope="module")
def detection():
    """Four scans: three lesions, of which two are found, and two false candidates."""
    cases = (
        CaseLesions((found(12.0, 0.9),), (false(0.8),)),
        CaseLesions((found(45.0, 0.6), Lesion(1.0, 15.0, is_touched=True))),
        CaseLesions((), (false(0.3),)),
        CaseLesions(),
    )
    return lesion_detection(cases, min_iou=0.1)


def test_the_table_counts_lesions_by_hand(detection):
    row = dict(
        zip(lesion_table({"ours": detection}).columns, lesion_table({"ours": detection}).rows[0], strict=True)
    )
    assert row["sensitivity by lesion"].note.endswith("2 of 3")
    assert row["T-Sen"].note.endswith("3 of 3")
    assert row["precision"].note.endswith("2 of 4")
    assert row["false positives per scan"].text == "0.50"
    assert row["per scan without lesion"].text == "0.50"
    assert row["scans"].text == "4"


def test_lesions_are_counted_by_size(detection):
    table = size_table({"ours": detection})
    assert [row[0].text for row in table.rows] == ["under 2 cm", "2 to 4 cm", "over 4 cm"]
    assert [row[2].text for row in table.rows] == ["0.500", "–", "1.000"]


def test_the_curve_goes_up_where_a_lesion_is_found_and_across_where_one_is_false(detection):
    curve = _steps(detection.froc)
    points = list(dict.fromkeys(zip(curve.across, [round(up, 6) for up in curve.up], strict=True)))
    third = round(1 / 3, 6)
    two = round(2 / 3, 6)
    assert points == [(0.0, 0.0), (0.0, third), (0.25, third), (0.25, two), (0.5, two)]


def test_the_band_ends_with_the_curve(detection):
    curve = _steps(detection.froc)
    assert max(curve.band_across) <= 0.5 < max(detection.froc.band_across)
    assert len(curve.band_across) == len(curve.band_low) == len(curve.band_high)


def test_the_words_give_the_sensitivity_at_two_rates(detection):
    picture = froc_picture({"ours": detection})
    assert "ours finds 0.333 at 0.125" in picture.alternative
    assert "ours finds 0.667 at 1 " in picture.alternative


def test_without_lesions_there_is_no_curve_but_false_positives_are_told():
    nothing = lesion_detection((CaseLesions((), (false(0.5),)), CaseLesions()), min_iou=0.1)
    assert froc_picture({"ours": nothing}) is None
    row = lesion_table({"ours": nothing}).rows[0]
    assert math.isinf(row[1].order)
    assert row[4].text == "0.50"
