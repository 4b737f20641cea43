import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp
from scipy import ndimage
from scipy.spatial.distance import pdist

from wirsung.imaging.components import components, shared_voxels

TOUCHING = np.ones((3, 3, 3))
shapes = st.tuples(*[st.integers(1, 7)] * 3)
masks = hnp.arrays(np.bool_, shapes, elements=st.sampled_from([False, False, True]))
pairs = shapes.flatmap(lambda shape: st.tuples(*[hnp.arrays(np.bool_, shape)] * 2))


def speckle(shape, density, seed):
    return np.random.default_rng(seed).random(shape) < density


def outer_faces(mask, spacing_mm):
    """The middles of all faces between the mask and what is outside, one by one."""
    points = []
    padded = np.pad(mask, 1)
    for voxel in np.argwhere(padded):
        for axis in range(3):
            for step in (-1, 1):
                beside = voxel.copy()
                beside[axis] += step
                if not padded[tuple(beside)]:
                    points.append((voxel + beside) / 2 * spacing_mm)
    return np.array(points)


@given(masks)
def test_components_are_scipys(mask):
    expected, count = ndimage.label(mask.T, TOUCHING)
    found = components(mask)
    assert found.count == count
    assert np.array_equal(found.label_map(), expected.T)
    assert found.sizes_voxels.tolist() == np.bincount(expected.ravel())[1:].tolist()


@pytest.mark.parametrize("density", [0.01, 0.05, 0.08, 0.3, 0.9])
@pytest.mark.parametrize("order", ["C", "F"])
def test_components_of_speckle_are_scipys_in_any_memory_order(density, order):
    mask = np.asarray(speckle((40, 33, 29), density, 1), order=order)
    expected, count = ndimage.label(mask.T, TOUCHING)
    assert components(mask).count == count
    assert np.array_equal(components(mask).label_map(), expected.T)


@given(masks)
def test_maxima_are_scipys(mask):
    values = np.random.default_rng(0).random(mask.shape)
    found = components(mask)
    expected = ndimage.maximum(values, found.label_map(), np.arange(1, found.count + 1))
    assert found.maxima(values).tolist() == np.asarray(expected).tolist()


@given(pairs)
def test_shared_voxels_are_counted_one_by_one(pair):
    one, other = (components(mask) for mask in pair)
    expected = np.zeros((one.count, other.count), dtype=int)
    labels = np.stack([one.label_map().ravel(), other.label_map().ravel()])
    for first, second in labels[:, (labels > 0).all(axis=0)].T:
        expected[first - 1, second - 1] += 1
    assert np.array_equal(shared_voxels(one, other), expected)


@given(masks)
def test_diameters_are_those_of_all_outer_faces(mask):
    spacing_mm = (0.7, 0.8, 2.5)
    found = components(mask)
    expected = [
        pdist(outer_faces(found.label_map() == number, spacing_mm)).max()
        for number in range(1, found.count + 1)
    ]
    assert found.diameters_mm(spacing_mm) == pytest.approx(expected, abs=1e-12)


def test_the_diameter_of_a_ball_is_twice_its_radius_within_a_voxel():
    grid = (
        np.stack(np.meshgrid(*[np.arange(-14, 15)] * 3, indexing="ij"))
        * np.array([1, 0.8, 1.2])[:, None, None, None]
    )
    ball = np.sqrt((grid**2).sum(axis=0)) <= 10.3
    found = components(ball).diameters_mm((1, 0.8, 1.2))
    assert found == pytest.approx([20.6], abs=1.2)


def test_a_lone_voxel_is_as_long_as_its_longest_edge():
    mask = np.zeros((3, 3, 3), dtype=bool)
    mask[2, 2, 2] = True
    assert components(mask).diameters_mm((0.8, 0.9, 5.0)).tolist() == [5.0]


def test_an_empty_mask_has_no_component():
    found = components(np.zeros((3, 4, 5), dtype=bool))
    assert (found.count, found.sizes_voxels.size, found.diameters_mm((1, 1, 1)).size) == (0, 0, 0)
    assert found.maxima(np.zeros((3, 4, 5))).size == 0
    assert shared_voxels(found, components(np.ones((3, 4, 5), dtype=bool))).shape == (0, 1)


def test_components_do_not_reach_around_the_edge():
    mask = np.zeros((4, 3, 3), dtype=bool)
    mask[3, 0, 0] = mask[0, 1, 0] = mask[0, 2, 1] = mask[3, 0, 2] = True
    assert components(mask).count == ndimage.label(mask, TOUCHING)[1]


@given(masks)
def test_the_diameter_in_a_slice_is_that_of_the_slice_alone(mask):
    spacing_mm = (0.7, 1.1, 2.0)
    found = components(mask)
    expected = np.zeros(found.count)
    for number in range(found.count):
        own = found.label_map() == number + 1
        for k in range(mask.shape[2]):
            points = [
                p for p in outer_faces(own[:, :, k : k + 1], spacing_mm) if abs(p[2] - spacing_mm[2]) < 0.5
            ]  # within the slice
            if points:
                expected[number] = max(expected[number], pdist(np.array(points)).max())
    np.testing.assert_allclose(found.slice_diameters_mm(spacing_mm), expected, atol=1e-9)


@given(masks, st.integers(0, 100))
def test_moments_are_those_of_the_voxels_of_each_body(mask, seed):
    values = np.random.default_rng(seed).normal(0, 100, mask.shape)
    found = components(mask)
    inside = [values[found.label_map() == number + 1] for number in range(found.count)]
    means, sds = found.moments(values)
    np.testing.assert_allclose(means, [own.mean() for own in inside], atol=1e-9)
    np.testing.assert_allclose(sds, [own.std() for own in inside], atol=1e-9)
