import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.evaluation.boundary_scan import Boundaries, count_voxels, mark_planes, voxel_at
from wirsung.evaluation.near_search import Ball, Steps
from wirsung.evaluation.surface import boundary

label_maps = st.tuples(st.integers(1, 6), st.integers(1, 6), st.integers(1, 19)).flatmap(
    lambda shape: st.tuples(*[arrays(np.uint8, shape, elements=st.integers(0, 3))] * 2)
)


def scanned(voxels):
    layout = Ball(voxels.shape, Steps(1.0, 2.0, 0.5, False)).layout
    labels = np.zeros(layout.size, np.uint8)
    half = len(voxels) // 2
    slabs = [mark_planes(voxels, *ends, layout, labels) for ends in ((0, half), (half, len(voxels)))]
    return Boundaries.of_slabs(labels, layout, slabs)


def mask_at(places, boundaries, shape):
    mask = np.zeros(shape, bool)
    for place in places:
        mask[voxel_at(place, boundaries.layout)] = True
    assert mask.sum() == len(places)
    return mask


@given(label_maps)
def test_each_label_has_the_boundary_of_its_mask(pair):
    voxels = pair[0]
    found = scanned(voxels)
    for label in range(1, 5):
        expected = boundary(voxels == label)
        assert (mask_at(found.places_of(label), found, voxels.shape) == expected).all()
        assert (np.diff(found.places_of(label)) > 0).all()
    assert np.count_nonzero(found.labels) == len(found.places)
    assert (found.labels[found.places_of(2)] == 2).all()


@given(label_maps)
def test_a_union_has_the_boundary_of_its_mask(pair):
    voxels = pair[0]
    boundaries = scanned(voxels)
    union = boundaries.union([1, 3], voxels)
    expected = boundary(np.isin(voxels, (1, 3)))
    assert (mask_at(union.places_of(1), union, voxels.shape) == expected).all()
    assert union.labels.sum() == expected.sum()


@given(label_maps, st.integers(0, 60))
def test_counts_in_pieces_add_up_to_the_joint_histogram(pair, cut):
    one, other = pair
    cut = min(cut, one.size)
    counts = (
        count_voxels(one, other, 0, cut) + count_voxels(one, other, cut, one.size)
        if cut < one.size
        else (count_voxels(one, other, 0, one.size))
    )
    expected = np.zeros((256, 256), int)
    np.add.at(expected, (one, other), 1)
    assert (counts == expected).all()


@pytest.mark.parametrize("size", [1, 7, 8, 9, 63, 64, 65])
def test_long_runs_and_ends_are_counted(size):
    one = np.full((1, 1, size), 200, np.uint8)
    other = one.copy()
    other[..., -1] = 7
    counts = count_voxels(one, other, 0, size)
    assert (counts[200, 200], counts[200, 7], counts.sum()) == (size - 1, 1, size)
