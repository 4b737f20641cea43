"""What augmentation takes from nnU-Net's trainer."""

import numpy as np

from wirsung.training.augmentation.recipe import Recipe


def test_what_nnunet_configures_is_taken_as_plain_numbers():
    configured = ((-0.5, 0.5), np.bool_(True), np.array([4, 30, 30]), None)
    recipe = Recipe.of(np.array([4, 20, 20]), configured, [False, True], [[1, 1, 1]], [[1, 2], [2]])
    assert recipe == Recipe(
        (4, 20, 20), (4, 30, 30), 0.5, True, (), (1,), ((1, 2), (2,)), ((1.0, 1.0, 1.0),), still=False
    )
    assert all(type(size) is int for size in (*recipe.patch, *recipe.enlarged))


def test_of_a_flat_recipe_two_axes_move():
    assert Recipe((4, 20, 20), (4, 30, 30), flat=True).moving == 2
    assert Recipe((20, 20, 20), (30, 30, 30)).moving == 3
