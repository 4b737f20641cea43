import math

import pytest

from wirsung.errors import ConfigError
from wirsung.training.experiments.reading import parse_experiment
from wirsung.training.experiments.run import experiment
from wirsung.training.experiments.settings import ExperimentSettings
from wirsung.training.experiments.token_call import Call
from wirsung.training.experiments.tokens import growth_of, plan_of, sentences

TEXT = """
schema = 1
name = "a"
title = "A"
about = "B"
seeds = 1
kind = "attention"
[arms.linear]
title = "linear"
[arms.textbook]
title = "exact"
[attention]
tokens = [8, 27]
channels = 8
heads = 2
repeats = 2
"""
COUNTS = (100, 200, 400, 800)


def calls(kind, seconds, memory=None):
    return [
        Call(kind, n, 8, 1, 3, "cpu", (seconds(n),) * 3, None if memory is None else memory(n))
        for n in COUNTS
    ]


@pytest.mark.parametrize("power", [0.5, 1.0, 2.0])
def test_growth_is_the_power_of_the_tokens(power):
    found = growth_of("linear", calls("linear", lambda n: 1e-3 * n**power, lambda n: 5.0 * n**power))
    assert (found.seconds, found.low, found.high, found.memory) == pytest.approx((power,) * 4)


def test_growth_is_of_the_larger_half_where_a_call_costs_more_than_its_overhead():
    found = growth_of("linear", calls("linear", lambda n: max(4e-3, 1e-5 * n)))
    assert found.seconds == pytest.approx(1.0)
    assert math.isnan(found.memory)


def test_one_number_of_tokens_has_no_growth():
    assert math.isnan(growth_of("linear", calls("linear", float)[:1]).seconds)


def test_the_sentences_tell_from_where_linear_attention_pays():
    both = [
        *calls("linear", lambda n: 2e-3 * n, float),
        *calls("softmax", lambda n: 1e-5 * n**2, lambda n: 2.0 * n),
    ]
    growth = [growth_of(kind, both) for kind in ("linear", "softmax")]
    said = sentences(both, growth, {"linear": "Linear", "softmax": "exact"})
    assert said[0].startswith("The time of Linear grows as tokens to the power 1.00")
    assert said[2] == (
        "Linear is the faster one from 400 tokens on; at 800 tokens exact takes 4.0 times its time and 2.0 "
        "times the memory."
    )


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("[arms.linear]", "[arms.liner]", "arms.liner is no kind of attention. Did you mean linear"),
        ("[8, 27]", "[8]", "two numbers of tokens"),
        ("channels = 8", "channels = 9", "that its heads can share"),
        ("repeats = 2", "repeat = 2", "has the key 'repeat'"),
    ],
)
def test_a_wrong_plan_is_an_error(before, after, message):
    with pytest.raises(ConfigError, match=message):
        plan_of(parse_experiment(TEXT.replace(before, after), "a.toml", "cpu"))


def test_a_measurement_ends_in_a_page_and_is_not_made_twice(tmp_path):
    (tmp_path / "a.toml").write_text(TEXT)
    settings = ExperimentSettings(tmp_path / "a.toml", tmp_path / "out", device="cpu")
    first, second = experiment(settings), experiment(settings)
    assert [item.status for item in first.outcomes] == ["done"] * 4
    assert [item.status for item in second.outcomes] == ["skipped"] * 4
    assert first.as_json()["results"]["calls"] == second.as_json()["results"]["calls"]
    page = second.page.read_text()
    assert "linear" in page
    assert "27" in page
