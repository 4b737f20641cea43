import numpy as np
import pytest

from wirsung.evaluation.near_search import FAR, Ball, Steps, near_distances


@pytest.mark.parametrize("sizes_mm", [(1.0, 1.0, 1.0), (1.25, 0.8, 0.8), (5.0, 0.7, 0.7), (100.0, 0.1, 0.1)])
def test_a_ball_leaves_no_shorter_offset_out(sizes_mm):
    ball = Ball((60, 60, 60), Steps(*sizes_mm, False))
    lengths = ball.lengths_mm
    assert (np.diff(lengths) >= 0).all()
    assert lengths[0] == 0
    grid = np.stack(np.meshgrid(*[np.arange(-59, 60)] * 3, indexing="ij"), axis=-1).reshape(-1, 3)
    all_lengths = np.sqrt(((grid * sizes_mm) ** 2).sum(axis=1))
    shorter = int((all_lengths < lengths[-1] - 1e-9).sum())
    assert shorter <= lengths.size <= 2800


def test_offsets_stay_inside_a_small_volume():
    ball = Ball((1, 2, 3), Steps(1.0, 1.0, 1.0, False))
    assert ball.lengths_mm.size == 1 * 3 * 5
    assert ball.layout.size == 1 * 4 * 7


def test_a_query_ends_at_the_nearest_place_with_its_label():
    ball = Ball((40, 40, 40), Steps(1.0, 1.0, 1.0, False))
    layout = ball.layout
    labels = np.zeros(layout.size, np.uint8)
    query = layout.origin + 20 * layout.plane + 20 * layout.row + 20
    labels[query + 1] = 2
    labels[query + 3 * layout.row] = 1
    labels[query + 2 * layout.plane + 2] = 1
    find = [
        near_distances(np.array([query]), labels, label, ball.jumps, ball.lengths_mm)[0]
        for label in (1, 2, 3)
    ]
    assert find == [np.sqrt(8), 1.0, FAR]
