"""Labels and probabilities, cell by cell, against interpolating everything."""

import dataclasses
import json
from itertools import pairwise

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import ndimage

from wirsung.inference.export import Export, Meaning, cells_along, export_slabs
from wirsung.inference.sliding_window import Slab
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import Placement

AXES = st.tuples(st.integers(1, 9), st.integers(1, 24))


@pytest.fixture(scope="module")
def how(model):
    plans = parse_plans(json.loads((model / "plans.json").read_text()))
    return plans, plans.configuration("3d_fullres")


def _made(how, logits, fine, *, regions=False, wanted=None, cuts=(), threads=1):
    plans, configuration = how
    configuration = dataclasses.replace(configuration, spacing_mm=(2.0, 2.0, 2.0))
    placement = Placement((1.0, 1.0, 1.0), fine, tuple((0, size) for size in fine))
    count = len(logits) + regions
    meaning = Meaning(np.arange(count, dtype=np.uint8) * 3, regions)
    bounds = [0, *cuts, logits.shape[1]]
    slabs = []
    for first, stop in pairwise(bounds):
        start = max(0, first - 1)
        slabs.append(Slab(start, first - start, logits[:, start:stop]))
    job = Export(placement, configuration, tuple(logits.shape[1:]), meaning, wanted)
    return export_slabs(slabs, job, plans, threads=threads)


def _interpolated(logits, fine):
    zoomed = torch.nn.functional.interpolate(logits[None].double(), fine, mode="trilinear")[0]
    return zoomed.numpy()


@settings(max_examples=30, deadline=None)
@given(axes=st.tuples(AXES, AXES, AXES), classes=st.integers(2, 7), seed=st.integers(0, 99))
def test_the_largest_of_all_classes_wins_everywhere(how, axes, classes, seed):
    coarse, fine = zip(*axes, strict=True)
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(0, 3, (classes, *coarse)).astype(np.float32))
    scores = _interpolated(logits, fine)
    made = _made(how, logits, fine, wanted=1, threads=2)
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
    scores = _interpolated(logits, fine)
    made = _made(how, logits, fine, regions=True, wanted=0)
    expected = np.zeros(fine, int)
    for index, score in enumerate(scores):
        expected[score > 0] = (index + 1) * 3
    sure = (np.abs(scores) > 1e-5).all(axis=0)
    np.testing.assert_array_equal(made.indices[sure], expected[sure])
    np.testing.assert_allclose(made.probability, 1 / (1 + np.exp(-scores[0])), rtol=1e-4, atol=1e-7)


@settings(max_examples=30, deadline=None)
@given(
    axes=st.tuples(AXES, AXES, AXES),
    classes=st.integers(2, 30),
    spread=st.sampled_from([0.5, 4.0, 12.0, 40.0]),
    seed=st.integers(0, 99),
)
def test_what_is_left_out_of_a_probability_is_less_than_a_ten_millionth(how, axes, classes, spread, seed):
    coarse, fine = zip(*axes, strict=True)
    random = np.random.default_rng(seed)
    logits = torch.from_numpy(random.normal(0, spread, (classes, *coarse)).astype(np.float32))
    wanted = seed % classes
    scores = _interpolated(logits, fine)
    exact = np.exp(scores[wanted] - np.logaddexp.reduce(scores, axis=0))
    found = _made(how, logits, fine, wanted=wanted).probability
    # float32 knows a logit of 100 to 8e-6, which moves a probability by up to a quarter of that.
    rounding = 2e-7 + exact * (1 - exact) * 6 * np.spacing(np.float32(4 * spread))
    assert (np.abs(found - exact) <= 1e-7 + rounding).all()
    np.testing.assert_array_equal(found * 2.0**23 % 1, 0)


def test_a_class_that_is_far_below_costs_nothing_and_is_nought(how):
    logits = torch.zeros((3, 4, 4, 4))
    logits[0], logits[1, :, :, 3] = 20, 19
    found = _made(how, logits, (8, 8, 8), wanted=1).probability
    np.testing.assert_array_equal(found[..., :5], 0)
    np.testing.assert_allclose(found[..., 7], 1 / (1 + np.exp(1) + np.exp(-19)), rtol=1e-6)


def test_a_cell_of_many_voxels_is_painted_whole(how):
    logits = torch.from_numpy(np.random.default_rng(5).normal(0, 2, (3, 2, 1, 2)).astype(np.float32))
    scores = _interpolated(logits, (19, 21, 70))
    made = _made(how, logits, (19, 21, 70), wanted=2)
    np.testing.assert_array_equal(made.indices, scores.argmax(0) * 3)
    exact = np.exp(scores[2] - np.logaddexp.reduce(scores, axis=0))
    np.testing.assert_allclose(made.probability, exact, atol=1e-6)


def test_slabs_however_cut_make_the_same(how):
    random = np.random.default_rng(0)
    fields = ndimage.gaussian_filter(random.normal(size=(4, 12, 9, 8)), (0, 2, 2, 2)) * 40
    logits = torch.from_numpy(fields.astype(np.float32))
    whole = _made(how, logits, (29, 20, 21), wanted=2)
    for cuts in ((1,), (5, 6), tuple(range(1, 12))):
        parts = _made(how, logits, (29, 20, 21), wanted=2, cuts=cuts)
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
