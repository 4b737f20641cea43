"""The kernel of the blur."""

import pytest
from batchgeneratorsv2.transforms.noise.gaussian_blur import _build_kernel
from hypothesis import given
from hypothesis import strategies as st

from wirsung.training.augmentation.noise import half_kernel


@given(st.floats(0.5, 1.0))
def test_the_kernel_is_nnunets(sd_voxels):
    theirs = _build_kernel(sd_voxels, truncate=6)
    half = half_kernel(sd_voxels)
    assert [*half[:0:-1], *half] == pytest.approx(theirs.tolist(), abs=1e-6)


def test_a_kernel_cut_short_still_sums_to_one():
    first, *others = half_kernel(1.0, 2)
    assert first + 2 * sum(others) == pytest.approx(1)
