import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.curation.audit.combined_rules import read_as
from wirsung.datasets.painting import painting_order
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.volume import Volume

SHAPE = (9, 8, 7)
OFFICIAL = {"veins": 27, "pancreas": 17, "pancreas_head": 19, "pancreatic_lesion": 28, "postcava": 22}
ALPHABETICAL = {"veins": 28, "pancreas": 17, "pancreas_head": 19, "pancreatic_lesion": 22, "postcava": 23}
"""By hand, from the two maps in use."""


def overlapping():
    """Masks that overlap, so that the order of painting shows: the veins run through the pancreas."""
    masks = {name: np.zeros(SHAPE, bool, order="F") for name in OFFICIAL}
    masks["pancreas"][2:7, 2:7, 1:6] = True
    masks["pancreas_head"][2:4, 2:7, 1:6] = True
    masks["veins"][3:8, 4, 2:5] = True
    masks["pancreatic_lesion"][3, 5, 2:4] = True
    masks["postcava"][8, 7, :] = True
    return masks


def painted(masks, values, order):
    label_map = np.zeros(SHAPE, np.uint8, order="F")
    for name in order:
        label_map[masks[name]] = values[name]
    return label_map


@pytest.mark.parametrize("by_value", [False, True])
@pytest.mark.parametrize("values", [OFFICIAL, ALPHABETICAL], ids=["official", "alphabetical"])
def test_map_and_order_are_told_apart(values, by_value):
    masks = overlapping()
    codes = merge_masks((name, Volume(mask, np.eye(4))) for name, mask in masks.items())
    order = sorted(values, key=values.__getitem__) if by_value else painting_order(values)
    label_map = painted(masks, values, order)
    found = read_as(label_map, codes)
    assert (found.is_alphabetical, found.by_value, found.wrong) == (values is ALPHABETICAL, by_value, 0)
    label_map[0, 0, :3] = 5
    label_map[4, 3, 3] = 0
    found = read_as(label_map, codes)
    assert (found.is_alphabetical, found.by_value, found.wrong) == (values is ALPHABETICAL, by_value, 4)


def test_without_a_difference_the_official_map_counts():
    masks = {"liver": np.ones(SHAPE, bool, order="F")}
    codes = merge_masks((name, Volume(mask, np.eye(4))) for name, mask in masks.items())
    found = read_as(np.full(SHAPE, scheme("pants-28").value("liver"), np.uint8), codes)
    assert (found.is_alphabetical, found.by_value, found.wrong) == (False, False, 0)


def test_values_beyond_every_map_are_wrong():
    codes = merge_masks([("liver", Volume(np.zeros(SHAPE, bool, order="F"), np.eye(4)))])
    label_map = np.zeros(SHAPE, np.uint16)
    label_map[0, 0, :2] = 300, 65535
    assert read_as(label_map, codes).wrong == 2
