import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.evaluation.far_search import far_distances, into_blocks
from wirsung.evaluation.near_search import Ball, Steps

SHAPE = (40, 33, 50)
sizes = st.sampled_from([0.5, 0.7, 0.8, 1.25, 3.0])


def places(generator, layout, count):
    """Distinct voxels in three clusters, as places."""
    centres = generator.integers(0, SHAPE, (3, 3))
    voxels = centres[generator.integers(0, 3, count)] + generator.integers(-6, 7, (count, 3))
    voxels = np.unique(np.clip(voxels, 0, np.array(SHAPE) - 1), axis=0)
    return voxels, voxels @ [layout.plane, layout.row, 1] + layout.origin


@settings(max_examples=60)
@given(st.integers(0, 2**32 - 1), st.tuples(sizes, sizes, sizes), st.booleans())
def test_blocks_and_tree_find_what_looking_at_all_pairs_finds(seed, sizes_mm, turned):
    steps = Steps(*sizes_mm, turned)
    layout = Ball(SHAPE, steps).layout
    generator = np.random.default_rng(seed)
    (sources, queries), (aims, targets) = (places(generator, layout, 200) for _ in range(2))
    z, y, x = np.moveaxis(((sources[:, None] - aims[None]) * np.array(sizes_mm)) ** 2, -1, 0)
    expected = np.sqrt(((x + y) + z if turned else (z + y) + x).min(axis=1))
    assert (far_distances(queries, targets, layout, steps) == expected).all()
    by_tree = far_distances(queries, targets, layout, steps, work_limit=0)
    np.testing.assert_allclose(by_tree, expected, rtol=1e-15)


def test_a_block_holds_its_voxels_and_no_other():
    layout = Ball(SHAPE, Steps(1.0, 1.0, 1.0, False)).layout
    voxels, given_places = places(np.random.default_rng(1), layout, 500)
    blocks = into_blocks(given_places, layout)
    assert (blocks.voxels == voxels[blocks.order]).all()
    assert blocks.starts[-1] == len(voxels)
    for block, box in enumerate(blocks.boxes):
        inside = blocks.voxels[blocks.starts[block] : blocks.starts[block + 1]]
        assert len(np.unique(inside >> 3, axis=0)) == 1
        assert (box == [*inside.min(axis=0), *inside.max(axis=0)]).all()
    assert len(np.unique(voxels >> 3, axis=0)) == len(blocks.boxes)


@pytest.mark.parametrize("work_limit", [10**9, 0])
def test_one_query_and_one_target_are_enough(work_limit):
    steps = Steps(2.0, 1.0, 0.5, False)
    layout = Ball(SHAPE, steps).layout
    query, target = (
        np.array([layout.origin + place]) for place in (0, 3 * layout.plane + 6 * layout.row + 20)
    )
    assert far_distances(query, target, layout, steps, work_limit=work_limit)[0] == np.sqrt(36 + 36 + 100)
