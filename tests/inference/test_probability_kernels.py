"""The probability of one output, against the softmax of everything interpolated."""

import json

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from tests.inference.painting import AXES, interpolated, painted

from wirsung.inference.probability_kernels import find_leads
from wirsung.models.plans import parse_plans


@pytest.fixture(scope="module")
def how(model):
    plans = parse_plans(json.loads((model / "plans.json").read_text()))
    return plans, plans.configuration("3d_fullres")


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
    scores = interpolated(logits, fine)
    exact = np.exp(scores[wanted] - np.logaddexp.reduce(scores, axis=0))
    found = painted(how, logits, fine, wanted=wanted).probability
    # float32 knows a logit of 100 to 8e-6, which moves a probability by up to a quarter of that.
    rounding = 2e-7 + exact * (1 - exact) * 6 * np.spacing(np.float32(4 * spread))
    assert (np.abs(found - exact) <= 1e-7 + rounding).all()
    np.testing.assert_array_equal(found * 2.0**23 % 1, 0)


def test_a_class_that_is_far_below_costs_nothing_and_is_nought(how):
    logits = torch.zeros((3, 4, 4, 4))
    logits[0], logits[1, :, :, 3] = 20, 19
    found = painted(how, logits, (8, 8, 8), wanted=1).probability
    np.testing.assert_array_equal(found[..., :5], 0)
    np.testing.assert_allclose(found[..., 7], 1 / (1 + np.exp(1) + np.exp(-19)), rtol=1e-6)


def test_leads_are_how_far_the_wanted_class_lies_below_the_winner():
    logits = np.random.default_rng(0).normal(size=(3, 4, 5, 6)).astype(np.float32)
    codes, leads = logits.argmax(-1).astype(np.uint16), np.empty((3, 4, 5), np.float32)
    find_leads(logits, codes, 2, leads)
    np.testing.assert_array_equal(leads, logits.max(-1) - logits[..., 2])
