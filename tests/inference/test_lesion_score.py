"""The lesion's score, against a slow search over all voxels and against hand counts."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.imaging.volume import Volume
from wirsung.inference import lesion_score as module
from wirsung.inference.lesion_score import lesion_score

SPACING_MM = (2.0, 3.0, 5.0)


def volume(voxels, spacing_mm=SPACING_MM):
    return Volume(voxels, np.diag([*spacing_mm, 1.0]))


@given(
    st.integers(0, 2**32 - 1),
    st.floats(0, 20),
    st.floats(0.001, 3),
    st.sampled_from([3, 20, 100, 20_000]),
    st.sampled_from([2, 100]),
)
def test_it_is_what_a_search_over_all_pairs_of_voxels_finds(seed, margin_mm, top_ml, asked, levels):
    random = np.random.default_rng(seed)
    # Of few levels many voxels are equal.
    probability = random.integers(0, levels, (7, 6, 5)) / levels
    pancreas = random.random((7, 6, 5)) > random.choice([0.97, 0.7])
    pancreas[3, 3, 2] = True
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(module, "_MANY", asked)
        score = lesion_score(volume(probability), pancreas, margin_mm=margin_mm, top_ml=top_ml)
    centres = np.indices(probability.shape).reshape(3, -1).T * SPACING_MM
    inside = np.linalg.norm(centres[:, None] - centres[None, pancreas.ravel()], axis=2).min(axis=1)
    values = np.sort(probability.ravel()[inside <= margin_mm * (1 + 1e-9)])[::-1]
    count = min(max(1, int(np.ceil(np.round(top_ml / 0.03, 6)))), len(values))
    assert score.region == "pancreas"
    assert score.maximum == values[0]
    assert score.top_voxels == count
    assert score.top_mean == pytest.approx(values[:count].mean())


def test_a_bright_spot_far_from_the_pancreas_does_not_count():
    probability = np.full((40, 4, 4), 0.1)
    probability[35, 2, 2] = 1.0
    pancreas = np.zeros(probability.shape, bool)
    pancreas[5:10] = True
    assert lesion_score(volume(probability), pancreas).maximum == 0.1


def test_without_a_pancreas_the_whole_image_counts_and_the_score_says_so():
    probability = np.zeros((5, 5, 5))
    probability[4, 4, 4] = 0.7
    score = lesion_score(volume(probability), np.zeros((5, 5, 5), bool))
    assert (score.maximum, score.region) == (0.7, "image")


def test_the_same_lesion_scores_alike_on_a_finer_grid():
    coarse = np.zeros((20, 20, 20))
    coarse[8:12, 8:12, 8:12] = 0.9
    fine = coarse.repeat(2, 0).repeat(2, 1).repeat(2, 2)
    scores = [
        lesion_score(volume(voxels, (size,) * 3), voxels > 0) for voxels, size in ((coarse, 2.0), (fine, 1.0))
    ]
    assert [score.top_mean for score in scores] == pytest.approx([0.9, 0.9])
    assert [score.top_voxels for score in scores] == [13, 100]


def test_as_json_holds_numbers_that_json_can_hold():
    score = lesion_score(volume(np.full((3, 3, 3), 1 / 3, np.float32)), np.ones((3, 3, 3), bool))
    assert score.as_json() == {
        "maximum": 0.333333,
        "top_mean": 0.333333,
        "top_voxels": 4,
        "region": "pancreas",
    }
