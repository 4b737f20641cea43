"""File order, held against numpy's own Fortran order."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.imaging.file_order import in_file_order

AXES = [(0, 1, 2), (0, 2, 1), (1, 0, 2), (1, 2, 0), (2, 0, 1), (2, 1, 0)]


@given(
    st.tuples(*[st.integers(1, 70)] * 3), st.sampled_from(AXES), st.tuples(*[st.sampled_from([1, -1, 2])] * 3)
)
def test_any_view_comes_into_file_order(shape, axes, steps):
    voxels = np.arange(np.prod(shape), dtype=np.int16).reshape(shape).transpose(axes)
    voxels = voxels[:: steps[0], :: steps[1], :: steps[2]]
    ordered = in_file_order(voxels)
    assert ordered.flags.c_contiguous
    assert np.array_equal(ordered.ravel(), voxels.ravel(order="F"))


@pytest.mark.parametrize("dtype", ["bool", ">i2", "float64"])
def test_every_number_type_keeps_its_values(dtype):
    voxels = (np.arange(2 * 3 * 5).reshape(2, 3, 5) % 7).astype(dtype)
    ordered = in_file_order(voxels)
    assert ordered.dtype == voxels.dtype
    assert np.array_equal(ordered.ravel(), voxels.ravel(order="F"))


def test_voxels_in_file_order_are_not_copied():
    voxels = np.zeros((4, 3, 2), order="F")
    assert np.shares_memory(in_file_order(voxels), voxels)


@given(st.tuples(*[st.integers(1, 9)] * 3), st.tuples(*[st.sampled_from([1, -1])] * 3))
def test_axes_that_run_backwards_are_turned_in_place(shape, steps):
    voxels = np.asfortranarray(np.arange(np.prod(shape), dtype=np.int16).reshape(shape))
    view = voxels[:: steps[0], :: steps[1], :: steps[2]]
    expected = view.ravel(order="F")
    ordered = in_file_order(view, in_place=True)
    assert ordered.flags.c_contiguous
    assert np.array_equal(ordered.ravel(), expected)
    assert np.shares_memory(ordered, voxels)


def test_what_can_not_be_written_to_stays_as_it_is():
    voxels = np.frombuffer(np.arange(24).reshape(2, 3, 4).tobytes(order="F"), int).reshape(2, 3, 4, order="F")
    assert np.array_equal(in_file_order(voxels[::-1], in_place=True).ravel(), voxels[::-1].ravel(order="F"))
    assert np.array_equal(voxels, np.arange(24).reshape(2, 3, 4))
    swapped = np.asfortranarray(np.arange(24, dtype=">i2").reshape(2, 3, 4))
    assert np.array_equal(in_file_order(swapped[::-1], in_place=True).ravel(), swapped[::-1].ravel(order="F"))
