from pathlib import Path

import pytest

from wirsung.errors import ConfigError
from wirsung.training.experiments.settings import ExperimentSettings

BOTH = (Path("e.toml"), Path("out"))


@pytest.mark.parametrize("word", ["pants", "=x", "pants="])
def test_data_is_a_name_and_a_path(word):
    with pytest.raises(ConfigError, match="is not NAME=PATH"):
        ExperimentSettings(*BOTH, data=(word,))


def test_a_name_of_data_comes_once():
    with pytest.raises(ConfigError, match="name of its own"):
        ExperimentSettings(*BOTH, data=("a=x", "a=y"))


def test_a_path_may_hold_an_equals_sign():
    assert ExperimentSettings(*BOTH, data=("a=x=y",)).paths() == {"a": Path("x=y")}


@pytest.mark.parametrize("name", ["seeds", "workers"])
def test_counts_are_at_least_one(name):
    with pytest.raises(ConfigError, match=f"{name} is 0"):
        ExperimentSettings(*BOTH, **{name: 0})
