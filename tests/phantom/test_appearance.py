"""The CT shows each tissue at its CT number under noise of the centre's size and texture."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from scipy.ndimage import binary_erosion
from scipy.stats import norm

from wirsung.phantom.appearance import Scene, ct_image
from wirsung.phantom.body import build_body
from wirsung.phantom.centres import centre, image_grid
from wirsung.phantom.materials import MATERIALS, PHASES, draw_hu
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.settings import PhantomSettings
from wirsung.phantom.tissues import Tissue

SETTINGS = PhantomSettings(Path("cohort"))
CENTRE = centre(SETTINGS, 0)


@pytest.fixture(scope="module")
def body():
    return build_body(draw_patient(np.random.default_rng(5), tumour=None), image_grid(SETTINGS, CENTRE))


def _noise(noise_hu, kernel, shape=(40, 60, 60), seed=0):
    """An image of nothing but water-free air, moved into range."""
    scene = Scene(np.full(shape, Tissue.FAT, dtype=np.uint8), (4.0, 4.0, 4.0))
    signals = {**draw_hu("venous", None, np.random.default_rng(0)), "fat": 0.0}
    place = replace(CENTRE, noise_hu=noise_hu, kernel_voxels=kernel)
    with_noise = ct_image(scene, signals, place, np.random.default_rng(seed)).astype(np.float64)
    without = ct_image(scene, signals, replace(place, noise_hu=0.0), np.random.default_rng(seed))
    return (with_noise - without)[2:-2, 2:-2, 2:-2]


@pytest.mark.parametrize("noise_hu", [9.0, 25.0])
def test_the_noise_has_the_centres_standard_deviation_and_mean_0(noise_hu):
    found = _noise(noise_hu, (0.7, 0.7, 0.4))
    assert found.std() == pytest.approx(noise_hu, rel=0.03)
    assert abs(found.mean()) < 0.3


@pytest.mark.parametrize("sigma", [0.45, 0.75])
def test_the_noise_is_correlated_as_the_kernel_is(sigma):
    found = _noise(20.0, (sigma, sigma, 0.2))
    half = np.exp(-0.5 * (np.arange(-2, 3) / sigma) ** 2)
    kernel = half / half.sum()
    power = np.correlate(kernel, kernel, "full")
    for lag in (1, 2):
        expected = power[4 + lag] / power[4]
        for axis in (0, 1):
            ahead = np.moveaxis(found, axis, 0)
            correlation = (ahead[lag:] * ahead[:-lag]).mean() / found.var()
            assert correlation == pytest.approx(expected, abs=0.02)
    slices = (found[..., 1:] * found[..., :-1]).mean() / found.var()
    assert abs(slices) < 0.02


@pytest.mark.parametrize("phase", PHASES)
def test_each_material_has_its_mean_ct_number_where_noise_is_averaged_out(phase):
    names = list(MATERIALS)
    side = 12
    tissue = np.zeros((side * len(names), side, side), dtype=np.uint8)
    for place, name in enumerate(names):
        tissue[place * side : (place + 1) * side] = MATERIALS[name].tissues[-1]
    signals = draw_hu(phase, "hypo", np.random.default_rng(2))
    images = [
        ct_image(Scene(tissue, (4.0, 4.0, 4.0)), signals, CENTRE, np.random.default_rng(seed))
        for seed in range(12)
    ]
    mean = np.mean(images, axis=0)
    for place, name in enumerate(names):
        found = mean[place * side + 3 : (place + 1) * side - 3, 2:-2, 2:-2].mean()
        # The texture's coarse part hardly averages out in a block of 48 mm, but over 12 draws it does.
        if name == "air":  # the scanner's 12 bits cut the noise off at -1024
            below = (-1024 + 1000) / CENTRE.noise_hu
            cut = CENTRE.noise_hu * (norm.pdf(below) + below * norm.cdf(below))
            assert found == pytest.approx(-1000 + cut, abs=1)
            continue
        assert found == pytest.approx(signals[name], abs=1 + 0.5 * MATERIALS[name].texture_hu), name


@pytest.mark.parametrize(
    ("structure", "material"),
    [("liver", "liver"), ("spleen", "spleen"), ("lung_right", "lung"), ("bladder", "urine")],
)
def test_an_organ_in_the_body_has_its_ct_number_inside(body, structure, material):
    signals = draw_hu("venous", None, np.random.default_rng(2))
    image = ct_image(Scene(body.tissue, body.grid.spacing_mm), signals, CENTRE, np.random.default_rng(0))
    own = body.masks[structure] & np.isin(body.tissue, MATERIALS[material].tissues)
    inside = binary_erosion(own, iterations=1 if material == "lung" else 2)
    error = 4 * CENTRE.noise_hu / np.count_nonzero(inside) ** 0.5 + MATERIALS[material].texture_hu
    assert np.count_nonzero(inside) > 20
    assert image[inside].mean() == pytest.approx(signals[material], abs=error)


def test_air_is_air_but_for_the_table_behind_the_body(body):
    place = replace(CENTRE, noise_hu=0.0)
    signals = draw_hu("venous", None, np.random.default_rng(2))
    image = ct_image(Scene(body.tissue, body.grid.spacing_mm), signals, place, np.random.default_rng(0))
    assert image.dtype == np.int16
    back = int(np.flatnonzero((body.tissue != Tissue.AIR).any(axis=(0, 2)))[-1])
    air = body.tissue == Tissue.AIR
    outside = ~binary_erosion(~air, iterations=3, border_value=1) & air
    far = air & ~outside
    far[:, back - 1 :] = False
    near_body = binary_erosion(far, iterations=4, border_value=1)
    assert (image[near_body] == -1000).all()
    table = image[:, back + 2 :]
    assert table.max() > -600  # a shell
    assert np.count_nonzero((table > -900) & (table < -800)) > 100  # filled with foam


def test_edges_are_blurred_by_the_kernel_and_no_more():
    tissue = np.full((12, 12, 12), Tissue.FAT, dtype=np.uint8)
    tissue[:, 6:] = Tissue.BLADDER_URINE
    place = replace(CENTRE, noise_hu=0.0, kernel_voxels=(0.6, 0.6, 0.4))
    signals = {**draw_hu("venous", None, np.random.default_rng(2)), "fat": -100.0, "urine": 0.0}
    images = [
        ct_image(Scene(tissue, (1.0, 1.0, 1.0)), signals, place, np.random.default_rng(seed))
        for seed in range(40)
    ]
    profile = np.mean(images, axis=(0, 1, 3))
    # A step behind taps 0.003, 0.166, 0.664, 0.166, 0.003: the last fat voxel has 16.9 % of the water.
    np.testing.assert_allclose(profile[3:9], [-100, -99.7, -83.1, -16.9, -0.3, 0], atol=4)


def test_the_same_seed_gives_the_same_image_and_another_does_not(body):
    scene = Scene(body.tissue, body.grid.spacing_mm)
    signals = draw_hu("arterial", None, np.random.default_rng(2))
    first, again, other = (
        ct_image(scene, signals, CENTRE, np.random.default_rng(seed)) for seed in (1, 1, 2)
    )
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)
