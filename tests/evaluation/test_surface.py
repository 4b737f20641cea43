import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.evaluation.surface import SurfaceDistances, boundary, surface_distances

MILLIMETRES = (0.5, 0.7, 0.8, 1.0, 1.25, 2.0, 3.0, 5.0)
ONE_MM = (1.0, 1.0, 1.0)

shapes = st.tuples(*[st.integers(1, 6)] * 3)
spacings = st.tuples(*[st.sampled_from(MILLIMETRES)] * 3)


@st.composite
def mask_pairs(draw: st.DrawFn) -> tuple[np.ndarray, np.ndarray]:
    shape = draw(shapes)
    masks = [draw(arrays(np.bool_, shape)) for _ in range(2)]
    for mask in masks:
        mask[draw(st.tuples(*[st.integers(0, size - 1) for size in shape]))] = True
    return masks[0], masks[1]


def brute_force_boundary(mask: np.ndarray) -> list[tuple[int, ...]]:
    found = []
    for place in np.argwhere(mask):
        for axis in range(3):
            for step in (-1, 1):
                neighbour = place.copy()
                neighbour[axis] += step
                inside = (neighbour >= 0).all() and (neighbour < mask.shape).all()
                if not inside or not mask[tuple(neighbour)]:
                    found.append(tuple(place.tolist()))
    return sorted(set(found))


def brute_force(one: np.ndarray, other: np.ndarray, spacing: tuple[float, ...]) -> np.ndarray:
    """From each boundary voxel of one to the nearest of the other, over all pairs."""
    sources, targets = (np.array(brute_force_boundary(mask), dtype=float) for mask in (one, other))
    squares = ((sources[:, None] - targets[None]) * np.array(spacing)) ** 2
    return np.sqrt((squares[..., 0] + squares[..., 1] + squares[..., 2]).min(axis=1))


@given(mask_pairs(), spacings)
def test_distances_equal_those_over_all_pairs_of_boundary_voxels(pair, spacing):
    found = surface_distances(*pair, spacing)
    np.testing.assert_allclose(
        found.reference_to_prediction_mm, brute_force(*pair, spacing), rtol=1e-15, atol=0
    )
    np.testing.assert_allclose(
        found.prediction_to_reference_mm, brute_force(*pair[::-1], spacing), rtol=1e-15, atol=0
    )


@given(mask_pairs(), spacings)
def test_metrics_equal_their_formulas_over_all_pairs(pair, spacing):
    a, b = brute_force(*pair, spacing), brute_force(*pair[::-1], spacing)
    found = surface_distances(*pair, spacing)
    assert found.hd == pytest.approx(max(a.max(), b.max()), rel=1e-14)
    assert found.hd95 == pytest.approx(max(np.percentile(a, 95), np.percentile(b, 95)), rel=1e-12)
    assert found.assd == pytest.approx((a.sum() + b.sum()) / (a.size + b.size), rel=1e-12)
    assert found.masd == pytest.approx((a.mean() + b.mean()) / 2, rel=1e-12)
    # 0.9 mm is between all distances that such spacings can make, so < and <= agree here.
    near = (a < 0.9).sum() + (b < 0.9).sum()
    for strict in (True, False):
        assert found.nsd(0.9, strict=strict) == near / (a.size + b.size)


def test_two_cubes_shifted_by_one_voxel_score_as_computed_by_hand():
    one, other = np.zeros((6, 6, 6), bool), np.zeros((6, 6, 6), bool)
    one[1:4, 1:4, 1:4] = True
    other[2:5, 1:4, 1:4] = True
    found = surface_distances(one, other, ONE_MM)
    # A 3-cube has 26 boundary voxels. Of one's, the 9 at i=1 are 1 away from the other's face at i=2; the 8
    # at i=2 lie in that face; of the 9 at i=3 the 8 at the rim are on the other's boundary, and the middle
    # one is 1 from its nearest. By symmetry the same the other way.
    for distances in (found.reference_to_prediction_mm, found.prediction_to_reference_mm):
        assert sorted(distances) == [0.0] * 16 + [1.0] * 10
    assert found.assd == 20 / 52
    assert found.masd == 10 / 26
    assert found.hd == found.hd95 == 1.0
    assert found.nsd(1.0, strict=False) == 1.0
    assert found.nsd(1.0, strict=True) == 32 / 52


def test_spacing_belongs_to_the_axes_in_their_order():
    one, other = np.zeros((3, 3, 3), bool), np.zeros((3, 3, 3), bool)
    one[0, 0, 0] = True
    other[2, 1, 0] = True
    assert surface_distances(one, other, (1.5, 4.0, 7.0)).hd == 5.0


