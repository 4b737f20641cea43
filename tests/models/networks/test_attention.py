"""Attention against the matrices that it never writes down."""

import math

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from wirsung.models.networks.attention import FEW_TOKENS, cheaper, linear_attention, softmax_attention

torch.set_num_threads(1)
KINDS = [softmax_attention, linear_attention]


def _inputs(tokens, width, scale=1.0, seed=0):
    torch.manual_seed(seed)
    return [scale * torch.randn(2, 3, tokens, width) for _ in range(3)]


def _matrix(attend, query, key):
    """The weights: each token's answer where the values are the rows of the unit matrix."""
    tokens = query.shape[2]
    return attend(query, key, torch.eye(tokens).expand(*query.shape[:2], tokens, tokens))


@pytest.mark.parametrize("attend", KINDS)
@given(
    tokens=st.integers(1, 40),
    width=st.integers(1, 9),
    scale=st.sampled_from([0.0, 1e-3, 1.0, 30.0, 1e4]),
    seed=st.integers(0, 99),
)
def test_weights_are_not_negative_and_rows_sum_to_one(attend, tokens, width, scale, seed):
    query, key, _ = _inputs(tokens, width, scale, seed)
    made = _matrix(attend, query, key)
    assert float(made.min()) >= 0
    assert torch.allclose(made.sum(-1), torch.ones(2, 3, tokens), atol=1e-4)


def test_exact_attention_is_the_softmax_of_scaled_products():
    query, key, value = _inputs(11, 4)
    weights = (query @ key.transpose(-2, -1) / math.sqrt(4)).softmax(-1)
    assert torch.allclose(softmax_attention(query, key, value), weights @ value, atol=1e-6)


def test_linear_attention_is_the_quotient_of_sums_over_all_pairs():
    query, key, value = (item.double() for item in _inputs(11, 4))

    def features(token):
        plain = [max(float(number), 0) + 1e-4 for number in token]
        sharp = [number**3 for number in plain]
        longer = math.sqrt(sum(a * a for a in plain) / sum(a * a for a in sharp))
        return torch.tensor([number * longer for number in sharp], dtype=torch.float64)

    made = linear_attention(query, key, value)
    for token in range(11):
        weights = torch.stack([features(query[1, 2, token]) @ features(other) for other in key[1, 2]])
        expected = (weights[:, None] * value[1, 2]).sum(0) / weights.sum()
        assert torch.allclose(made[1, 2, token], expected, atol=1e-5)


def test_linear_attention_tells_tokens_apart_where_the_released_one_does_not():
    query, key, value = _inputs(196, 64)

    def spread(made):
        return float((made.std(2) / made.mean(2).abs()).median())

    released = (query.softmax(-1) / 8) @ (key.softmax(-2).transpose(-2, -1) @ value)
    assert spread(linear_attention(query, key, value)) > 1
    assert spread(linear_attention(query, key, value)) > 2 * spread(released)


def test_linear_attention_sums_in_float32_whatever_it_is_given():
    query, key, value = (item.to(torch.bfloat16) for item in _inputs(500, 8))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        made = linear_attention(query, key, value)
    assert made.dtype == torch.bfloat16
    exact = linear_attention(query.float(), key.float(), value.float())
    assert torch.equal(made, exact.to(torch.bfloat16))


@pytest.mark.parametrize("attend", KINDS)
def test_gradients_reach_query_key_and_value(attend):
    inputs = [item.requires_grad_() for item in _inputs(9, 4)]
    (attend(*inputs) * torch.randn(2, 3, 9, 4)).sum().backward()
    assert all(item.grad is not None and float(item.grad.abs().max()) > 0 for item in inputs)


def test_few_tokens_are_attended_to_exactly():
    assert cheaper(FEW_TOKENS) == "softmax"
    assert cheaper(FEW_TOKENS + 1) == "linear"
