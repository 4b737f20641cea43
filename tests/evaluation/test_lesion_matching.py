from itertools import permutations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wirsung.evaluation.lesion_matching import match_lesions, match_overlaps
from wirsung.imaging.components import components

overlaps = hnp.arrays(
    np.float64,
    st.tuples(st.integers(0, 4), st.integers(0, 4)),
    elements=st.integers(0, 10).map(lambda n: n / 10),
)


def best_by_hand(ious, min_iou):
    """The most matches, and of those the largest sum, over all ways to match."""
    if ious.shape[0] > ious.shape[1]:
        ious = ious.T
    best = (0, 0.0)
    for order in permutations(range(ious.shape[1]), ious.shape[0]):
        kept = [ious[pair] for pair in enumerate(order) if ious[pair] >= min_iou]
        best = max(best, (len(kept), sum(kept)))
    return best


@given(overlaps, st.sampled_from([0.1, 0.2, 0.5]))
def test_matching_is_the_best_of_all_permutations(ious, min_iou):
    found = match_overlaps(ious, min_iou=min_iou)
    count, total = best_by_hand(ious, min_iou)
    assert len(found.pairs) == count
    assert sum(found.ious) == pytest.approx(total, abs=1e-12)


@given(overlaps)
def test_every_lesion_and_candidate_is_accounted_for_once(ious):
    found = match_overlaps(ious)
    lesions = [lesion for lesion, _ in found.pairs] + list(found.missed)
    candidates = [candidate for _, candidate in found.pairs] + [*found.false, *found.ignored]
    assert sorted(lesions) == list(range(ious.shape[0]))
    assert sorted(candidates) == list(range(ious.shape[1]))
    assert all(iou >= 0.1 for iou in found.ious)


def test_more_matches_come_before_more_overlap():
    # Two matches of 0.75 weigh more than three of 0.1 where a match counts 1 beside its overlap.
    ious = np.array([[0.1, 0.75, 0.0], [0.0, 0.1, 0.75], [0.0, 0.0, 0.1]])
    assert match_overlaps(ious).pairs == ((0, 0), (1, 1), (2, 2))


def test_an_overlap_of_exactly_a_tenth_is_enough():
    reference, prediction = (np.zeros((20, 3, 3), dtype=bool) for _ in range(2))
    reference[:11, 1, 1] = True
    prediction[9:20, 1, 1] = True
    found = match_lesions(components(reference), components(prediction))
    assert found.ious == (0.1,)
    reference[0, 1, 1] = False
    prediction[9, 1, 1] = False
    found = match_lesions(components(reference), components(prediction))
    assert (found.missed, found.false, found.touched, found.touching) == ((0,), (0,), (0,), (0,))


def test_a_candidate_that_overlaps_a_taken_lesion_is_neither_right_nor_wrong():
    found = match_overlaps(np.array([[0.2, 0.3, 0.05]]))
    assert (found.pairs, found.ignored, found.false) == (((0, 1),), (0,), (2,))
    assert found.touching == (0, 1, 2)


@given(st.integers(0, 2**16))
def test_matching_does_not_change_when_both_are_mirrored(seed):
    generator = np.random.default_rng(seed)
    masks = generator.random((2, 8, 8, 8)) < 0.06
    found = match_lesions(*(components(mask) for mask in masks))
    mirrored = match_lesions(*(components(mask[::-1, :, ::-1]) for mask in masks))
    assert sorted(found.ious) == pytest.approx(sorted(mirrored.ious), abs=1e-15)
    assert [len(found.missed), len(found.false)] == [len(mirrored.missed), len(mirrored.false)]


def test_nothing_matches_nothing():
    empty = components(np.zeros((3, 3, 3), dtype=bool))
    found = match_lesions(empty, empty)
    assert (found.pairs, found.missed, found.false) == ((), (), ())
