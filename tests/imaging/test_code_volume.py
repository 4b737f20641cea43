"""Codes hold any overlapping masks without loss."""

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.errors import GeometryError, LabelError
from wirsung.imaging.code_volume import CodeVolume, merge_masks
from wirsung.imaging.run_kernels import find_runs, flat
from wirsung.imaging.run_reading import MaskRuns
from wirsung.imaging.volume import Volume

AFFINE = np.diag([-0.8, 0.8, 2.5, 1.0])


def volume(voxels):
    return Volume(voxels, AFFINE)


def named(masks):
    return [(f"structure_{number}", volume(mask)) for number, mask in enumerate(masks)]


@settings(max_examples=60)
@given(
    shape=st.tuples(*[st.integers(1, 12)] * 3),
    count=st.integers(1, 64),
    density=st.sampled_from([0.0, 0.01, 0.2, 0.5, 1.0]),
    order=st.sampled_from(["C", "F"]),
    seed=st.integers(0, 2**32 - 1),
)
def test_masks_that_overlap_in_any_way_come_back(shape, count, density, order, seed):
    masks = np.random.default_rng(seed).random((count, *shape)) < density
    codes = merge_masks(named(np.asarray(mask, order=order) for mask in masks))
    patterns = {tuple(pattern) for pattern in masks.reshape(count, -1).T if pattern.any()}
    assert len(codes.patterns) == 1 + len(patterns)
    assert codes.volume.voxels.dtype == (np.uint8 if len(patterns) <= 255 else np.uint16)
    for (name, found), mask in zip(codes.masks(), masks, strict=True):
        assert found.voxels.dtype == np.bool_
        assert np.array_equal(found.voxels, mask), name
        assert codes.voxel_counts()[name] == mask.sum()


def test_a_part_inside_a_whole_has_one_pattern_of_its_own():
    pancreas, head = np.zeros((2, 6, 4, 3), dtype=bool)
    pancreas[1:5], head[1:3] = True, True
    codes = merge_masks([("pancreas", volume(pancreas)), ("pancreas_head", volume(head))])
    assert codes.patterns == (0b00, 0b01, 0b11)
    assert codes.structures == ("pancreas", "pancreas_head")
    assert codes.volume.voxels[:, 0, 0].tolist() == [0, 2, 2, 1, 1, 0]


@pytest.mark.parametrize(("bits", "kind"), [(8, np.uint8), (9, np.uint16)])
def test_255_patterns_fit_a_byte_and_more_take_two(bits, kind):
    numbers = np.arange(1 << bits).reshape(-1, 2, 4)
    codes = merge_masks(named(numbers >> bit & 1 == 1 for bit in range(bits)))
    assert codes.volume.voxels.dtype == kind
    assert np.array_equal(codes.volume.voxels, numbers)  # numbered by pattern


def test_patterns_that_vanish_again_leave_room():
    """Each mask moves all 200 patterns on, so more codes pass through than a byte holds."""
    numbers = np.arange(200).reshape(10, 10, 2)
    masks = [*(numbers >> bit & 1 == 1 for bit in range(8)), *[numbers > 0] * 5]
    codes = merge_masks(named(masks))
    assert codes.volume.voxels.dtype == np.uint8
    assert all(
        np.array_equal(found.voxels, mask) for (_, found), mask in zip(codes.masks(), masks, strict=True)
    )


def test_masks_that_are_noise_are_refused():
    numbers = np.arange(1 << 17).reshape(64, 64, 32)
    with pytest.raises(LabelError, match="more than 65535 ways"):
        merge_masks(named(numbers >> bit & 1 == 1 for bit in range(17)))


def test_the_order_of_voxels_does_not_matter_to_the_codes():
    masks = np.random.default_rng(3).random((6, 5, 7, 9)) < 0.4
    flipped = merge_masks(named(masks[:, ::-1, :, ::-1])).volume.voxels[::-1, :, ::-1]
    assert np.array_equal(flipped, merge_masks(named(masks)).volume.voxels)


@given(st.permutations(range(5)), st.integers(0, 2**32 - 1), st.sampled_from([1, 300]))
def test_a_label_map_is_the_masks_painted_in_their_order(order, seed, factor):
    masks = np.random.default_rng(seed).random((5, 4, 3, 6)) < 0.3
    values = {f"structure_{number}": factor * (number + 1) for number in order}
    painted = np.zeros(masks.shape[1:], dtype=int)
    for number in order:
        painted[masks[number]] = factor * (number + 1)
    label_map = merge_masks(named(masks)).label_map(values)
    assert np.array_equal(label_map.voxels, painted)
    assert label_map.voxels.dtype == (np.uint8 if painted.max() < 256 else np.uint16)


