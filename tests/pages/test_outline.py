import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.pages.outline import outlines

masks = st.tuples(st.integers(1, 7), st.integers(1, 7)).flatmap(lambda shape: arrays(np.bool_, shape))


def signed_area(polygon: np.ndarray) -> float:
    i, j = polygon[:, 0], polygon[:, 1]
    return float((i[:-1] * j[1:] - i[1:] * j[:-1]).sum() / 2)


def edge_length(polygon: np.ndarray) -> float:
    return float(np.abs(np.diff(polygon, axis=0)).sum())


@given(masks)
def test_outlines_enclose_the_area_of_the_mask(mask):
    assert sum(signed_area(polygon) for polygon in outlines(mask)) == mask.sum()


@given(masks)
def test_outlines_are_as_long_as_the_edges_between_inside_and_outside(mask):
    padded = np.pad(mask, 1).astype(int)
    edges = sum(np.abs(np.diff(padded, axis=axis)).sum() for axis in (0, 1))
    assert sum(edge_length(polygon) for polygon in outlines(mask)) == edges


@given(masks)
def test_outlines_are_closed_and_turn_at_every_corner(mask):
    for polygon in outlines(mask):
        assert (polygon[0] == polygon[-1]).all()
        steps = np.diff(polygon, axis=0)
        assert ((steps == 0).sum(axis=1) == 1).all()
        assert ((steps[:-1] == 0) != (steps[1:] == 0)).all()
        assert (polygon % 1 == 0.5).all()


def test_a_hole_has_its_own_outline_the_other_way_round():
    ring = np.ones((3, 3), bool)
    ring[1, 1] = False
    assert sorted(signed_area(polygon) for polygon in outlines(ring)) == [-1.0, 9.0]


def test_voxels_that_touch_at_a_corner_have_an_outline_each():
    assert sorted(len(polygon) for polygon in outlines(np.eye(2, dtype=bool))) == [5, 5]


def test_an_empty_mask_has_no_outline():
    assert outlines(np.zeros((3, 3), bool)) == []
