"""Each modality normalised in its own way, held against NumPy and against nnU-Net's own classes."""

import copy

import numpy as np
import pytest

from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.normalisation import (
    BY_MODALITY,
    OTHER,
    Intensity,
    known_modality,
    listed,
    missed_by_nnunet,
    told_to_nnunet,
    way_of,
    ways_in,
)
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import preprocess

CT = Intensity(mean=80.0, std=40.0, percentile_00_5=-60.0, percentile_99_5=220.0)
MR = Intensity(mean=900.0, std=300.0, percentile_00_5=100.0, percentile_99_5=2000.0)
SPACING = (2.0, 1.5, 1.5)  # the plan's own, so that nothing is resampled


@pytest.fixture
def joint(plans_content):
    """Plans of CT, T1 whose field of view is all of the image, and T2 with a border of zeros."""
    content = copy.deepcopy(plans_content)
    own = content["configurations"]["3d_fullres"]
    own |= {"normalization_schemes": ["ZScoreNormalization"], "use_mask_for_norm": [False]}
    ways = {"ct": way_of("ct", CT, 0.5), "t1": way_of("t1", MR, 0.8), "t2": way_of("t2", MR, 0.7)}
    content[BY_MODALITY] = {modality: way.as_plan() for modality, way in ways.items()}
    return content


def prepared(content, image, modality):
    plans = parse_plans(content)
    return preprocess(image, SPACING, plans, plans.configuration("3d_fullres"), modality=modality).image


def an_image(*, border=0):
    random = np.random.default_rng(3)
    image = random.normal(100, 120, (1, 10, 12, 14)).round().astype(np.int16)
    image[image == 0] = 1
    if border:
        # One voxel beyond the border keeps the box whole, so that the mask and the crop differ.
        inner = np.zeros(image.shape, bool)
        inner[:, border:-border, border:-border, border:-border] = True
        inner[0, 0, 0, 0] = inner[0, -1, -1, -1] = True
        image[~inner] = 0
    return image


def test_ct_is_clipped_and_scaled_by_the_ct_cases_alone(joint):
    image = an_image()
    expected = (np.clip(image.astype(float), -60, 220) - 80) / 40
    np.testing.assert_allclose(prepared(joint, image, "ct"), expected, atol=1e-5)


def test_mri_is_scaled_by_its_own_mean_and_spread(joint):
    image = an_image()
    expected = (image - image.mean()) / image.std()
    np.testing.assert_allclose(prepared(joint, image, "t1"), expected, atol=1e-4)


def test_mri_in_another_unit_looks_the_same(joint):
    image = an_image().astype(np.float32)
    one, other = prepared(joint, image, "t1"), prepared(joint, image * 7.5 + 40, "t1")
    np.testing.assert_allclose(one, other, atol=1e-4)


def test_a_border_of_zeros_counts_only_where_the_modality_has_none(joint):
    image = an_image(border=3)
    inside = image != 0
    values = image[inside].astype(float)
    made = prepared(joint, image, "t2")
    np.testing.assert_allclose(made[inside], (values - values.mean()) / values.std(), atol=1e-4)
    assert (made[~inside] == 0).all()
    whole = prepared(joint, image, "t1")
    np.testing.assert_allclose(whole, (image - image.mean()) / image.std(), atol=1e-4)


def test_a_modality_that_was_not_learnt_is_scaled_by_itself_where_that_is_asked_for(joint, plans_content):
    image = an_image(border=2)
    expected = (image - image.mean()) / image.std()
    np.testing.assert_allclose(prepared(joint, image, OTHER), expected, atol=1e-4)
    np.testing.assert_allclose(prepared(plans_content, image, OTHER), expected, atol=1e-4)


@pytest.mark.parametrize("modality", [None, "ct", "t1", "mr"])
def test_a_model_of_one_modality_follows_nnunets_plan_whatever_the_image(plans_content, modality):
    """It has no such key, and its plan says all."""
    assert BY_MODALITY not in plans_content
    image = an_image()
    statistics = plans_content["foreground_intensity_properties_per_channel"]["0"]
    clipped = np.clip(image.astype(float), statistics["percentile_00_5"], statistics["percentile_99_5"])
    expected = (clipped - statistics["mean"]) / statistics["std"]
    np.testing.assert_allclose(prepared(plans_content, image, modality), expected, atol=1e-5)


