import math

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.evaluation.overlap import Overlap, confusion, overlap

label_maps = st.tuples(*[st.integers(1, 5)] * 3).flatmap(
    lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.integers(0, 4))] * 2)
)


@given(label_maps)
def test_confusion_counts_each_pair_of_values(pair):
    reference, prediction = pair
    counts = confusion(reference, prediction)
    for one in range(len(counts)):
        for other in range(len(counts)):
            assert counts[one, other] == ((reference == one) & (prediction == other)).sum()
    assert counts.sum() == reference.size


@given(label_maps)
def test_memory_order_changes_no_count(pair):
    reference, prediction = pair
    expected = confusion(reference, prediction)
    for one, other in (
        (np.asfortranarray(reference), prediction),
        (reference, np.asfortranarray(prediction)),
    ):
        assert (confusion(one, other) == expected).all()


@given(label_maps, st.sets(st.integers(1, 6), min_size=1))
def test_overlap_of_several_values_is_that_of_their_union(pair, values):
    counts = confusion(*pair)
    one, other = (np.isin(label_map, list(values)) for label_map in pair)
    expected = Overlap(int((one & other).sum()), int(one.sum()), int(other.sum()))
    assert overlap(counts, sorted(values), sorted(values)) == expected


@given(label_maps)
def test_fractions_equal_sklearn(pair):
    from sklearn.metrics import cohen_kappa_score, f1_score, jaccard_score, precision_score, recall_score

    one, other = (label_map.ravel() == 1 for label_map in pair)
    if not one.any() or not other.any():
        return
    found = overlap(confusion(*pair), [1], [1])
    assert found.dsc == pytest.approx(f1_score(one, other), rel=1e-12)
    assert found.iou == pytest.approx(jaccard_score(one, other), rel=1e-12)
    assert found.sensitivity == pytest.approx(recall_score(one, other), rel=1e-12)
    assert found.precision == pytest.approx(precision_score(one, other), rel=1e-12)
    if not one.all():
        assert found.specificity == pytest.approx(recall_score(~one, ~other), rel=1e-12)
        assert found.kappa == pytest.approx(cohen_kappa_score(one, other), rel=1e-9, abs=1e-12)


def test_two_cubes_shifted_by_one_voxel_score_as_computed_by_hand():
    found = Overlap(intersection=18, reference=27, prediction=27)
    assert (found.dsc, found.iou, found.sensitivity, found.precision) == (2 / 3, 0.5, 2 / 3, 2 / 3)


def test_fractions_of_nothing_are_undefined():
    nothing = Overlap(0, 0, 0)
    assert all(
        math.isnan(value) for value in (nothing.dsc, nothing.iou, nothing.sensitivity, nothing.precision)
    )


def test_kappa_of_a_table_is_as_computed_by_hand():
    # 20 agree yes, 15 agree no, 5 and 10 disagree: observed 0.7, by chance 0.5 x 0.6 + 0.5 x 0.4 = 0.5.
    found = Overlap(intersection=20, reference=25, prediction=30, voxels=50)
    assert found.kappa == pytest.approx(0.4, rel=1e-12)
    assert found.specificity == 15 / 25


def test_a_structure_that_fills_the_volume_has_no_background():
    full = Overlap(intersection=8, reference=8, prediction=8, voxels=8)
    assert math.isnan(full.specificity)
    assert math.isnan(full.kappa)
