"""What an image may be: laws of the checks, on bodies whose HU are known."""

from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from tests.inference.test_bad_input import GRID, abdomen

from wirsung.errors import GeometryError
from wirsung.imaging.volume import Volume
from wirsung.inference.loading import How, load_model
from wirsung.inference.plausibility import Intensities, check_place, warnings_of
from wirsung.models.normalisation import CT_SCHEME, IMAGE_SCHEME, Intensity, Normalisation


@pytest.fixture(scope="module")
def loaded(model):
    return load_model(model, How("cpu", threads=1))


def with_intensity(loaded, *values):
    """The model as if the structures it learnt had another mean, spread and range."""
    plans = replace(loaded.stage.plans, intensities=(Intensity(*values),))
    return replace(loaded, stage=replace(loaded.stage, plans=plans))


@given(
    spacing=st.tuples(*[st.floats(0.3, 5.0)] * 3),
    shape=st.tuples(*[st.integers(20, 40)] * 3),
    shift=st.integers(-30, 60),
    noise=st.integers(0, 60),
)
def test_no_body_in_hu_raises_an_alarm_whatever_its_grid_contrast_and_noise(
    loaded, spacing, shape, shift, noise
):
    voxels = abdomen(shape).astype(float)
    voxels[voxels > 0] += shift
    voxels += np.random.default_rng(0).normal(0, noise, shape)
    volume = Volume(voxels.round().astype(np.int16), np.diag([*spacing, 1.0]))
    found = [text for text in warnings_of([volume], loaded) if "mm" not in text]
    assert found == []


@given(factor=st.floats(1e-4, 0.02), offset=st.sampled_from([0, 1000, 1024, 2048]))
def test_every_body_that_is_scaled_down_raises_one(loaded, factor, offset):
    voxels = ((abdomen().astype(np.float32) + offset) * factor).astype(np.float32)
    assert "does not look like CT in HU" in warnings_of([Volume(voxels, GRID)], loaded)[0]


def test_the_numbers_in_a_warning_are_those_of_numpy(loaded):
    voxels = (abdomen().astype(int) + 1024).clip(0).astype(np.int16)
    (warning,) = warnings_of([Volume(voxels, GRID)], loaded)
    low, middle, high = np.percentile(voxels, (0.5, 50, 99.5))
    assert f"99 % between {low:.4g} and {high:.4g}, median {middle:.4g}, 0 % below -200" in warning
    assert f"whole numbers from {voxels.min()} to {voxels.max()}" in warning


def test_a_model_that_learnt_other_units_is_held_against_those(loaded):
    shifted = with_intensity(loaded, 1100.0, 60.0, 900.0, 1300.0)
    body = Volume(abdomen(), GRID)
    (warning,) = warnings_of([body], shifted)
    assert "has hardly a value that the model learnt" in warning
    assert "between 900 and 1300" in warning
    moved = body.with_voxels((body.voxels.astype(int) + 1024).astype(np.int16))
    assert warnings_of([moved], shifted) == ()


def test_of_a_model_of_several_modalities_the_one_of_the_image_counts(loaded):
    ways = {
        "ct": Normalisation(CT_SCHEME, False, Intensity(100.0, 80.0, -100.0, 300.0)),
        "t1": Normalisation(IMAGE_SCHEME, False, Intensity(300.0, 100.0, 20.0, 900.0)),
    }
    labels = replace(loaded.stage.labels, channels=("CT+T1",))
    plans = replace(loaded.stage.plans, by_modality=ways)
    joint = replace(loaded, stage=replace(loaded.stage, plans=plans, labels=labels))
    ct, mri = (Volume(voxels.astype(np.int16), GRID) for voxels in (abdomen(), abs(abdomen())))
    assert warnings_of([ct], joint, "ct") == warnings_of([mri], joint, "t1") == ()
    assert "looks like CT, but the model learnt t1. It holds" in warnings_of([ct], joint, "t1")[0]
    assert "does not look like CT in HU" in warnings_of([mri], joint, "ct")[0]
    assert warnings_of([ct], joint, "other") == ()


def test_samples_are_spread_over_the_image_and_few():
    ramp = np.broadcast_to(np.arange(200, dtype=np.int16)[:, None, None], (200, 190, 180))
    values = Intensities.of(Volume(ramp, np.eye(4))).values
    assert 60_000 <= values.size < 400_000
    assert np.median(values) == pytest.approx(99.5, abs=3)
    assert Intensities.of(Volume(np.zeros((1, 1, 500_000), np.int8), np.eye(4))).values.size >= 10_000


@pytest.mark.parametrize("spacing", [(0.05, 20.0, 1.0), (0.2, 0.2, 0.2), (3.0, 3.0, 10.0)])
def test_spacings_of_scans_pass(spacing):
    check_place(Volume(np.zeros((2, 3, 4)), np.diag([*spacing, 1.0])))


@pytest.mark.parametrize(
    ("spacing", "shape", "message"),
    [
        ((0.04, 1.0, 1.0), (2, 2, 2), r"x.nii has a spacing of 0.04 x 1 x 1 mm.*metres\?"),
        ((1.0, 1.0, 21.0), (2, 2, 2), r"x.nii has a spacing of 1 x 1 x 21 mm.*micrometres"),
        ((1.0, 1.0, 5.0), (2, 2, 900), r"x.nii is 4500 mm long \(900 voxels, spacing 1 x 1 x 5 mm\)"),
    ],
)
def test_other_spacings_and_lengths_are_refused(spacing, shape, message):
    with pytest.raises(GeometryError, match=message):
        check_place(Volume(np.zeros(shape), np.diag([*spacing, 1.0])), "x.nii")


def test_axes_are_told_apart_as_the_model_lays_them(loaded):
    # 16 mm between slices: along any axis of the file it is the slices that the network takes at 2 mm.
    slices = np.diag([1.5, 1.5, 21.0 - 5.0, 1.0])
    turned = np.zeros((4, 4))
    turned[0, 1] = turned[1, 2] = 1.5
    turned[2, 0], turned[3, 3] = 16.0, 1.0
    for voxels, affine in ((abdomen(), slices), (abdomen().transpose(2, 0, 1), turned)):
        assert warnings_of([Volume(voxels, affine)], loaded) == ()
    coarse = np.diag([16.0, 1.5, 2.0, 1.0])
    (warning,) = warnings_of([Volume(abdomen(), coarse)], loaded)
    assert "spacing of 16 mm along one axis, but the network works at 1.5 mm" in warning
