"""Normalising and resampling of a channel in one go, against skimage's resize."""

import tracemalloc

import numpy as np
import pytest
import torch
from scipy import ndimage
from skimage.transform import resize

from wirsung.models import image_resampling
from wirsung.models.image_resampling import Target, resample_channel
from wirsung.models.scaling import Scaling

SHAPES = [
    ((20, 31, 17), (33, 24, 17)),
    ((12, 9, 14), (7, 18, 40)),
    ((50, 9, 14), (7, 18, 12)),
    ((5, 6, 7), (1, 12, 3)),
    ((1, 20, 30), (1, 31, 22)),
]


@pytest.fixture(params=[1, 2], ids=["one thread", "two threads"])
def _threads(request):
    before = torch.get_num_threads()
    torch.set_num_threads(request.param)
    yield
    torch.set_num_threads(before)


@pytest.mark.usefixtures("_threads")
@pytest.mark.parametrize(("old", "new"), SHAPES)
@pytest.mark.parametrize("order", [1, 3])
def test_it_equals_skimage_resize_of_the_normalised_image(old, new, order):
    image = np.random.default_rng(0).normal(40, 100, old).round().astype(np.int16)
    normalised = (np.clip(image.astype(float), -100, 150) - 20) / 80
    expected = resize(normalised, new, order, mode="edge", anti_aliasing=False)
    made = resample_channel(image, Target(new, order, None), Scaling((-100.0, 150.0), 20.0, 80.0))
    np.testing.assert_allclose(made, expected, atol=2e-6)
    assert made.dtype == np.float32


@pytest.mark.parametrize("coarse", [0, 1, 2])
def test_the_coarse_axis_is_taken_apart(coarse):
    image = np.random.default_rng(1).normal(size=(9, 11, 13))
    new = (12, 8, 17)
    flat = [size for axis, size in enumerate(new) if axis != coarse]
    planes = [
        resize(plane, flat, 3, mode="edge", anti_aliasing=False) for plane in np.moveaxis(image, coarse, 0)
    ]
    centres = (np.arange(new[coarse]) + 0.5) * len(planes) / new[coarse] - 0.5
    nearest = ndimage.map_coordinates(np.arange(len(planes)), centres[None], order=0, mode="nearest")
    expected = np.moveaxis(np.array(planes)[nearest], 0, coarse)
    made = resample_channel(image, Target(new, 3, coarse), Scaling())
    np.testing.assert_allclose(made, expected, atol=2e-6)


def test_the_same_shape_is_normalised_only():
    image = np.arange(24).reshape(2, 3, 4)
    made = resample_channel(image, Target((2, 3, 4), 3, None), Scaling(None, 4.0, 2.0))
    np.testing.assert_array_equal(made, (image - 4) / 2)


def test_the_values_stay_in_the_range_of_the_normalised_image():
    image = (np.random.default_rng(2).random((9, 9, 9)) > 0.5).astype(np.uint8)
    made = resample_channel(image, Target((20, 15, 12), 3, None), Scaling(None, 0.0, 2.0))
    assert (made.min(), made.max()) == (0.0, 0.5)


def test_outside_the_mask_voxels_are_resampled_as_they_are():
    image = np.full((4, 4, 4), 6.0)
    mask = np.zeros((4, 4, 4), bool)
    mask[:, :, 2:] = True
    made = resample_channel(image, Target((2, 2, 4), 1, None), Scaling(None, 2.0, 4.0), mask)
    np.testing.assert_allclose(made[..., :2], 6)
    np.testing.assert_allclose(made[..., 2:], 1)


def test_slices_wider_than_a_stretch_of_the_loop_are_whole():
    image = np.random.default_rng(3).normal(size=(3, 2, 5000)).astype(np.float32)
    expected = resize(image.astype(float), (5, 2, 5000), 3, mode="edge", anti_aliasing=False)
    made = resample_channel(image, Target((5, 2, 5000), 3, None), Scaling())
    np.testing.assert_allclose(made, expected, atol=2e-6)


@pytest.mark.parametrize("mask", [False, True], ids=["everywhere", "in a mask"])
@pytest.mark.parametrize("order", [1, 3])
@pytest.mark.parametrize(("old", "new"), [((90, 9, 8), (37, 6, 5)), ((30, 80, 7), (10, 70, 8)), *SHAPES])
def test_slabs_of_any_thickness_give_the_same_numbers(monkeypatch, old, new, order, mask):
    random = np.random.default_rng(4)
    image, inside = random.integers(-900, 900, old).astype(np.int16), random.random(old) > 0.5
    given = (image, Target(new, order, None), Scaling((-200.0, 300.0), 20.0, 80.0), inside if mask else None)
    monkeypatch.setattr(image_resampling, "SLAB_SLICES", 1000)
    whole = resample_channel(*given)
    for thickness in (1, 5, 64):
        monkeypatch.setattr(image_resampling, "SLAB_SLICES", thickness)
        filled = np.full(new, np.nan, np.float32)
        assert resample_channel(*given, filled) is filled
        np.testing.assert_array_equal(filled, whole)


def test_a_long_image_is_never_held_in_float():
    image = np.zeros((1000, 60, 60), np.int16)
    given = (image, Target((500, 30, 30), 3, None), Scaling((-100.0, 150.0), 20.0, 80.0))
    resample_channel(*given)  # the axes' matrices are kept for the next image, and the code is compiled
    tracemalloc.start()
    try:
        made = resample_channel(*given)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    slab_bytes = 100 * made[0].nbytes
    assert peak_bytes < made.nbytes + 3 * slab_bytes < image.nbytes