def test_a_tie_of_rounded_spacing_counts_as_a_tie():
    # 3 * 0.8 is 2.4000000000000004 in float64.
    distances = SurfaceDistances(np.array([3 * 0.8]), np.array([0.0]))
    assert distances.nsd(2.4, strict=False) == 1.0
    assert distances.nsd(2.4, strict=True) == 0.5


def test_hd95_takes_the_larger_percentile_and_interpolates():
    distances = SurfaceDistances(np.arange(11.0), np.zeros(100))
    assert distances.hd95 == pytest.approx(9.5)


def test_voxels_at_the_edge_of_the_volume_are_boundary():
    assert boundary(np.ones((2, 2, 2), bool)).all()
    assert boundary(np.ones((5, 5, 5), bool)).sum() == 125 - 27


@given(mask_pairs())
def test_boundary_is_what_looking_at_each_neighbour_finds(pair):
    assert [tuple(place) for place in np.argwhere(boundary(pair[0])).tolist()] == brute_force_boundary(
        pair[0]
    )


@given(mask_pairs(), spacings)
def test_swapping_masks_changes_no_metric(pair, spacing):
    assert metrics(*pair, spacing) == pytest.approx(metrics(*pair[::-1], spacing), rel=1e-12)


@given(mask_pairs(), spacings, st.integers(0, 2))
def test_flipping_both_masks_changes_no_metric(pair, spacing, axis):
    flipped = [np.flip(mask, axis) for mask in pair]
    assert metrics(*flipped, spacing) == pytest.approx(metrics(*pair, spacing), rel=1e-12)


@given(mask_pairs(), spacings, st.permutations([0, 1, 2]))
def test_permuting_axes_and_spacing_alike_changes_no_metric(pair, spacing, order):
    turned = [mask.transpose(order) for mask in pair]
    moved = tuple(spacing[axis] for axis in order)
    assert metrics(*turned, moved) == pytest.approx(metrics(*pair, spacing), rel=1e-12)


@given(mask_pairs(), spacings, st.integers(1, 3))
def test_padding_with_background_changes_no_metric(pair, spacing, width):
    padded = [np.pad(mask, width) for mask in pair]
    assert metrics(*padded, spacing) == metrics(*pair, spacing)


@given(mask_pairs(), spacings)
def test_doubled_spacing_doubles_every_distance(pair, spacing):
    single = surface_distances(*pair, spacing)
    double = surface_distances(*pair, tuple(2 * value for value in spacing))
    assert (double.hd, double.hd95, double.assd) == pytest.approx(
        (2 * single.hd, 2 * single.hd95, 2 * single.assd), rel=1e-15
    )
    assert double.nsd(4.0, strict=True) == single.nsd(2.0, strict=True)


@given(mask_pairs(), spacings)
def test_nsd_rises_with_the_tolerance_and_hd95_stays_below_hd(pair, spacing):
    found = surface_distances(*pair, spacing)
    values = [found.nsd(tau, strict=True) for tau in (0.5, 1.0, 2.0, 4.0, 100.0)]
    assert values == sorted(values)
    assert values[0] >= 0.0
    assert values[-1] == 1.0
    assert found.nsd(2.0, strict=True) <= found.nsd(2.0, strict=False)
    assert 0.0 <= found.assd <= found.hd
    assert 0.0 <= found.hd95 <= found.hd


@given(mask_pairs(), spacings)
def test_a_mask_against_itself_is_perfect(pair, spacing):
    found = surface_distances(pair[0], pair[0], spacing)
    assert (found.hd, found.hd95, found.assd, found.nsd(0.1, strict=True)) == (0.0, 0.0, 0.0, 1.0)


@settings(max_examples=20)
@given(st.integers(0, 2**32 - 1), spacings)
def test_larger_volumes_agree_with_simpleitk(seed, spacing):
    import SimpleITK

    generator = np.random.default_rng(seed)
    one, other = (generator.random((17, 13, 11)) > cut for cut in (0.6, 0.97))
    found = surface_distances(one, other, spacing)
    image = SimpleITK.GetImageFromArray(boundary(other).transpose(2, 1, 0).astype(np.uint8))
    image.SetSpacing(spacing)
    away = SimpleITK.SignedMaurerDistanceMap(image, squaredDistance=False, useImageSpacing=True)
    theirs = np.abs(SimpleITK.GetArrayFromImage(away)).transpose(2, 1, 0)[boundary(one)]
    np.testing.assert_allclose(found.reference_to_prediction_mm, theirs, rtol=1e-5, atol=1e-5)


def metrics(one: np.ndarray, other: np.ndarray, spacing: tuple[float, float, float]) -> tuple[float, ...]:
    found = surface_distances(one, other, spacing)
    nsd = [found.nsd(2.0, strict=strict) for strict in (True, False)]
    return found.hd, found.hd95, found.assd, found.masd, *nsd
