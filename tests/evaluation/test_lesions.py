import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.evaluation.lesions import CaseLesions, Lesion, Verdict, find_lesions

SPACING_MM = (1.0, 2.0, 2.5)


def empty():
    return np.zeros((30, 12, 8), dtype=bool)


def test_a_case_by_hand():
    reference, prediction, probability = empty(), empty(), np.zeros((30, 12, 8))
    reference[2:12, 2:6, 2:4] = True
    reference[20:24, 8:10, 5:7] = True
    prediction[4:12, 2:6, 2:4] = True
    prediction[26:28, 2, 2] = True
    probability[5, 3, 3], probability[26, 2, 2] = 0.75, 0.25
    found = find_lesions(reference, prediction, spacing_mm=SPACING_MM, confidence=probability)
    large, small = found.lesions
    assert (large.volume_ml, small.volume_ml) == pytest.approx((0.4, 0.08))
    assert (large.iou, large.confidence, large.is_found, large.is_touched) == (0.8, 0.75, True, True)
    assert small == Lesion(small.volume_ml, small.diameter_mm)
    assert [(item.verdict, item.confidence, item.touches) for item in found.candidates] == [
        (Verdict.FOUND, 0.75, True),
        (Verdict.FALSE, 0.25, False),
    ]


def test_a_candidate_that_barely_touches_finds_by_any_overlap_only():
    reference, prediction = empty(), empty()
    reference[2:12, 2:6, 2:4] = True
    prediction[11:21, 2:6, 2:4] = True
    found = find_lesions(reference, prediction, spacing_mm=SPACING_MM)
    assert (found.lesions[0].is_found, found.lesions[0].is_touched) == (False, True)
    assert (found.candidates[0].verdict, found.candidates[0].touches) == (Verdict.FALSE, True)
    eager = find_lesions(reference, prediction, spacing_mm=SPACING_MM, min_iou=0.05)
    assert eager.lesions[0].is_found
    assert eager.lesions[0].confidence == 1.0


def test_small_candidates_can_be_left_out():
    reference, prediction = empty(), empty()
    prediction[2:4, 2, 2] = True
    prediction[10:13, 2, 2] = True
    assert len(find_lesions(reference, prediction, spacing_mm=SPACING_MM).candidates) == 2
    kept = find_lesions(reference, prediction, spacing_mm=SPACING_MM, min_candidate_mm3=15.0).candidates
    assert [item.volume_ml for item in kept] == [0.015]


@given(st.integers(0, 2**16))
def test_what_is_written_is_read_again(seed):
    generator = np.random.default_rng(seed)
    masks = generator.random((2, 9, 8, 7)) < 0.05
    found = find_lesions(*masks, spacing_mm=SPACING_MM, confidence=generator.random((9, 8, 7)))
    assert CaseLesions.from_json(json.loads(json.dumps(found.as_json()))) == found


@given(st.integers(0, 2**16))
def test_a_mask_finds_itself_whole(seed):
    mask = np.random.default_rng(seed).random((9, 8, 7)) < 0.05
    found = find_lesions(mask, mask, spacing_mm=SPACING_MM)
    assert all(lesion.iou == 1.0 and lesion.is_found for lesion in found.lesions)
    assert {item.verdict for item in found.candidates} <= {Verdict.FOUND}
