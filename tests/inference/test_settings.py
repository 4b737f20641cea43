"""The settings of predict: what can't be is refused where it is said, before a model is loaded."""

from pathlib import Path

import pytest

from wirsung.errors import ConfigError
from wirsung.inference.settings import PredictSettings

PLACES = (Path("in"), Path("out"))


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        ({"step": 0.0}, "step is 0.0, but it must be above 0 and at most 1"),
        ({"step": 1.5}, "step is 1.5"),
        ({"step": float("nan")}, "step is nan"),
        ({"threads": 0}, "threads is 0, but it must be at least 1"),
        ({"smallest_lesion_ml": -0.1}, "a volume is at least 0 ml"),
        ({"smallest_lesion_ml": float("inf")}, "a volume is at least 0 ml"),
        ({"smallest_lesion_ml": float("nan")}, "a volume is at least 0 ml"),
        ({"folds": (0, 1), "fold": 2}, "say the same in two ways"),
    ],
)
def test_what_can_not_be_is_refused(wrong, message):
    with pytest.raises(ConfigError, match=message):
        PredictSettings(*PLACES, **wrong)


def test_what_is_not_said_is_exact_and_lax():
    settings = PredictSettings(*PLACES)
    assert (settings.preset, settings.step, settings.strict, settings.postprocess) == (
        "exact",
        None,
        False,
        (),
    )


@pytest.mark.parametrize(
    ("said", "chosen"),
    [({}, None), ({"fold": 2}, (2,)), ({"fold": "all"}, ("all",)), ({"folds": (0, 3)}, (0, 3))],
)
def test_folds_are_chosen_in_one_way(said, chosen):
    assert PredictSettings(*PLACES, **said).chosen_folds == chosen
