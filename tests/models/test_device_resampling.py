"""Resampling by matrices on a device, against skimage, nnU-Net and the way of the CPU."""

import numpy as np
import pytest
import torch
from skimage.transform import resize

from wirsung.models import device_resampling
from wirsung.models.device_resampling import resample_channel_on
from wirsung.models.image_resampling import Target, resample_channel
from wirsung.models.plans import Resampling
from wirsung.models.preprocessing import preprocess
from wirsung.models.resampling import coarse_axis
from wirsung.models.scaling import Scaling

SHAPES = [((20, 31, 17), (33, 24, 17)), ((12, 9, 14), (7, 18, 40)), ((5, 6, 7), (1, 12, 3))]
WINDOW = Scaling((-100.0, 150.0), 20.0, 80.0)


@pytest.fixture(params=["cpu", pytest.param("cuda", marks=pytest.mark.gpu)])
def device(request):
    return torch.device(request.param)


def _image(shape, seed=0):
    return np.random.default_rng(seed).normal(40, 100, shape).round().astype(np.int16)


@pytest.mark.parametrize("thickness", [1, 2**24])
@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("order", [1, 3])
def test_it_equals_skimage_resize_of_the_normalised_image(device, monkeypatch, old, new, order, thickness):
    monkeypatch.setattr(device_resampling, "SLAB_VOXELS", thickness)
    normalised = (np.clip(_image(old).astype(float), -100, 150) - 20) / 80
    expected = resize(normalised, new, order, mode="edge", anti_aliasing=False)
    made = resample_channel_on(device, _image(old), Target(new, order, None), WINDOW)
    assert (made.dtype, made.device.type) == (torch.float32, device.type)
    np.testing.assert_allclose(made.cpu().numpy(), expected, rtol=1e-6, atol=5e-6)


@pytest.mark.parametrize(
    ("old", "new", "old_mm", "new_mm"),
    [
        ((12, 30, 26), (25, 22, 31), (5.0, 0.8, 0.9), (2.5, 1.1, 0.75)),
        ((28, 11, 26), (20, 30, 31), (0.8, 5.0, 0.8), (1.1, 1.8, 0.7)),
        ((20, 21, 22), (25, 22, 31), (2.0, 1.5, 1.5), (1.6, 1.43, 1.06)),
        ((20, 21, 12), (25, 22, 12), (1.0, 1.0, 4.0), (0.8, 0.95, 4.0)),
    ],
)
@pytest.mark.parametrize("order", [1, 3])
def test_it_equals_nnunets_also_where_an_axis_is_taken_apart(device, old, new, old_mm, new_mm, order):
    from nnunetv2.preprocessing.resampling.default_resampling import resample_data_or_seg_to_shape

    image = np.random.default_rng(2).normal(size=old).astype(np.float32)
    expected = resample_data_or_seg_to_shape(
        image[None], new, old_mm, new_mm, is_seg=False, order=order, order_z=0, force_separate_z=None
    )
    target = Target(new, order, coarse_axis(old_mm, new_mm, Resampling(3, None)))
    made = resample_channel_on(device, image, target, Scaling())
    np.testing.assert_allclose(made.cpu().numpy(), expected[0], atol=1e-4)


@pytest.mark.parametrize("kind", ["<i2", ">i2", "u2", "u1", "f4", "f8", "i8"])
@pytest.mark.parametrize("coarse", [None, 1])
def test_it_equals_the_way_of_the_cpu_in_every_type_with_a_mask_and_turned(device, kind, coarse):
    image = np.abs(_image((11, 14, 9))).clip(0, 250).astype(kind).transpose(2, 0, 1)
    image.setflags(write=False)
    mask = np.random.default_rng(1).random(image.shape) < 0.7
    target = Target((13, 10, 14), 3, coarse)
    expected = resample_channel(image, target, WINDOW, mask)
    made = resample_channel_on(device, image, target, WINDOW, mask)
    np.testing.assert_allclose(made.cpu().numpy(), expected, rtol=1e-6, atol=5e-6)


def test_the_same_shape_is_normalised_only(device):
    image = _image((4, 5, 6))
    made = resample_channel_on(device, image, Target((4, 5, 6), 3, None), WINDOW)
    expected = (np.clip(image.astype(np.float32), -100, 150) - 20) / 80
    np.testing.assert_allclose(made.cpu().numpy(), expected, atol=1e-6)


@pytest.mark.gpu
def test_a_case_prepared_on_a_gpu_is_the_one_that_the_cpu_prepares(plans_content):
    from wirsung.models.plans import parse_plans

    plans = parse_plans(plans_content)
    configuration = plans.configuration("3d_fullres")
    image = np.pad(_image((1, 30, 40, 35)), ((0, 0), (2, 0), (0, 3), (1, 1)))
    made = preprocess(image, (2.0, 1.0, 1.5), plans, configuration, device=torch.device("cuda"))
    expected = preprocess(image, (2.0, 1.0, 1.5), plans, configuration)
    assert made.placement == expected.placement
    np.testing.assert_allclose(made.image, expected.image, atol=1e-5)
