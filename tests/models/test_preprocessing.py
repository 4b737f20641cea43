"""Preprocessing against nnU-Net's own preprocessor."""

import numpy as np
import pytest
from scipy import ndimage

from wirsung.errors import CheckpointError
from wirsung.models.plans import Intensity, parse_plans
from wirsung.models.preprocessing import class_locations, nonzero_box, normalise, preprocess

NOTHING = Intensity(0.0, 1.0, 0.0, 0.0)


def _case(shape, *, border=0):
    random = np.random.default_rng(5)
    image = ndimage.gaussian_filter(random.normal(size=shape), 1.5) * 600 + 80
    labels = (ndimage.gaussian_filter(random.normal(size=shape), 3) > 0.05).astype(np.int16)
    labels[ndimage.gaussian_filter(random.normal(size=shape), 3) > 0.08] = 2
    if border:
        inner = np.zeros(shape, bool)
        inner[border:-border, border:-border, border:-border] = True
        image[~inner] = 0
        labels[~inner] = 0
    return image.round().astype(np.int16)[None], labels


def _theirs(image, labels, spacing, content):
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(content)
    table = {"channel_names": {"0": "CT"}, "labels": {"background": 0, "one": 1, "two": 2}}
    return DefaultPreprocessor(verbose=False).run_case_npy(
        image,
        labels[None],
        {"spacing": list(spacing)},
        manager,
        manager.get_configuration("3d_fullres"),
        table,
    )


@pytest.mark.parametrize(
    ("spacing", "forward", "border", "scheme", "masked"),
    [
        ((2.5, 1.2, 1.0), [0, 1, 2], 0, "CTNormalization", False),
        ((1.0, 1.2, 2.5), [2, 0, 1], 3, "CTNormalization", False),
        ((7.0, 1.2, 1.1), [0, 1, 2], 2, "ZScoreNormalization", True),
        ((2.0, 1.5, 1.5), [0, 1, 2], 0, "ZScoreNormalization", False),
        ((2.0, 1.6, 1.7), [0, 1, 2], 0, "RescaleTo01Normalization", False),
        ((2.0, 1.6, 1.7), [0, 1, 2], 0, "NoNormalization", False),
    ],
)
def test_preprocessing_equals_nnunets(plans_content, spacing, forward, border, scheme, masked):
    image, labels = _case((18, 26, 22), border=border)
    plans_content["transpose_forward"] = forward
    plans_content["transpose_backward"] = [forward.index(axis) for axis in range(3)]
    configuration = plans_content["configurations"]["3d_fullres"]
    configuration |= {"normalization_schemes": [scheme], "use_mask_for_norm": [masked]}
    theirs, their_labels, properties = _theirs(image, labels, spacing, plans_content)
    plans = parse_plans(plans_content)
    made = preprocess(image, spacing, plans, plans.configuration("3d_fullres"), labels)
    np.testing.assert_allclose(made.image, theirs, atol=2e-4 * max(1, np.abs(theirs).max() / 10))
    assert made.image.dtype == np.float32
    assert (made.labels == their_labels[0]).mean() > 0.9995
    assert made.placement.full_shape == properties["shape_before_cropping"]
    assert [list(bounds) for bounds in made.placement.box] == [
        list(bounds) for bounds in properties["bbox_used_for_cropping"]
    ]
    assert made.placement.cropped_shape == properties["shape_after_cropping_and_before_resampling"]


def test_the_input_is_not_changed(plans_content):
    image, labels = _case((10, 12, 14), border=2)
    before = image.copy(), labels.copy()
    plans = parse_plans(plans_content)
    preprocess(image, (3.0, 1.0, 1.0), plans, plans.configuration("3d_fullres"), labels)
    np.testing.assert_array_equal(image, before[0])
    np.testing.assert_array_equal(labels, before[1])


def test_another_number_of_channels_is_refused(plans_content):
    plans = parse_plans(plans_content)
    image = np.zeros((2, 4, 4, 4), np.int16)
    with pytest.raises(CheckpointError, match="takes 1 channels, but the image has 2"):
        preprocess(image, (1.0, 1.0, 1.0), plans, plans.configuration("3d_fullres"))


def test_an_image_of_nothing_is_kept_whole():
    mask, placement = nonzero_box(np.zeros((1, 3, 4, 5)))
    assert not mask.any()
    assert placement.cropped_shape == (3, 4, 5)


def test_holes_are_inside():
    image = np.ones((1, 5, 5, 5))
    image[0, 2, 2, 2] = 0
    image = np.pad(image, ((0, 0), (1, 1), (1, 1), (1, 1)))
    mask, placement = nonzero_box(image)
    assert mask.sum() == 125
    assert placement.box == ((1, 6), (1, 6), (1, 6))


def test_a_constant_channel_is_normalised_to_zero():
    channel = np.full((3, 3, 3), 7, np.float32)
    normalise(channel, "ZScoreNormalization", NOTHING, None)
    assert (channel == 0).all()


def test_class_locations_are_nnunets():
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor

    _, labels = _case((40, 40, 40))
    theirs = DefaultPreprocessor._sample_foreground_locations(labels[None], [1, 2, 3])
    ours = class_locations(labels, [1, 2, 3])
    for value in (1, 2):
        np.testing.assert_array_equal(ours[value], theirs[value])
        assert (labels[tuple(ours[value][:, 1:].T)] == value).all()
    assert len(ours[3]) == 0
