"""Random numbers by count."""

import random

import numpy as np
import torch
from hypothesis import given
from hypothesis import strategies as st

from wirsung.training.randomness import Stream, generator_of, seed_everything, seed_words

PLACES = st.tuples(st.integers(0, 2**31), st.sampled_from(Stream), st.integers(0, 250_000), st.integers(0, 7))


@given(PLACES, PLACES)
def test_two_places_share_their_words_only_where_they_are_one(one, other):
    assert (seed_words(*one) == seed_words(*other)) == (one == other)


def _drawn():
    return random.random(), np.random.random(), float(torch.rand(()))  # noqa: NPY002


@given(PLACES)
def test_all_three_generators_draw_the_same_again(place):
    before = random.getstate(), np.random.get_state(), torch.get_rng_state()  # noqa: NPY002
    try:
        seed_everything(seed_words(*place))
        first = _drawn()
        _drawn()
        seed_everything(seed_words(*place))
        assert _drawn() == first
    finally:
        random.setstate(before[0])
        np.random.set_state(before[1])  # noqa: NPY002
        torch.set_rng_state(before[2])


def test_a_generator_leaves_the_global_one_alone():
    before = torch.get_rng_state()
    words = seed_words(0, Stream.TRAINING, 3)
    drawn = [torch.rand(2, generator=generator_of(words, torch.device("cpu"))) for _ in range(2)]
    assert torch.equal(*drawn)
    assert torch.equal(torch.get_rng_state(), before)