def test_a_structure_that_is_not_painted_leaves_the_one_below():
    masks = np.ones((2, 2, 2, 2), dtype=bool)
    assert (merge_masks(named(masks)).label_map({"structure_0": 9}).voxels == 9).all()


def test_what_cannot_be_merged_is_refused():
    mask = np.ones((2, 2, 2), dtype=bool)
    with pytest.raises(LabelError, match="no masks"):
        merge_masks([])
    with pytest.raises(LabelError, match="uint8 voxels"):
        merge_masks([("liver", volume(mask.astype(np.uint8)))])
    with pytest.raises(LabelError, match="a structure is there twice"):
        merge_masks([("liver", volume(mask)), ("liver", volume(mask))])
    for other in (volume(mask[:1]), Volume(mask, np.eye(4))):
        with pytest.raises(GeometryError, match="mask of spleen lies on another grid"):
            merge_masks([("liver", volume(mask)), ("spleen", other)])


def test_unknown_structures_and_values_are_refused():
    codes = merge_masks([("liver", volume(np.ones((2, 2, 2), dtype=bool)))])
    with pytest.raises(LabelError, match="Did you mean liver"):
        codes.mask("livr")
    for value in (0, -1, 65536):
        with pytest.raises(LabelError, match=f"liver is {value}"):
            codes.label_map({"liver": value})


@pytest.mark.parametrize(
    ("codes", "patterns", "problem"),
    [
        (np.zeros((1, 1, 1), np.int16), (0, 1), "int16"),
        (np.zeros((1, 1, 1), np.uint8), (), "first pattern"),
        (np.zeros((1, 1, 1), np.uint8), (1, 0), "first pattern"),
        (np.zeros((1, 1, 1), np.uint8), (0, 1, 1), "a pattern is there twice"),
        (np.zeros((1, 1, 1), np.uint8), (0, 4), "more than the 2 structures"),
        (np.full((1, 1, 1), 2, np.uint8), (0, 1), "code 2 has no pattern"),
    ],
)
def test_a_table_that_does_not_fit_is_refused(codes, patterns, problem):
    with pytest.raises(LabelError, match=problem):
        CodeVolume(volume(codes), patterns, ("liver", "spleen"))


@given(st.lists(arrays(np.bool_, (5, 4, 3)), min_size=1, max_size=5))
def test_masks_given_as_runs_merge_to_the_same_codes(masks):
    volumes = [(f"structure {place}", Volume(mask, np.eye(4))) for place, mask in enumerate(masks)]
    runs = [(name, _as_runs(volume)) for name, volume in volumes]
    found, expected = merge_masks(runs), merge_masks(volumes)
    assert np.array_equal(found.volume.voxels, expected.volume.voxels)
    assert (found.patterns, found.structures) == (expected.patterns, expected.structures)


def test_what_a_label_map_loses_is_counted():
    whole = np.zeros((4, 1, 1), dtype=bool)
    whole[:3] = True
    part = np.zeros((4, 1, 1), dtype=bool)
    part[1:3] = True
    codes = merge_masks([("whole", Volume(whole, np.eye(4))), ("part", Volume(part, np.eye(4)))])
    assert codes.covered_voxels({"whole": 1, "part": 2}) == {"whole": 2, "part": 0}
    assert codes.covered_voxels({"part": 2, "whole": 1}) == {"part": 2, "whole": 0}
    assert codes.covered_voxels({"part": 2}) == {"part": 0}


def _as_runs(volume):
    row = np.ascontiguousarray(volume.voxels.transpose(2, 1, 0)).reshape(-1).view(np.uint8)
    return MaskRuns(find_runs(flat(row))[:, :2], volume.shape, volume.affine)


def test_the_runs_of_a_structure_are_those_of_its_mask():
    rng = np.random.default_rng(8)
    masks = [rng.random((6, 5, 4)) < 0.4 for _ in range(3)]
    codes = merge_masks(named(masks))
    for name, mask in zip(codes.structures, masks, strict=True):
        row = np.ascontiguousarray(mask.transpose(2, 1, 0)).reshape(-1).view(np.uint8)
        assert np.array_equal(codes.runs_of(name), find_runs(flat(row))[:, :2])
    with pytest.raises(LabelError, match="no mask"):
        codes.runs_of("nothing")
