"""The labels of dataset.json, held against nnU-Net's own reading of them."""

import json

import pytest

from wirsung.errors import CheckpointError
from wirsung.models.labels import parse_labels, uses_regions_or_ignore
from wirsung.models.plans import read_labels

PLAIN = {"background": 0, "liver": 2, "spleen": 1}
REGIONS = {"background": 0, "whole": [1, 2, 3], "core": [2, 3], "enhancing": [3]}


def _parsed(labels, **more):
    return parse_labels({"channel_names": {"0": "CT", "1": "T1"}, "labels": labels, **more}, "dataset.json")


def _theirs(labels, order=None):
    from nnunetv2.utilities.label_handling.label_handling import LabelManager

    return LabelManager(labels, order)


@pytest.mark.parametrize(
    ("labels", "order"),
    [
        (PLAIN, None),
        ({**PLAIN, "ignore": 3}, None),
        ({"background": 0, "a": [1], "b": [2]}, None),
        (REGIONS, [1, 2, 3]),
        ({**REGIONS, "ignore": 4}, [3, 1, 2]),
    ],
    ids=["plain", "ignore", "lists of one", "regions", "regions and ignore"],
)
def test_labels_are_read_as_nnunet_reads_them(labels, order):
    ours = _parsed(labels, regions_class_order=order)
    theirs = _theirs(labels, order)
    assert ours.has_regions == theirs.has_regions
    assert ours.ignore == theirs.ignore_label
    assert list(ours.foreground) == theirs.foreground_labels
    assert len(ours.outputs) == theirs.num_segmentation_heads


def test_outputs_are_named_in_the_networks_order():
    assert _parsed(PLAIN).outputs == ("background", "spleen", "liver")
    assert _parsed(REGIONS, regions_class_order=[1, 2, 3]).outputs == ("whole", "core", "enhancing")


@pytest.mark.parametrize(
    ("labels", "order", "message"),
    [
        ({"liver": 1}, None, "background must be there and be 0"),
        ({"background": 1, "liver": 0}, None, "background must be there and be 0"),
        ({"background": 0, "liver": 2}, None, "must be 0, 1, 2 and so on, but are \\[0, 2\\]"),
        ({"background": 0, "liver": 1, "spleen": 1}, None, "but are \\[0, 1, 1\\]"),
        ({"background": 0, "liver": 1, "ignore": 3}, None, "ignore label is \\[3\\], but must be 2"),
        ({"background": 0, "liver": [1, 3]}, [1], "must be 0, 1, 2 and so on"),
        (REGIONS, [1, 2], "2 values for 3 regions"),
        (REGIONS, None, "0 values for 3 regions"),
        ({"background": 0, "liver": "1"}, None, "a whole number or a list of them, not '1'"),
        ({"background": 0, "liver": 1.0}, None, "not 1.0"),
        ({"background": 0, "liver": True}, None, "not True"),
        ({"background": 0, "liver": []}, None, "not \\[\\]"),
    ],
)
def test_labels_that_nnunet_could_not_use_are_refused(labels, order, message):
    with pytest.raises(CheckpointError, match=message):
        _parsed(labels, regions_class_order=order)


def test_files_without_labels_or_channels_are_refused(tmp_path):
    for content in ({"labels": PLAIN}, {"channel_names": {"0": "CT"}}, {"modality": 3, "labels": PLAIN}):
        (tmp_path / "dataset.json").write_text(json.dumps(content))
        with pytest.raises(CheckpointError, match="lacks"):
            read_labels(tmp_path)


def test_the_old_word_for_channels_is_read_too():
    old = parse_labels({"modality": {"0": "MR"}, "labels": PLAIN}, "dataset.json")
    assert old.channels == ("MR",)


def test_plain_labels_are_told_from_the_rest():
    assert not uses_regions_or_ignore({"labels": PLAIN})
    assert not uses_regions_or_ignore({})
    assert uses_regions_or_ignore({"labels": REGIONS})
    assert uses_regions_or_ignore({"labels": {**PLAIN, "ignore": 3}})
