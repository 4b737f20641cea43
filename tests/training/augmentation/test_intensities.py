"""Every change of intensities, against batchgeneratorsv2's own transform with the same parameters."""

import pytest
import torch
from batchgeneratorsv2.transforms.intensity.brightness import MultiplicativeBrightnessTransform
from batchgeneratorsv2.transforms.intensity.contrast import ContrastTransform
from batchgeneratorsv2.transforms.intensity.gamma import GammaTransform
from batchgeneratorsv2.transforms.noise.gaussian_blur import GaussianBlurTransform
from batchgeneratorsv2.transforms.spatial.low_resolution import SimulateLowResolutionTransform

from wirsung.training.augmentation.brightness import brighten, contrast
from wirsung.training.augmentation.gamma import change_gamma
from wirsung.training.augmentation.noise import add_noise, blur
from wirsung.training.augmentation.resolution import coarsen

SHAPE = (12, 14, 9)


@pytest.fixture
def rows():
    """Four rows of different brightness, of which tests change the second and the last."""
    random = torch.Generator().manual_seed(1)
    return torch.randn((4, *SHAPE), generator=random) * 1.3 + torch.arange(4).view(-1, 1, 1, 1)


def expected(rows, transform, **parameters):
    """The rows after nnU-Net's transform of the second and the last."""
    return transform._apply_to_image(rows.clone(), **parameters)


def test_brightness_is_multiplied_as_by_nnunet(rows):
    transform = MultiplicativeBrightnessTransform((0.75, 1.25), False)
    answer = expected(
        rows, transform, apply_to_channel=torch.tensor([1, 3]), multipliers=torch.tensor([0.8, 1.2])
    )
    brighten(rows, {1: 0.8, 3: 1.2})
    torch.testing.assert_close(rows, answer, atol=1e-4, rtol=0)


@pytest.mark.parametrize("picked", [(1,), (1, 3)])
def test_contrast_is_changed_as_by_nnunet(rows, picked):
    transform = ContrastTransform((0.75, 1.25), preserve_range=True, synchronize_channels=False)
    factors = dict(zip(picked, (0.76, 1.24), strict=False))
    answer = expected(
        rows,
        transform,
        apply_to_channel=torch.tensor(picked),
        multipliers=torch.tensor([*factors.values()]),
    )
    contrast(rows, factors)
    torch.testing.assert_close(rows, answer, atol=1e-4, rtol=0)


@pytest.mark.parametrize("inverted", [False, True])
@pytest.mark.parametrize("picked", [(1,), (1, 3)])
def test_gamma_is_changed_as_by_nnunet(rows, picked, inverted):
    transform = GammaTransform((0.7, 1.5), float(inverted), False, 1, 1)
    exponents = dict(zip(picked, (0.7, 1.45), strict=False))
    answer = expected(
        rows,
        transform,
        apply_to_channel=torch.tensor(picked),
        retain_stats=torch.ones(2, dtype=torch.bool),
        invert_image=torch.full((2,), inverted),
        gamma=torch.tensor([*exponents.values()]),
    )
    change_gamma(rows, exponents, inverted=inverted)
    torch.testing.assert_close(rows, answer, atol=1e-4, rtol=0)


def test_gamma_leaves_a_constant_image_as_it_is():
    rows = torch.full((1, 3, 3, 3), 2.5)
    change_gamma(rows, {0: 1.3}, inverted=True)
    torch.testing.assert_close(rows, torch.full((1, 3, 3, 3), 2.5))


@pytest.mark.parametrize("widths", [((0.5, 0.7, 1.0),), ((0.5, 0.6, 0.55), (1.0, 0.9, 0.76))])
def test_an_image_is_blurred_as_by_nnunet(rows, widths):
    transform = GaussianBlurTransform((0.5, 1.0), p_per_channel=0.5)
    picked = dict(zip((1, 3), widths, strict=False))
    mask = torch.tensor([row in picked for row in range(4)])
    answer = expected(rows, transform, apply_to_channel=mask, sigmas=list(widths))
    blur(rows, picked)
    torch.testing.assert_close(rows, answer, atol=1e-4, rtol=0)


def test_a_blur_longer_than_a_thin_patch_mirrors_what_there_is():
    rows = torch.arange(2.0).view(1, 2, 1, 1).expand(1, 2, 5, 5).contiguous()
    blur(rows, {0: (1.0, 1.0, 1.0)})
    assert torch.allclose(rows.mean(), torch.tensor(0.5))
    assert 0 < float(rows.min()) < 0.5 < float(rows.max()) < 1


@pytest.mark.parametrize("flat", [False, True])
def test_resolution_is_lowered_as_by_nnunet(rows, flat):
    transform = SimulateLowResolutionTransform((0.5, 1), False, True, (0,) if flat else None)
    scales = torch.tensor([[0.53] * 3, [0.92] * 3])
    if flat:
        scales[:, 0] = 1
    answer = expected(rows, transform, apply_to_channel=torch.tensor([1, 3]), scales=scales)
    coarsen(rows, {1: 0.53, 3: 0.92}, flat=flat)
    torch.testing.assert_close(rows, answer, atol=1e-4, rtol=0)


def test_noise_has_the_drawn_deviation_and_follows_its_seed():
    image = torch.zeros(2, 40, 40, 40)
    add_noise(image, 0.07, seed=5)
    assert abs(float(image.std()) - 0.07) < 5 * 0.07 / (2 * image.numel()) ** 0.5
    assert abs(float(image.mean())) < 5 * 0.07 / image.numel() ** 0.5
    again, other = torch.zeros_like(image), torch.zeros_like(image)
    add_noise(again, 0.07, seed=5)
    add_noise(other, 0.07, seed=6)
    assert torch.equal(again, image)
    assert not torch.equal(other, image)


def test_nothing_drawn_changes_nothing(rows):
    before = rows.clone()
    for change in (blur, brighten, contrast):
        change(rows, {})
    coarsen(rows, {}, flat=False)
    change_gamma(rows, {}, inverted=True)
    assert torch.equal(rows, before)
