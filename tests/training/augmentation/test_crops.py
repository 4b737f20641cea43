"""How much of the enlarged crop is read."""

import math

import torch
from hypothesis import given
from hypothesis import strategies as st

from wirsung.training.augmentation.crops import part
from wirsung.training.augmentation.drawing import Draw
from wirsung.training.augmentation.recipe import Recipe
from wirsung.training.augmentation.spatial import positions

ANGLES = st.floats(-math.pi / 6, math.pi / 6)


@given(st.tuples(ANGLES, ANGLES, ANGLES), st.floats(0.7, 1.4), st.booleans())
def test_a_part_holds_every_voxel_that_a_moved_patch_draws_on(angles, scale, is_flat):
    recipe = Recipe((5, 9, 7), (5 if is_flat else 8, 14, 12), flat=is_flat)
    drawn = Draw(angles_rad=angles, scale=scale)
    piece = part(recipe, drawn)
    where = positions(recipe, [drawn], [piece], torch.device("cpu"))[0]
    fixed = int(is_flat)
    for axis in range(recipe.moving):
        size, start = piece.size[fixed + axis], piece.start[fixed + axis]
        low, high = float(where[axis].min()), float(where[axis].max())
        assert low >= 0 or start == 0
        assert high <= size - 1 or start + size == recipe.enlarged[fixed + axis]


def test_what_does_not_move_is_the_middle_and_nothing_else():
    piece = part(Recipe((4, 5, 6), (9, 8, 11)), Draw(mirrored=(1,)))
    assert piece.start == (2, 2, 2)
    assert piece.size == (4, 5, 6)


def test_nnunets_share_of_moved_patches_makes_less_than_half_to_read():
    recipe = Recipe((128,) * 3, (205,) * 3)
    read = 0.64 * math.prod(part(recipe, Draw()).size)
    read += 0.36 * math.prod(part(recipe, Draw(angles_rad=(0.5, 0.5, 0.5), scale=1.4)).size)
    assert read < 0.6 * 205**3
