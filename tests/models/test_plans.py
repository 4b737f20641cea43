"""plans.json and dataset.json."""

import copy
import json
from contextlib import suppress

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from wirsung.errors import CheckpointError
from wirsung.models.labels import parse_labels
from wirsung.models.plans import parse_plans, read_label_table, read_plans, write_plans


def test_a_configuration_inherits_what_it_does_not_say(plans_content):
    plans = parse_plans(plans_content)
    small = plans.configuration("3d_small")
    assert (small.batch_size, small.patch_size, small.spacing_mm) == (4, (16, 16, 16), (2.0, 1.5, 1.5))
    assert plans.configuration("3d_fullres").batch_size == 2


def test_nnunet_resolves_the_same_configuration(plans_content):
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    theirs = PlansManager(plans_content).get_configuration("3d_small")
    ours = parse_plans(plans_content).configuration("3d_small")
    assert ours.batch_size == theirs.batch_size
    assert list(ours.patch_size) == theirs.patch_size
    assert list(ours.spacing_mm) == theirs.spacing


def test_plans_survive_a_round_trip(tmp_path, plans_content):
    write_plans(tmp_path, parse_plans(plans_content))
    assert read_plans(tmp_path) == parse_plans(plans_content)


def test_an_unknown_configuration_names_the_near_ones(plans_content):
    with pytest.raises(CheckpointError, match="Did you mean 3d_fullres"):
        parse_plans(plans_content).configuration("3d_fulres")


def test_configurations_that_inherit_in_a_circle_are_refused(plans_content):
    plans_content["configurations"]["3d_fullres"]["inherits_from"] = "3d_small"
    with pytest.raises(CheckpointError, match="in a circle"):
        parse_plans(plans_content).configuration("3d_fullres")


@pytest.mark.parametrize(
    ("key", "value", "message"),
    [
        ("patch_size", [16, 16], "is two-dimensional"),
        ("previous_stage", "3d_lowres", "second stage of a cascade"),
        ("resampling_fn_data", "resample_torch_fornnunet", "resamples by resample_torch_fornnunet"),
        ("normalization_schemes", ["MyNormalization"], "normalises by MyNormalization"),
        ("resampling_fn_data_kwargs", {"order": 2}, "known are the orders 0, 1 and 3"),
    ],
)
def test_what_can_not_be_run_is_refused_by_name(plans_content, key, value, message):
    plans_content["configurations"]["3d_fullres"][key] = value
    with pytest.raises(CheckpointError, match=message):
        parse_plans(plans_content).configuration("3d_fullres")


def test_plans_of_another_kind_are_refused(plans_content):
    del plans_content["transpose_forward"]
    with pytest.raises(CheckpointError, match="transpose_forward"):
        parse_plans(plans_content)
    plans_content["transpose_forward"] = [0, 1, 2]
    del plans_content["configurations"]["3d_fullres"]["spacing"]
    with pytest.raises(CheckpointError, match="lacks 'spacing'"):
        parse_plans(plans_content).configuration("3d_fullres")


def test_label_tables_name_classes_by_index(tmp_path):
    table = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "liver": 2, "spleen": 1}}
    (tmp_path / "dataset.json").write_text(json.dumps(table))
    read = read_label_table(tmp_path)
    assert read.channels == ("CT",)
    assert read.class_names == ("background", "spleen", "liver")


@pytest.mark.parametrize(
    ("labels", "message"),
    [
        ({"background": 0, "liver": [1, 2]}, "regions or an ignore label"),
        ({"background": 0, "liver": 2}, "must be 0, 1, 2 and so on"),
        ({"background": 0, "liver": 1, "ignore": 2}, "regions or an ignore label"),
    ],
)
def test_label_tables_that_can_not_be_used_are_refused(tmp_path, labels, message):
    table = {"channel_names": {"0": "CT"}, "labels": labels}
    (tmp_path / "dataset.json").write_text(json.dumps(table))
    with pytest.raises(CheckpointError, match=message):
        read_label_table(tmp_path)


