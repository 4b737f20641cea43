import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.curation.audit.facts import SMALLEST_MM, gather
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.volume import Volume

AFFINE = np.diag([2.0, -3.0, 4.0, 1.0])
SHAPE = (6, 5, 40)


def facts_of(masks, image=None, affine=AFFINE):
    codes = merge_masks((name, Volume(np.asfortranarray(mask), affine)) for name, mask in masks.items())
    volume = None if image is None else Volume(image, affine)
    return gather(codes, volume, None, is_ct=image is not None)


@given(arrays(bool, (3, *SHAPE)), st.integers(0, 2**32 - 1))
def test_masks_are_measured_as_numpy_measures_them(masks, seed):
    image = np.random.default_rng(seed).integers(-1000, 1500, SHAPE).astype(np.int16)
    named = dict(zip(("a", "b", "c"), masks, strict=True))
    facts = facts_of(named, image)
    for name, mask in named.items():
        item = facts.structures[name]
        assert item.voxels == np.count_nonzero(mask)
        assert facts.volume_ml(name) == pytest.approx(np.count_nonzero(mask) * 24 / 1000)
        if not mask.any():
            assert np.isnan(item.median_hu)
            continue
        places = np.argwhere(mask)
        assert item.centre == pytest.approx(places.mean(axis=0))
        assert [(part.start, part.stop) for part in item.box] == [
            (low, high + 1) for low, high in zip(places.min(axis=0), places.max(axis=0), strict=True)
        ]
        # In bins of 4 HU, of an even number the lower of the two in the middle.
        assert item.median_hu == pytest.approx(np.percentile(image[mask], 50, method="inverted_cdf"), abs=4)
        assert np.array_equal(facts.union((name,), item.box), mask[item.box])
    for one, other in (("a", "b"), ("a", "c"), ("b", "c")):
        assert facts.overlaps.get((one, other), 0) == np.count_nonzero(named[one] & named[other])


def test_the_fraction_beyond_a_plane_counts_voxels_to_the_right():
    mask = np.zeros(SHAPE, bool)
    mask[1:5, 2, 3] = True
    item = facts_of({"liver": mask}).structures["liver"]
    assert [item.beyond(index) for index in (0, 1, 2.5, 4, 5)] == [1, 0.75, 0.5, 0, 0]


def test_an_image_without_hu_has_no_median():
    mask = np.ones(SHAPE, bool)
    codes = merge_masks([("liver", Volume(np.asfortranarray(mask), AFFINE))])
    facts = gather(codes, Volume(np.zeros(SHAPE, np.float32), AFFINE), None, is_ct=False)
    assert np.isnan(facts.structures["liver"].median_hu)


@pytest.mark.parametrize(("width_mm", "shows"), [(SMALLEST_MM, True), (SMALLEST_MM - 1, False)])
def test_an_image_must_be_wide_enough_for_a_body(width_mm, shows):
    affine = np.diag([width_mm / 6, 100.0, 1.0, 1.0])
    assert facts_of({"liver": np.ones(SHAPE, bool)}, affine=affine).shows_body is shows


def test_a_margin_stays_inside_the_image():
    facts = facts_of({"liver": np.ones(SHAPE, bool)})
    box = (slice(1, 3), slice(0, 2), slice(20, 22))
    # 5 mm are 3 voxels of 2 mm, 2 of 3 mm and 2 of 4 mm.
    assert facts.grown(box, 5.0) == (slice(0, 6), slice(0, 4), slice(18, 24))