def test_a_model_of_several_must_know_which_the_image_is(joint):
    with pytest.raises(ConfigError, match=r"learnt ct, t1 and t2.*which of them the image is.*--modality"):
        prepared(joint, an_image(), None)
    with pytest.raises(ConfigError, match="an image of modality mr is"):
        prepared(joint, an_image(), "mr")


def test_an_unknown_modality_is_refused_with_what_could_be_done():
    with pytest.raises(ConfigError, match=r"of modality t2, but the model learnt ct\..*--modality ct.*other"):
        known_modality(["ct"], "t2")
    with pytest.raises(ConfigError, match="of modality ct, but the model learnt t1 and t2"):
        known_modality(["t1", "t2"], "ct")


@pytest.mark.parametrize(
    ("known", "wanted", "expected"),
    [
        (["t1"], None, "t1"),
        (["ct", "t1", "t2"], "t2", "t2"),
        (["ct", "t1"], "mr", "t1"),  # its only sequence
        (["ct", "mr"], "t2", "mr"),  # learnt from sequences that nobody told
    ],
)
def test_mri_of_an_untold_sequence_stands_for_any(known, wanted, expected):
    assert known_modality(known, wanted) == expected


def test_the_plans_are_read_as_they_were_written(joint):
    assert ways_in(joint) == {
        "ct": way_of("ct", CT, 1.0),
        "t1": way_of("t1", MR, 1.0),
        "t2": way_of("t2", MR, 0.1),
    }
    assert parse_plans(joint).by_modality == ways_in(joint)


def test_nonzero_region_counts_below_three_quarters_as_in_nnunet():
    assert [way_of("t1", MR, kept).inside_mask_only for kept in (0.74, 0.75, 1.0)] == [True, False, False]
    assert not way_of("ct", CT, 0.1).inside_mask_only


def test_damaged_plans_are_refused(joint):
    for broken in (
        {"t1": {}},
        {"t1": 3},
        {"t1": {**joint[BY_MODALITY]["t1"], "scheme": "RGBTo01Normalization"}},
        {"t1": {**joint[BY_MODALITY]["t1"], "intensity": {"mean": 1.0}}},
    ):
        with pytest.raises(CheckpointError, match=r"plans\.json lacks"):
            parse_plans({**joint, BY_MODALITY: broken})
    channels = joint["foreground_intensity_properties_per_channel"]
    two = {"foreground_intensity_properties_per_channel": {**channels, "1": channels["0"]}}
    with pytest.raises(CheckpointError, match="lacks one channel"):
        parse_plans({**joint, **two})


def test_nnunet_would_miss_what_its_one_way_is_not(joint, plans_content):
    assert missed_by_nnunet(joint) == ("ct", "t2")
    assert missed_by_nnunet(told_to_nnunet(joint, "ct")) == ("t1", "t2")
    assert missed_by_nnunet(told_to_nnunet(joint, "t2")) == ("ct", "t1")
    assert missed_by_nnunet(plans_content) == ()
    with pytest.raises(ConfigError, match="learnt one modality"):
        told_to_nnunet(plans_content, "ct")


@pytest.mark.parametrize("modality", ["ct", "t1", "t2"])
def test_nnunets_own_preprocessor_then_does_as_ours(joint, modality):
    from nnunetv2.preprocessing.preprocessors.default_preprocessor import DefaultPreprocessor
    from nnunetv2.utilities.plans_handling.plans_handler import PlansManager

    content = told_to_nnunet(joint, modality)
    # What planning puts there: of several modalities, the CT cases' numbers.
    numbers = (
        content["foreground_intensity_properties_per_channel"]["0"] | joint[BY_MODALITY]["ct"]["intensity"]
    )
    content["foreground_intensity_properties_per_channel"] = {"0": numbers}
    manager = PlansManager(content)
    image = an_image(border=2)
    theirs, _, _ = DefaultPreprocessor(verbose=False).run_case_npy(
        image,
        None,
        {"spacing": list(SPACING)},
        manager,
        manager.get_configuration("3d_fullres"),
        {"channel_names": {"0": "any"}, "labels": {"background": 0, "one": 1}},
    )
    np.testing.assert_allclose(prepared(joint, image, modality), theirs, atol=1e-5)


def test_names_are_listed_as_a_sentence_has_them():
    assert listed(["t1", "t2"]) == "t1 and t2"
