"""Which part of an image is worth full resolution."""

import numpy as np
import torch

from wirsung.inference.export import Export, Meaning
from wirsung.inference.presets import Region
from wirsung.inference.region import (
    Grid,
    choose,
    coarser,
    not_worth_it,
    reaches_border,
    seen_in,
    wanted_outputs,
)
from wirsung.inference.sliding_window import Slab

GRID = Grid((100, 120, 90), (2.0, 2.0, 2.0), (32, 32, 32), (0.5, 0.5, 0.5))
RULE = Region(2, 10.0, needs_every_class=True)
NAMES = {1: "pancreas", 2: "pancreatic_lesion", 3: "spleen"}


def _seen(*blobs):
    """What a first pass of half the resolution found: code and box of each."""
    seen = np.full((50, 60, 45), -1, np.int16)
    for code, (z, y, x) in blobs:
        seen[z, y, x] = code
    return seen


PANCREAS = 1, (slice(20, 26), slice(30, 34), slice(10, 18))
SPLEEN = 3, (slice(20, 25), slice(28, 32), slice(20, 24))


def test_the_part_holds_what_was_found_with_a_margin_and_fills_its_tiles():
    chosen = choose(_seen(PANCREAS, SPLEEN), NAMES, RULE, GRID)
    # Voxels 40 to 51, 56 to 67 and 20 to 47, and 5 more on either side.
    for (low, high), first, stop, size in zip(
        chosen.part, (35, 51, 15), (57, 73, 53), GRID.shape, strict=True
    ):
        assert low <= first
        assert high >= stop
        assert low >= 0
        assert high <= size
    lengths = [high - low for low, high in chosen.part]
    assert lengths == [32, 32, 48]  # one tile, one tile, and two that are half a tile apart


def test_a_part_at_the_border_stays_inside_and_keeps_its_length():
    corner = 1, (slice(0, 4), slice(56, 60), slice(40, 45))
    chosen = choose(_seen(corner), {1: "pancreas"}, RULE, GRID)
    assert chosen.part == ((0, 32), (88, 120), (58, 90))


def test_where_nothing_was_found_the_whole_image_is_predicted():
    chosen = choose(_seen(), NAMES, RULE, GRID)
    assert chosen.part is None
    assert "nothing" in chosen.why


def test_a_class_that_was_missed_takes_the_whole_image_unless_it_is_part_of_another():
    loose = Region(2, 10.0, needs_every_class=False)
    missed = choose(_seen(PANCREAS), NAMES, RULE, GRID)
    assert missed.part is None
    assert "spleen" in missed.why
    assert choose(_seen(PANCREAS), NAMES, loose, GRID).part is not None
    # The lesion was found nowhere, but it lies in the pancreas.
    assert choose(_seen(PANCREAS), {1: "pancreas", 2: "pancreatic_lesion"}, RULE, GRID).part is not None


def test_what_lies_all_over_the_image_saves_nothing():
    whole = 1, (slice(2, 48), slice(2, 58), slice(2, 43))
    chosen = choose(_seen(whole), {1: "pancreas"}, RULE, GRID)
    assert chosen.part is None
    assert "whole" in chosen.why


def test_a_speck_far_away_is_no_reason_to_look_there():
    speck = 1, (slice(48, 49), slice(2, 3), slice(40, 41))
    names = {1: "pancreas"}
    assert choose(_seen(PANCREAS, speck), names, RULE, GRID) == choose(_seen(PANCREAS), names, RULE, GRID)


def test_no_first_pass_is_made_where_it_can_not_save_much():
    small = Grid((40, 40, 40), (2.0, 2.0, 2.0), (32, 32, 32), (0.75,) * 3)
    assert "few tiles" in not_worth_it(Grid((32, 32, 60), *_same(small)), (16, 16, 30), 1)
    assert not_worth_it(GRID, (50, 60, 45), 2) is None
    assert "28 classes" in not_worth_it(GRID, (50, 60, 45), 28)
    long = Grid((400, 120, 90), *_same(GRID))
    assert not_worth_it(long, (200, 60, 45), 28) is None


def _same(grid):
    return grid.spacing_mm, grid.patch, grid.steps


def test_a_voxel_counts_as_found_where_background_is_less_than_three_times_as_probable():
    ratios = torch.tensor([0.2, 0.3, 0.4, 2.0])
    logits = torch.zeros(3, 2, 1, 4)
    logits[2] = ratios.log()
    logits[1] = -9
    slabs = [Slab(0, 0, logits[:, :1]), Slab(0, 1, logits)]
    assert seen_in(slabs, [1, 2], regions=False).tolist() == [[[-1, -1, 2, 2]]] * 2
    # Of regions, each is against its own absence.
    assert seen_in([Slab(0, 0, logits)], [2], regions=True).tolist() == [[[-1, -1, 2, 2]]] * 2


def test_the_coarse_image_is_the_mean_of_blocks_and_of_slices_some_as_they_are():
    image = torch.arange(60.0).reshape(1, 3, 4, 5)
    made = coarser(image, (2, 2, 2), is_flat=False)
    assert made.shape == (1, 2, 2, 3)
    assert made[0, 0, 0, 0] == image[0, :2, :2, :2].mean()
    assert made[0, 1, 1, 2] == image[0, 2:, 2:, 4:].mean()
    flat = coarser(image, (2, 2, 2), is_flat=True)
    assert flat.shape == (1, 2, 2, 3)
    assert flat[0, 1, 0, 0] == image[0, 2, :2, :2].mean()


def test_only_outputs_that_the_label_map_shows_are_wanted():
    names = ("background", "pancreas", "spleen", "liver")
    classes = Export(None, None, GRID.shape, Meaning(np.array([0, 0, 7, 0], np.uint8)))
    assert wanted_outputs(classes, names) == {2: "spleen"}
    regions = Export(None, None, GRID.shape, Meaning(np.array([0, 4, 0], np.uint8), regions=True))
    assert wanted_outputs(regions, ("whole", "lesion")) == {0: "whole"}


def test_what_touches_a_face_inside_the_image_was_cut_off_and_what_touches_the_images_border_was_not():
    labels = np.zeros((10, 10, 10), np.uint8)
    full, box = ((0, 10),) * 3, ((0, 5), (2, 8), (2, 8))
    labels[0, 3, 3] = 1
    assert not reaches_border(labels, box, full)
    labels[4, 3, 3] = 1
    assert reaches_border(labels, box, full)
    assert not reaches_border(labels, full, full)


def test_a_speck_at_the_border_of_the_part_is_no_reason_to_look_at_the_whole_image():
    labels = np.zeros((10, 20, 20), np.uint8)
    full, box = ((0, 10), (0, 20), (0, 20)), ((0, 6), (2, 18), (2, 18))
    labels[1:4, 4:8, 4:8], labels[5, 16, 16] = 1, 1
    assert not reaches_border(labels, box, full)
    # A twentieth of the largest piece, 48 voxels, and more count; another label has its own largest piece.
    labels[5, 16, 15:17], labels[5, 15, 16] = 1, 1
    assert reaches_border(labels, box, full)
    labels[5] = 0
    labels[5, 16, 16] = 2
    assert reaches_border(labels, box, full)
