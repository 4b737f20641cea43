"""The course of a finished training."""

import json

import numpy as np

from wirsung.training.history import history_of
from wirsung.training.watching.best import BestSoFar
from wirsung.training.watching.events import Epoch


class Log:
    """Of two epochs, in the second of which no patch held a class."""

    def get_value(self, key, step):
        assert step is None
        return [np.float32(0.5), np.float64("nan") if key == "mean_fg_dice" else 0.25]


def test_the_history_is_json_and_says_which_epoch_was_the_best():
    best = BestSoFar(("pancreas",)).updated(Epoch(0, 1.0, 1.0, {"pancreas": 0.5}, 0.01, 1.0))
    made = json.loads(json.dumps(history_of(Log(), best), allow_nan=False))
    assert made["train_losses"] == [0.5, 0.25]
    assert made["mean_fg_dice"] == [0.5, None]
    assert made["best"] == {"epoch": 0, "of": "pancreas", "score": 0.5, "mean": 0.5}
    assert history_of(Log(), BestSoFar())["best"] is None
