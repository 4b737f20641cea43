"""Attention in windows, held against brute force."""

import itertools

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.models.networks.windows import WindowAttention, may_attend, merge, partition, relative_index

torch.set_num_threads(1)

WINDOWS = st.tuples(*[st.integers(1, 4)] * 3)


@given(window=WINDOWS, counts=st.tuples(*[st.integers(1, 3)] * 3))
@settings(max_examples=30)
def test_merging_undoes_partitioning(window, counts):
    grid = tuple(width * count for width, count in zip(window, counts, strict=True))
    tokens = torch.randn(2, *grid, 3)
    assert torch.equal(merge(partition(tokens, window), window, grid), tokens)


def test_a_window_holds_its_block_of_the_grid():
    tokens = torch.arange(4 * 6 * 2).reshape(1, 4, 6, 2, 1)
    windows = partition(tokens, (2, 3, 2))
    places = itertools.product(range(0, 4, 2), range(0, 6, 3), range(0, 2, 2))
    for window, (i, j, k) in zip(windows, places, strict=True):
        assert torch.equal(window.reshape(2, 3, 2), tokens[0, i : i + 2, j : j + 3, k : k + 2, 0])


@given(window=WINDOWS)
@settings(max_examples=30)
def test_every_offset_has_an_entry_of_its_own(window):
    index = relative_index(window, window)
    places = list(itertools.product(*map(range, window)))
    entries = {}
    for (row, first), (column, second) in itertools.product(enumerate(places), repeat=2):
        offset = tuple(a - b for a, b in zip(first, second, strict=True))
        entries.setdefault(offset, set()).add(int(index[row, column]))
    size = 1
    for width in window:
        size *= 2 * width - 1
    assert len(entries) == size
    assert all(len(found) == 1 for found in entries.values())
    assert {next(iter(found)) for found in entries.values()} == set(range(size))


def test_a_smaller_window_finds_the_same_entry_for_the_same_offset():
    small, large = (2, 1, 3), (4, 4, 4)
    entries = relative_index(small, large)
    whole = relative_index(large, large)
    where = [row for row, place in enumerate(itertools.product(range(4), repeat=3)) if _inside(place, small)]
    assert torch.equal(entries, whole[where][:, where])


def _inside(place, window):
    return all(value < width for value, width in zip(place, window, strict=True))


@pytest.mark.parametrize(
    ("grid", "window", "shift"), [((4, 6, 3), (2, 3, 3), (1, 1, 0)), ((5, 4, 7), (4, 4, 4), (2, 0, 2))]
)
def test_only_neighbours_may_attend(grid, window, shift):
    """By brute force: lay out where each token comes from, and ask of each pair how far apart it lies."""
    padded = tuple(-(-size // width) * width for size, width in zip(grid, window, strict=True))
    places = torch.stack(torch.meshgrid(*map(torch.arange, padded), indexing="ij"), dim=-1)
    rolled = torch.roll(places, tuple(-by for by in shift), dims=(0, 1, 2))
    windows = partition(rolled[None], window)
    allowed = may_attend(grid, window, shift)
    for number, tokens in enumerate(windows.tolist()):
        for row, column in itertools.product(range(len(tokens)), repeat=2):
            near = all(
                abs(a - b) < width for a, b, width in zip(tokens[row], tokens[column], window, strict=True)
            )
            real = [all(a < size for a, size in zip(tokens[at], grid, strict=True)) for at in (row, column)]
            if all(real):
                assert allowed[number, row, column] == near
            elif any(real):
                assert not allowed[number, row, column]


def _explicit(attention, tokens, queries=None):
    """The attention of one window by plain matrix products, a token and a head at a time."""
    flat = tokens.reshape(-1, tokens.shape[-1])
    projected = attention.inputs(flat)
    if queries is None:
        query, key, value = projected.chunk(3, dim=-1)
    else:
        query = queries.reshape(-1, tokens.shape[-1])
        key, value = projected.chunk(2, dim=-1)
    places = list(itertools.product(*map(range, tokens.shape[:3])))
    a, b, c = attention.window
    table = attention.bias_table.reshape(2 * a - 1, 2 * b - 1, 2 * c - 1, -1)
    width = tokens.shape[-1] // attention.heads
    answer = torch.zeros_like(flat)
    for head in range(attention.heads):
        part = slice(head * width, (head + 1) * width)
        for row, first in enumerate(places):
            scores = torch.stack(
                [
                    query[row, part] @ key[column, part] / width**0.5
                    + table[
                        first[0] - other[0] + a - 1,
                        first[1] - other[1] + b - 1,
                        first[2] - other[2] + c - 1,
                        head,
                    ]
                    for column, other in enumerate(places)
                ]
            )
            answer[row, part] = torch.softmax(scores, 0) @ value[:, part]
    return attention.output(answer).reshape(tokens.shape)


@pytest.mark.parametrize("crossed", [False, True])
def test_attention_is_that_of_explicit_matrix_products(crossed):
    torch.manual_seed(0)
    attention = WindowAttention(6, 2, (2, 3, 2), crossed=crossed).double()
    tokens, queries = torch.randn(2, 1, 2, 3, 2, 6, dtype=torch.double)
    found = attention(tokens, queries if crossed else None)
    expected = _explicit(attention, tokens[0], queries[0] if crossed else None)
    torch.testing.assert_close(found[0], expected)


def test_each_window_is_attended_to_apart():
    torch.manual_seed(1)
    attention = WindowAttention(4, 1, (2, 2, 2)).double()
    tokens = torch.randn(2, 4, 2, 4, 4, dtype=torch.double)
    found = attention(tokens)
    for case, i, k in itertools.product(range(2), (0, 2), (0, 2)):
        expected = _explicit(attention, tokens[case, i : i + 2, :, k : k + 2])
        torch.testing.assert_close(found[case, i : i + 2, :, k : k + 2], expected)


def test_a_shifted_window_joins_the_halves_of_two():
    torch.manual_seed(2)
    attention = WindowAttention(4, 2, (1, 1, 4), shifted=True).double()
    tokens = torch.randn(1, 1, 1, 8, 4, dtype=torch.double)
    found = attention(tokens)
    for part in (slice(0, 2), slice(2, 6), slice(6, 8)):
        torch.testing.assert_close(found[0, :, :, part], _explicit(attention, tokens[0, :, :, part]))


def test_padding_is_not_attended_to():
    torch.manual_seed(3)
    attention = WindowAttention(4, 2, (2, 2, 3)).double()
    tokens = torch.randn(2, 2, 2, 5, 4, dtype=torch.double)
    found = attention(tokens)
    torch.testing.assert_close(found[1, :, :, 3:], _explicit(attention, tokens[1, :, :, 3:]))


def test_a_grid_smaller_than_the_window_is_one_window():
    torch.manual_seed(4)
    attention = WindowAttention(4, 1, (4, 4, 4), shifted=True).double()
    tokens = torch.randn(1, 2, 3, 1, 4, dtype=torch.double)
    torch.testing.assert_close(attention(tokens)[0], _explicit(attention, tokens[0]))
