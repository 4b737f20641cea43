"""The compiled loops over runs, held against numpy and skimage."""

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from skimage.measure import label

from wirsung.datasets.measure_kernels import box_of, clip, count_components, rows_of, tally
from wirsung.imaging.run_kernels import find_runs, flat

MASKS = arrays(np.uint8, st.tuples(*[st.integers(1, 7)] * 3), elements=st.integers(0, 1))


@given(arrays(np.int16, st.integers(1, 300)), st.integers(-2000, 0), st.integers(1, 2000))
def test_clipping_is_numpys_and_counts_what_it_changed(values, low, high):
    expected = np.clip(values, low, high)
    clipped = np.empty_like(values)
    assert clip(values, low, high, clipped) == np.count_nonzero(values != expected)
    assert np.array_equal(clipped, expected)
    clip(values, low, high, values)  # in its place
    assert np.array_equal(values, expected)


@given(arrays(np.uint8, st.integers(1, 200), elements=st.integers(0, 3)), st.integers(0, 99))
def test_sums_by_code_are_numpys(codes, seed):
    values = np.random.default_rng(seed).integers(-1000, 1000, codes.size, dtype=np.int16)
    about = np.array([0.0, 10.0, -20.0, 0.5])
    counts, sums = np.zeros(4, dtype=np.int64), np.zeros((4, 2))
    tally(find_runs(flat(codes)), values, about, counts, sums)
    for code in (1, 2, 3):
        inside = values[codes == code] - about[code]
        assert counts[code] == inside.size
        assert np.allclose(sums[code], [inside.sum(), (inside**2).sum()])


@given(MASKS)
def test_pieces_boxes_and_components_are_skimages(mask):
    rows = np.ascontiguousarray(mask.transpose(2, 1, 0))
    pieces = rows_of(find_runs(flat(rows))[:, :2], mask.shape[0])
    again = np.zeros((rows.shape[0] * rows.shape[1], rows.shape[2]), dtype=np.uint8)
    for row, first, stop in pieces:
        assert not again[row, first:stop].any()
        again[row, first:stop] = 1
    assert np.array_equal(again.reshape(rows.shape), rows)
    assert count_components(pieces, mask.shape[1]) == label(mask, connectivity=3).max()
    if mask.any():
        places = np.argwhere(mask)
        bounds = np.stack([places.min(axis=0), places.max(axis=0) + 1], axis=1)
        assert np.array_equal(box_of(pieces, mask.shape[1]), bounds.ravel())
