import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.evaluation.surface_metrics import SurfaceDistances, SurfelDistances

distances = arrays(np.float64, st.integers(1, 40), elements=st.floats(0, 50))


@given(distances, distances)
def test_metrics_of_voxels_are_their_formulas(one, other):
    found = SurfaceDistances(one, other)
    assert found.hd == max(one.max(), other.max())
    assert found.hd95 == max(np.percentile(one, 95), np.percentile(other, 95))
    assert found.assd == pytest.approx(np.concatenate([one, other]).mean(), rel=1e-12, abs=1e-12)


@given(distances, distances, st.floats(0.1, 4))
def test_elements_of_one_area_weigh_as_voxels_do(one, other, area):
    voxels = SurfaceDistances(one, other)
    surfels = SurfelDistances(one, other, np.full(one.size, area), np.full(other.size, area))
    assert surfels.hd == voxels.hd
    assert surfels.assd == pytest.approx(voxels.assd, rel=1e-12, abs=1e-12)
    for strict in (True, False):
        assert surfels.nsd(2.0, strict=strict) == pytest.approx(voxels.nsd(2.0, strict=strict), rel=1e-12)


def test_a_large_element_outweighs_small_ones():
    found = SurfelDistances(np.array([3.0, 1.0]), np.array([0.0]), np.array([1.0, 4.0]), np.array([5.0]))
    assert found.nsd(2.0, strict=True) == 9 / 10
    assert found.assd == 7 / 10
    # 80 % of the area lie within 1 mm, so the 95 % are reached at 3 mm.
    assert found.hd95 == 3.0
    wide = SurfelDistances(np.array([3.0, 1.0]), np.array([0.0]), np.array([1.0, 24.0]), np.array([5.0]))
    assert wide.hd95 == 1.0
