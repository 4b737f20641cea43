import math

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import random_label_maps

from wirsung.evaluation.label_pair import LabelPair
from wirsung.evaluation.surface import surfel_distances
from wirsung.evaluation.surfels import surfel_areas

sizes = st.floats(0.3, 5)
spacings = st.tuples(sizes, sizes, sizes)


@pytest.fixture(scope="module")
def peer():
    """DeepMind's package; it asks scipy for a name that is deprecated."""
    return pytest.importorskip("surface_distance", reason="surface-distance-based-measures isn't installed")


@given(spacings)
def test_a_surface_and_its_complement_are_one(spacing):
    areas = surfel_areas(spacing)
    assert areas[0] == areas[255] == 0
    assert (areas[1:255] > 0).all()
    np.testing.assert_array_equal(areas, areas[::-1])


@given(spacings)
def test_flat_faces_have_the_area_of_a_voxels_face(spacing):
    z, y, x = spacing
    areas = surfel_areas(spacing)
    assert areas[0b11110000] == pytest.approx(y * x)
    assert areas[0b11001100] == pytest.approx(z * x)
    assert areas[0b10101010] == pytest.approx(z * y)


def test_areas_of_simple_bodies_are_as_computed_by_hand():
    one = np.zeros((3, 3, 3), bool)
    one[1, 1, 1] = True
    # A single voxel is an octahedron with vertices half an edge from its centre: edges of sqrt(1/2).
    areas = surfel_distances(one, one, (1.0, 1.0, 1.0)).reference_areas_mm2
    assert areas.sum() == pytest.approx(2 * math.sqrt(3) * 0.5)
    long = np.zeros((3, 3, 12), bool)
    long[1, 1, 1:11] = True
    # A row of ten is a square tube of edge sqrt(1/2), nine long, with two pyramids, which are the octahedron.
    areas = surfel_distances(long, long, (1.0, 1.0, 1.0)).reference_areas_mm2
    assert areas.sum() == pytest.approx(9 * 4 * math.sqrt(0.5) + math.sqrt(3))


@settings(max_examples=20)
@given(spacings)
def test_areas_equal_those_of_surface_distance(peer, spacing):
    theirs = peer.lookup_tables.create_table_neighbour_code_to_surface_area(spacing)
    np.testing.assert_allclose(surfel_areas(spacing), theirs, rtol=1e-12)


@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=200)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_metrics_equal_those_of_surface_distance(peer, seed, fortran):
    check_against(peer, seed, 3, 16, fortran=fortran)


@pytest.mark.slow
@pytest.mark.filterwarnings("ignore::DeprecationWarning")
@settings(max_examples=1000)
@given(st.integers(0, 2**32 - 1), st.booleans())
def test_metrics_equal_those_of_surface_distance_in_larger_volumes(peer, seed, fortran):
    check_against(peer, seed, 3, 40, fortran=fortran)


def check_against(peer, seed, low, high, *, fortran):
    reference, prediction, spacing = random_label_maps(np.random.default_rng(seed), low, high)
    if fortran:
        reference, prediction = np.asfortranarray(reference), np.asfortranarray(prediction)
    pair = LabelPair(reference, prediction, spacing)
    for values in ((1,), (2,), (5,), (2, 4, 6)):
        one, other = np.isin(reference, values), np.isin(prediction, values)
        if not one.any() or not other.any():
            continue
        found = pair.surfel_distances(values, values)
        theirs = peer.compute_surface_distances(one, other, spacing)
        assert found.hd == pytest.approx(peer.compute_robust_hausdorff(theirs, 100), rel=1e-9)
        assert found.hd95 == pytest.approx(peer.compute_robust_hausdorff(theirs, 95), rel=1e-9)
        for tolerance in (0.45, 1.1, 2.3):
            expected = peer.compute_surface_dice_at_tolerance(theirs, tolerance)
            assert found.nsd(tolerance, strict=False) == pytest.approx(expected, rel=1e-9, abs=1e-9)
        means = peer.compute_average_surface_distance(theirs)
        areas = [theirs[name].sum() for name in ("surfel_areas_gt", "surfel_areas_pred")]
        assert found.assd == pytest.approx(np.average(means, weights=areas), rel=1e-9, abs=1e-9)
        assert found.masd == pytest.approx(np.mean(means), rel=1e-9, abs=1e-9)
