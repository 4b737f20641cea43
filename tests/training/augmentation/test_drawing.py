"""What is drawn and how often, against many draws of nnU-Net's own list of transforms."""

import math
from collections import defaultdict

import numpy as np
import pytest
import torch
from batchgeneratorsv2.transforms.utils.random import RandomTransform
from nnunetv2.training.nnUNetTrainer.nnUNetTrainer import nnUNetTrainer
from scipy.stats import ks_2samp, kstest

from wirsung.training.augmentation.drawing import draw
from wirsung.training.augmentation.recipe import Recipe

COUNT, CHANNELS = 4000, 2
PATCH = (6, 6, 6)
RECIPE = Recipe(PATCH, (10, 10, 10), math.radians(30), mirror_axes=(0, 2))
NAMES = (
    "noise_sd",
    "blur_voxels",
    "brightness",
    "contrast",
    "resolution",
    "gamma_inverted",
    "gamma",
)


def drawn_by_nnunet(rotation_rad):
    """How often each transform happened and what it drew, by its name here."""
    np.random.seed(11)  # noqa: NPY002 - what nnU-Net draws from
    torch.manual_seed(11)
    turn = (-rotation_rad, rotation_rad)
    transforms = nnUNetTrainer.get_training_transforms(PATCH, turn, None, (0, 2), False).transforms
    spatial, *random = transforms[:8]
    mirror = transforms[8]
    assert all(isinstance(item, RandomTransform) for item in random)
    image = torch.zeros(CHANNELS, *PATCH)
    found = defaultdict(list)
    for _ in range(COUNT):
        found["matrix"].append(_matrix(spatial.get_parameters(image=image)["affine"]))
        for name, item in zip(NAMES, random, strict=True):
            happens = item.get_parameters()["apply_transform"]
            found[name].append(_values(item.transform.get_parameters(image=image)) if happens else [])
        found["mirrored"].append(tuple(mirror.get_parameters()["axes"]))
    return found


def _matrix(affine):
    return np.eye(3) if affine is None else np.array(affine)


def _values(parameters):
    """What a transform's parameters say of each channel that it changes."""
    key = next(key for key in ("sigmas", "multipliers", "scales", "gamma") if key in parameters)
    values = parameters[key]
    if isinstance(values, float):
        return [values]
    rows = [np.atleast_1d(np.asarray(row)) for row in values]
    return [float(row[0]) for row in rows]


@pytest.fixture(scope="module")
def theirs():
    return drawn_by_nnunet(RECIPE.rotation_rad)


@pytest.fixture(scope="module")
def ours():
    generator = torch.Generator().manual_seed(7)
    found = defaultdict(list)
    for _ in range(COUNT):
        made = draw(RECIPE, CHANNELS, generator)
        found["matrix"].append(made.matrix(3))
        found["noise_sd"].append([] if made.noise_sd is None else [made.noise_sd])
        found["blur_voxels"].append([widths[0] for widths in made.blur_voxels.values()])
        for name in NAMES[2:]:
            found[name].append([*getattr(made, name).values()])
        found["mirrored"].append(made.mirrored)
    return found


def same_frequency(ours, theirs):
    """Two shares of as many draws, no farther apart than four standard deviations."""
    pooled = (np.mean(ours) + np.mean(theirs)) / 2
    return abs(np.mean(ours) - np.mean(theirs)) <= 4 * math.sqrt(2 * pooled * (1 - pooled) / len(ours))


@pytest.mark.parametrize("name", NAMES)
def test_a_transform_happens_as_often_as_in_nnunet(ours, theirs, name):
    for changed in range(1, CHANNELS + 1):
        shares = [[len(values) == changed for values in found[name]] for found in (ours, theirs)]
        assert same_frequency(*shares)


@pytest.mark.parametrize("name", NAMES)
def test_a_parameter_is_distributed_as_in_nnunet(ours, theirs, name):
    values = [np.concatenate([row for row in found[name] if row]) for found in (ours, theirs)]
    assert min(map(len, values)) > 300
    assert ks_2samp(*values).pvalue > 1e-3
    np.testing.assert_allclose(*([np.min(v), np.max(v)] for v in values), atol=0.02)


def test_rotation_and_scaling_are_drawn_as_in_nnunet(ours, theirs):
    scales, angles = [], []
    for found in (ours, theirs):
        matrices = np.array(found["matrix"])
        scale = np.cbrt(np.linalg.det(matrices))
        scales.append(scale)
        # R = Rz Ry Rx, of which these three elements tell the angles apart.
        turned = matrices / scale[:, None, None]
        about_z = np.arctan2(turned[:, 1, 0], turned[:, 0, 0])
        about_x = np.arctan2(turned[:, 2, 1], turned[:, 2, 2])
        angles.append([about_z, np.arcsin(-turned[:, 2, 0]), about_x])
    changed = [np.abs(scale - 1) > 1e-6 for scale in scales]
    assert same_frequency(*changed)
    assert ks_2samp(*(scale[is_] for scale, is_ in zip(scales, changed, strict=True))).pvalue > 1e-3
    for one, other in zip(*angles, strict=True):
        turned = [np.abs(angle) > 1e-6 for angle in (one, other)]
        assert same_frequency(*turned)
        assert ks_2samp(one[turned[0]], other[turned[1]]).pvalue > 1e-3
    both = [scaled & (np.abs(angle[0]) > 1e-6) for scaled, angle in zip(changed, angles, strict=True)]
    assert same_frequency(*both)


def test_axes_are_mirrored_one_by_one_half_of_the_time_and_never_another(ours, theirs):
    assert {axis for axes in ours["mirrored"] for axis in axes} == {0, 2}
    for axes in ((), (0,), (2,), (0, 2)):
        assert same_frequency(*([drawn == axes for drawn in found["mirrored"]] for found in (ours, theirs)))


def test_a_flat_recipe_turns_about_one_axis_all_the_way_round():
    recipe = Recipe((2, 6, 6), (2, 9, 9), math.pi, flat=True)
    generator = torch.Generator().manual_seed(0)
    draws = [draw(recipe, 1, generator) for _ in range(COUNT)]
    angles = [item.angles_rad[-1] for item in draws if item.angles_rad]
    assert kstest(angles, "uniform", (-math.pi, 2 * math.pi)).pvalue > 1e-3
    assert draws[0].matrix(2).shape == (2, 2)


def test_nothing_is_drawn_for_validation():
    recipe = Recipe.unchanged((4, 4, 4), None, None)
    generator = torch.Generator()
    before = generator.get_state()
    drawn = draw(recipe, 3, generator)
    assert not drawn.moved
    assert not drawn.mirrored
    assert torch.equal(generator.get_state(), before)


def test_the_same_state_draws_the_same():
    draws = [
        [draw(RECIPE, 2, generator) for _ in range(20)]
        for generator in (torch.Generator().manual_seed(seed) for seed in (3, 3, 4))
    ]
    assert draws[0] == draws[1] != draws[2]