@pytest.mark.parametrize(("text", "message"), [("{", "is not JSON"), ("[]", "holds no JSON object")])
def test_damaged_files_are_refused(tmp_path, text, message):
    with pytest.raises(CheckpointError, match="can't be read"):
        read_plans(tmp_path)
    (tmp_path / "plans.json").write_text(text)
    with pytest.raises(CheckpointError, match=message):
        read_plans(tmp_path)


def test_any_configuration_has_an_outline_that_says_what_stands_in_the_way(plans_content):
    table = plans_content["configurations"]
    table["2d"] = {**table["3d_fullres"], "patch_size": [16, 16], "spacing": [1.5, 1.5]}
    table["cascade"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_small"}
    plans = parse_plans(plans_content)
    assert plans.outline("3d_fullres").obstacles == ()
    assert plans.outline("2d").obstacles == ("is two-dimensional",)
    assert plans.outline("2d").patch_size == (16, 16)
    assert plans.outline("cascade").obstacles == ("is the second stage of a cascade",)


def test_a_cascade_is_given_a_channel_for_each_class_of_its_first_stage(plans_content):
    from nnunetv2.utilities.label_handling.label_handling import determine_num_input_channels
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    table = plans_content["configurations"]
    table["cascade"] = {"inherits_from": "3d_fullres", "previous_stage": "3d_small"}
    content = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "a": 1, "b": 2, "ignore": 3}}
    labels = parse_labels(content, "dataset.json")
    for name in ("3d_fullres", "cascade"):
        theirs = determine_num_input_channels(PlansManager(plans_content), name, content)
        assert parse_plans(plans_content).outline(name).input_channels(labels) == theirs


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"patch_size": [16]}, "both must have two numbers or three"),
        ({"patch_size": [16, 16]}, "both must have two numbers or three"),
        ({"previous_stage": "3d_lowres"}, "follows 3d_lowres, which is not there"),
        ({"architecture": {}}, "lacks 'network_class_name'"),
    ],
)
def test_plans_that_contradict_themselves_have_no_outline(plans_content, change, message):
    plans_content["configurations"]["3d_fullres"].update(change)
    with pytest.raises(CheckpointError, match=message):
        parse_plans(plans_content).outline("3d_fullres")


_ODD = st.sampled_from([None, True, -1, 0, 1e9, "", "x", [], [1], ["x"], {}, {"x": 1}, [[]], "3d_small"])


def _places(content, place=()):
    """Every place in a JSON value."""
    yield place
    items = (
        content.items()
        if isinstance(content, dict)
        else enumerate(content)
        if isinstance(content, list)
        else ()
    )
    for key, value in items:
        yield from _places(value, (*place, key))


def _put(content, place, value):
    for key in place[:-1]:
        content = content[key]
    content[place[-1]] = value


@given(data=st.data())
@settings(max_examples=300, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_plans_with_anything_anywhere_are_read_or_refused_in_words(plans_content, data):
    content = copy.deepcopy(plans_content)
    place = data.draw(st.sampled_from([item for item in _places(content) if item]))
    _put(content, place, data.draw(_ODD))
    for ask in ("configuration", "outline"):
        with suppress(CheckpointError):
            getattr(parse_plans(content), ask)("3d_small")


_LABELS = {
    "channel_names": {"0": "CT"},
    "labels": {"background": 0, "whole": [1, 2], "core": 2, "ignore": 3},
    "regions_class_order": [1, 2],
}


@given(data=st.data())
@settings(max_examples=200)
def test_labels_with_anything_anywhere_are_read_or_refused_in_words(data):
    content = copy.deepcopy(_LABELS)
    place = data.draw(st.sampled_from([item for item in _places(content) if item]))
    _put(content, place, data.draw(_ODD))
    with suppress(CheckpointError):
        assert parse_labels(content, "dataset.json").outputs
