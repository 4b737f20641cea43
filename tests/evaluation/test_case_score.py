from itertools import pairwise

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as hnp

from wirsung.errors import ConfigError
from wirsung.evaluation.case_score import case_score, metric_of, voxels_of, words_of

volumes = hnp.arrays(
    np.float32, st.tuples(*[st.integers(1, 5)] * 3), elements=st.floats(0, 1, width=32, allow_subnormal=False)
)


@given(volumes, st.integers(2, 200))
def test_topk_is_the_mean_of_the_sorted_rest(probability, count):
    ranked = np.sort(probability.ravel().astype(np.float64))[::-1]
    assert case_score(f"topk:{count}", probability) == pytest.approx(ranked[:count].mean(), abs=1e-12)


@given(volumes)
def test_the_mean_of_one_is_the_maximum_and_more_voxels_never_raise_it(probability):
    scores = [case_score(f"topk:{count}", probability) for count in (1, 2, 5, 50)]
    assert scores[0] == case_score("max", probability) == probability.max()
    assert all(later <= earlier + 1e-12 for earlier, later in pairwise(scores))


@pytest.mark.parametrize("name", ["topk", "topk:0", "topk:-3", "topk:a", "mean", "max:2", ""])
def test_unknown_names_are_errors(name):
    with pytest.raises(ConfigError, match="no case score named"):
        voxels_of(name)


def test_a_volume_is_no_score_of_a_probability():
    assert metric_of("volume") is None
    assert words_of("volume") == "predicted lesion volume"
    with pytest.raises(ConfigError, match="from the label map"):
        case_score("volume", np.zeros((2, 2, 2)))
