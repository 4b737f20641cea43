"""Labels and probabilities, cell by cell, against interpolating everything."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage
from tests.inference.painting import AXES, interpolated, painted

from wirsung.inference.export import cells_along
from wirsung.models.plans import parse_plans


@pytest.fixture(scope="module")
def how(model):
    plans = parse_plans(json.loads((model / "plans.json").read_text()))
    return plans, plans.configuration("3d_fullres")


@settings(max_examples=30, deadline=None)
@given(axes=st.tuples(AXES, AXES, AXES), classes=st.integers(2, 7), seed=st.integers(0, 99))
def test_the_largest_of_all_classes_wins_everywhere(how, axes, classes, seed):
    coarse, fine = zip(*axes, strict=True)
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(0, 3, (classes, *coarse)).astype(np.float32))
    scores = interpolated(logits, fine)
    made = painted(how, logits, fine, wanted=1, threads=2)
    margin = np.sort(scores, axis=0)
    sure = margin[-1] - margin[-2] > 1e-5
    np.testing.assert_array_equal(made.indices[sure], scores.argmax(0)[sure] * 3)
    expected = np.exp(scores[1] - np.logaddexp.reduce(scores, axis=0))
    np.testing.assert_allclose(made.probability, expected, rtol=1e-4, atol=1e-7)


@settings(max_examples=20, deadline=None)
@given(axes=st.tuples(AXES, AXES, AXES), regions=st.integers(1, 4), seed=st.integers(0, 99))
def test_the_last_region_above_zero_wins_everywhere(how, axes, regions, seed):
    coarse, fine = zip(*axes, strict=True)
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(0, 3, (regions, *coarse)).astype(np.float32))
    scores = interpolated(logits, fine)
    made = painted(how, logits, fine, regions=True, wanted=0)
    expected = np.zeros(fine, int)
    for index, score in enumerate(scores):
        expected[score > 0] = (index + 1) * 3
    sure = (np.abs(scores) > 1e-5).all(axis=0)
    np.testing.assert_array_equal(made.indices[sure], expected[sure])
    np.testing.assert_allclose(made.probability, 1 / (1 + np.exp(-scores[0])), rtol=1e-4, atol=1e-7)


def test_a_cell_of_many_voxels_is_painted_whole(how):
    logits = torch.from_numpy(np.random.default_rng(5).normal(0, 2, (3, 2, 1, 2)).astype(np.float32))
    scores = interpolated(logits, (19, 21, 70))
    made = painted(how, logits, (19, 21, 70), wanted=2)
    np.testing.assert_array_equal(made.indices, scores.argmax(0) * 3)
    exact = np.exp(scores[2] - np.logaddexp.reduce(scores, axis=0))
    np.testing.assert_allclose(made.probability, exact, atol=1e-6)


def test_slabs_however_cut_make_the_same(how):
    random = np.random.default_rng(0)
    fields = ndimage.gaussian_filter(random.normal(size=(4, 12, 9, 8)), (0, 2, 2, 2)) * 40
    logits = torch.from_numpy(fields.astype(np.float32))
    whole = painted(how, logits, (29, 20, 21), wanted=2)
    for cuts in ((1,), (5, 6), tuple(range(1, 12))):
        parts = painted(how, logits, (29, 20, 21), wanted=2, cuts=cuts)
        np.testing.assert_array_equal(parts.indices, whole.indices)
        np.testing.assert_array_equal(parts.probability, whole.probability)


def test_nearest_cells_hold_the_voxels_that_take_their_sample():
    axis = cells_along(3, 7, is_nearest=True)
    zoomed = ndimage.zoom(np.arange(3), 7 / 3, order=0, mode="nearest", grid_mode=True)
    found = np.empty(7, int)
    for below, above, first, stop in axis.cells:
        assert below == above
        found[first:stop] = below
    np.testing.assert_array_equal(found, zoomed)
