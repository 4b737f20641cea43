"""Preprocessing against nnU-Net's own preprocessor."""

import numpy as np
import pytest
from scipy import ndimage

from wirsung.errors import CheckpointError, ImageError
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import nonzero_box, preprocess


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


def _theirs(image, labels, spacing, content, classes=2):
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    manager = PlansManager(content)
    names = {"background": 0} | {f"class {value}": value for value in range(1, classes + 1)}
    table = {"channel_names": {str(index): "CT" for index in range(len(image))}, "labels": names}
    return DefaultPreprocessor(verbose=False).run_case_npy(
        image,
        None if labels is None else labels[None],
        {"spacing": list(spacing)},
        manager,
        manager.get_configuration("3d_fullres"),
        table,
    )


def _with(content, *, scheme="CTNormalization", masked=False, forward=(0, 1, 2), channels=1):
    """The plans' content with other settings."""
    content["transpose_forward"] = list(forward)
    content["transpose_backward"] = [forward.index(axis) for axis in range(3)]
    content["configurations"]["3d_fullres"] |= {
        "normalization_schemes": [scheme] * channels,
        "use_mask_for_norm": [masked] * channels,
    }
    statistics = content["foreground_intensity_properties_per_channel"]["0"]
    content["foreground_intensity_properties_per_channel"] = {str(n): statistics for n in range(channels)}
    return content


def _compare(image, labels, spacing, content, classes=2):
    """Ours, after it was found equal to nnU-Net's."""
    theirs, their_labels, properties = _theirs(image, labels, spacing, content, classes)
    plans = parse_plans(content)
    made = preprocess(image, spacing, plans, plans.configuration("3d_fullres"), labels)
    np.testing.assert_allclose(made.image, theirs, atol=1e-6 * max(10, np.abs(theirs).max()))
    assert made.image.dtype == np.float32
    assert made.image.flags.c_contiguous
    if labels is not None:
        np.testing.assert_array_equal(made.labels, their_labels[0])
        assert made.labels.dtype == np.int16
    assert made.placement.full_shape == properties["shape_before_cropping"]
    assert [list(bounds) for bounds in made.placement.box] == [
        list(bounds) for bounds in properties["bbox_used_for_cropping"]
    ]
    assert made.placement.cropped_shape == properties["shape_after_cropping_and_before_resampling"]
    return made


@pytest.mark.parametrize(
    ("spacing", "forward", "border", "scheme", "masked"),
    [
        ((2.5, 1.2, 1.0), [0, 1, 2], 0, "CTNormalization", False),
        ((1.0, 1.2, 2.5), [2, 0, 1], 3, "CTNormalization", False),
        ((7.0, 1.2, 1.1), [0, 1, 2], 2, "ZScoreNormalization", True),
        ((1.2, 7.0, 1.1), [1, 0, 2], 2, "ZScoreNormalization", True),
        ((0.9, 0.8, 5.0), [0, 1, 2], 0, "CTNormalization", False),
        ((2.0, 1.5, 1.5), [0, 1, 2], 0, "ZScoreNormalization", False),
        ((2.0, 1.5, 1.5), [2, 1, 0], 2, "ZScoreNormalization", True),
        ((2.0, 1.6, 1.7), [0, 1, 2], 0, "RescaleTo01Normalization", False),
        ((2.0, 1.6, 1.7), [0, 1, 2], 0, "NoNormalization", False),
    ],
)
def test_preprocessing_equals_nnunets(plans_content, spacing, forward, border, scheme, masked):
    image, labels = _case((18, 26, 22), border=border)
    content = _with(plans_content, scheme=scheme, masked=masked, forward=forward)
    _compare(image, labels, spacing, content)
    _compare(image, None, spacing, content)


def test_zeros_at_the_border_are_outside_unless_they_are_drawn(plans_content):
    """As of an MRI whose air is 0: a corner is cropped away, another is kept but for a label drawn there."""
    image, labels = _case((20, 24, 26))
    image[image == 0] = 1
    image[:, :4] = 0
    image[:, 4:12, :9, :9] = 0
    labels[:12, :9, :9] = 0
    labels[6:9, 2:6, 2:6] = 2
    content = _with(plans_content, scheme="ZScoreNormalization", masked=True)
    made = _compare(image, labels, (2.4, 1.4, 1.3), content)
    assert made.placement.box[0] == (4, 20)
    assert (made.labels == -1).any()
    assert (made.labels[:, :6, :6] == 2).any()


def test_zeros_of_a_ct_are_outside_where_they_touch_the_border_alone(plans_content):
    image, labels = _case((18, 26, 22))
    image[image == 0] = 1
    image[0, 0, 10, 10] = image[0, 9, 9, 9] = 0
    labels[0, 10, 10] = labels[9, 9, 9] = 0
    made = _compare(image, labels, (2.0, 1.5, 1.5), plans_content)
    assert np.argwhere(made.labels == -1).tolist() == [[0, 10, 10]]


def test_thirty_labels_equal_nnunets_even_where_they_tie(plans_content):
    random = np.random.default_rng(8)
    image, _ = _case((16, 18, 20))
    labels = random.integers(0, 31, (16, 18, 20)).astype(np.int16)
    for spacing in ((4.0, 3.0, 3.0), (1.0, 0.75, 0.75), (2.6, 1.9, 1.2), (9.0, 1.5, 3.0)):
        _compare(image, labels, spacing, plans_content, classes=30)


def test_channels_are_normalised_each_by_itself(plans_content):
    image, labels = _case((14, 20, 22), border=2)
    other, _ = _case((14, 20, 22), border=3)
    content = _with(plans_content, scheme="ZScoreNormalization", masked=True, channels=2)
    made = _compare(np.concatenate([image, other * 3 + 7 * (other != 0)]), labels, (2.5, 1.2, 1.0), content)
    assert made.image.shape[0] == 2


@pytest.mark.parametrize("spacing", [(2.0, 1.2, 1.0), (8.0, 1.2, 1.0)])
def test_one_slice_equals_nnunets(plans_content, spacing):
    image, labels = _case((1, 26, 22))
    _compare(image, labels, spacing, plans_content)


def test_floats_and_turned_arrays_give_the_same(plans_content):
    image, labels = _case((18, 26, 22))
    plans = parse_plans(plans_content)
    configuration = plans.configuration("3d_fullres")
    straight = preprocess(image, (2.5, 1.2, 1.0), plans, configuration, labels)
    for turned in (image.astype(np.float64), np.asfortranarray(image), image[:, ::-1].copy()[:, ::-1]):
        made = preprocess(turned, (2.5, 1.2, 1.0), plans, configuration, np.asfortranarray(labels))
        np.testing.assert_array_equal(made.image, straight.image)
        np.testing.assert_array_equal(made.labels, straight.labels)


@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_voxel_that_is_no_number_is_refused(plans_content, value):
    image = np.ones((1, 4, 5, 6), np.float32)
    image[0, 1, 2, 3] = image[0, 3, 3, 3] = value
    plans = parse_plans(plans_content)
    with pytest.raises(ImageError, match="2 voxels of the image are NaN or infinite"):
        preprocess(image, (1.0, 1.0, 1.0), plans, plans.configuration("3d_fullres"))


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
    with pytest.raises(CheckpointError, match="takes 1 channel, but the image has 2"):
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
