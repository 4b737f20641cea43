import math
from dataclasses import MISSING, fields
from pathlib import Path

import pytest

from wirsung.evaluation.evaluated import badness, command_of
from wirsung.evaluation.scores import Score
from wirsung.evaluation.settings import EvaluateSettings


def score(metric: str, value: float, reason: str | None = None) -> Score:
    keys = {"case": "a", "structure": "pancreas", "metric": metric, "value": value, "unit": "?"}
    return Score(**keys, reason=reason, protocol="pants", method="ours")


@pytest.mark.parametrize(
    ("worse", "better"),
    [
        (score("dsc", 0.1), score("dsc", 0.9)),
        (score("nsd_2mm", 0.0), score("nsd_2mm", 0.1)),
        (score("hd95", 9.0), score("hd95", 1.0)),
        (score("hd95", math.nan, "prediction_empty"), score("hd95", 500.0)),
        (score("volume_difference", -0.5), score("volume_difference", 0.2)),
        (score("volume_difference_ml", 9.0), score("volume_difference_ml", -3.0)),
    ],
)
def test_the_worse_score_is_the_badder_one(worse, better):
    assert badness(worse) > badness(better)


def test_what_is_undefined_has_no_rank():
    assert math.isnan(badness(score("dsc", math.nan, "reference_empty")))


def test_the_command_gives_the_settings_back():
    import tyro

    settings = EvaluateSettings(
        Path("labels"), Path("ours"), also=(Path("theirs"),), scheme="pants-2", all_cases=True, seed=7
    )
    words = command_of(settings).split()
    assert words[:2] == ["wirsung", "evaluate"]
    again = tyro.cli(EvaluateSettings, args=words[2:])
    for item in fields(EvaluateSettings):
        if item.default is MISSING or item.type is not Path:
            assert str(getattr(again, item.name)) == str(getattr(settings, item.name)), item.name


def test_the_command_keeps_to_itself_where_the_folders_lie():
    settings = EvaluateSettings(
        Path("/home/somebody/labels"),
        Path("/data/site/ours"),
        Path("/tmp/out"),
        protocol="/home/somebody/own.toml",
    )
    assert command_of(settings) == "wirsung evaluate labels ours --protocol own.toml"
