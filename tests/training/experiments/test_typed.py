from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import pytest

from wirsung.errors import ConfigError
from wirsung.inference.settings import PredictSettings
from wirsung.training.experiments.typed import check_settings, fits, settings_of


@dataclass(frozen=True)
class Plain:
    size: int
    share: float = 0.5
    kind: Literal["a", "b"] = "a"
    names: tuple[str, ...] = ()
    pair: tuple[float, float] | None = None


@pytest.mark.parametrize(
    ("value", "hint", "expected"),
    [
        (1, int, True),
        (1.0, int, False),
        (True, int, False),
        (True, bool, True),
        (1, float, True),
        (False, float, False),
        ("a", Literal["a"], True),
        ("c", Literal["a"], False),
        ((1, 2), tuple[int, int], True),
        ((1, 2, 3), tuple[int, int], False),
        ((1, "x"), tuple[int, ...], False),
        ("x", tuple[str, ...], False),
        (None, int | None, True),
        ("x", Path, True),
        ({"a": 1}, dict[str, Any], True),
    ],
)
def test_a_value_fits_its_type(value, hint, expected):
    assert fits(value, hint) is expected


def test_a_table_becomes_settings_with_lists_as_tuples():
    made = settings_of(Plain, {"size": 2, "names": ["x", "y"], "pair": [1, 2.5]}, "f.toml: t")
    assert made == Plain(2, names=("x", "y"), pair=(1, 2.5))


@pytest.mark.parametrize(
    ("table", "message"),
    [
        ({"size": 2, "kins": "a"}, r"f.toml: t has the key 'kins'.*Did you mean kind"),
        ({"size": 2.5}, r"f.toml: t.size is 2.5, which is not a whole number"),
        ({"size": 2, "kind": "c"}, r"t.kind is 'c', which is not one of a, b"),
        ({"size": 2, "names": "x"}, r"t.names is 'x', which is not a list of a text"),
        ({"size": 2, "pair": [1]}, r"t.pair is \[1\], which is not a list of a number"),
        ({}, r"f.toml: t lacks size"),
    ],
)
def test_a_wrong_table_is_told_by_file_and_key(table, message):
    with pytest.raises(ConfigError, match=message):
        settings_of(Plain, table, "f.toml: t")


def test_what_the_stage_refuses_is_told_with_its_place():
    given = {"source": Path("s"), "out": Path("o")}
    with pytest.raises(ConfigError, match=r"f.toml: predict: step is 2.0"):
        settings_of(PredictSettings, {"step": 2.0}, "f.toml: predict", given=given)


def test_a_field_that_the_program_gives_is_no_key():
    with pytest.raises(ConfigError, match="has the key 'size'"):
        check_settings(Plain, {"size": 3}, "f.toml: t", without=("size",))
