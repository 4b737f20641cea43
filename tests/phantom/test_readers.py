"""Further readers agree with the truth as much as they are asked to."""

import numpy as np
import pytest

from wirsung.phantom.readers import read_by, read_case, spread_quantile, target_dsc

SPACING_MM = (2.0, 2.0, 3.0)


def _dsc(reference, prediction):
    return (
        2
        * np.count_nonzero(reference & prediction)
        / (np.count_nonzero(reference) + np.count_nonzero(prediction))
    )


def _ellipsoid(radii_mm, shape=(40, 40, 32)):
    grid = np.indices(shape, sparse=True)
    terms = [
        ((axis - (size - 1) / 2) * step / radius) ** 2
        for axis, size, step, radius in zip(grid, shape, SPACING_MM, radii_mm, strict=True)
    ]
    return sum(terms) <= 1


def _lesions(count):
    for index in range(count):
        yield _ellipsoid(np.random.default_rng(index).uniform(7, 20, 3))


@pytest.mark.parametrize("median_dsc", [0.75, 0.861, 0.93])
def test_the_median_dice_over_lesions_is_the_chosen_one_and_cases_spread(median_dsc):
    found = [
        _dsc(
            mask,
            read_by(mask, SPACING_MM, reader_seed=n, median_dsc=median_dsc, quantile=spread_quantile(n, 0.3)),
        )
        for n, mask in enumerate(_lesions(24))
    ]
    assert np.median(found) == pytest.approx(median_dsc, abs=0.02)
    low, high = np.percentile(found, [25, 75])
    assert high - low > 0.3 * (1 - median_dsc)


def test_without_a_quantile_the_case_draws_its_own():
    found = [
        _dsc(mask, read_by(mask, SPACING_MM, reader_seed=n, median_dsc=0.86))
        for n, mask in enumerate(_lesions(40))
    ]
    assert np.median(found) == pytest.approx(0.86, abs=0.03)
    assert np.std(found) > 0.02


def test_a_reader_errs_along_the_boundary_in_one_piece_and_not_in_specks():
    from scipy.ndimage import binary_dilation, binary_erosion, label

    mask = _ellipsoid((18.0, 15.0, 16.0))
    drawn = read_by(mask, SPACING_MM, reader_seed=1, quantile=0.5)
    assert label(drawn)[1] <= 2
    deep, far = binary_erosion(mask, iterations=4), binary_dilation(mask, iterations=4)
    assert (drawn & deep).sum() == deep.sum()
    assert not (drawn & ~far).any()


def test_a_reader_is_the_same_for_the_same_seed_only():
    mask = _ellipsoid((12.0, 15.0, 10.0))
    first, again, other = (read_by(mask, SPACING_MM, reader_seed=seed, quantile=0.5) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_mask_at_the_border_of_the_grid_is_read_too():
    mask = _ellipsoid((25.0, 25.0, 25.0))[18:, :, :]
    assert _dsc(mask, read_by(mask, SPACING_MM, reader_seed=1, quantile=0.5)) == pytest.approx(0.86, abs=0.02)


def test_the_movement_of_a_large_organ_is_bounded():
    mask = _ellipsoid((38.0, 38.0, 44.0))
    free = _dsc(mask, read_by(mask, SPACING_MM, reader_seed=1, quantile=0.5))
    bounded = _dsc(mask, read_by(mask, SPACING_MM, reader_seed=1, quantile=0.5, largest_mm=2.0))
    assert free == pytest.approx(0.86, abs=0.02)
    assert bounded > 0.9


def test_an_empty_mask_stays_empty_and_a_single_voxel_does_not_fail():
    empty = np.zeros((5, 6, 7), dtype=bool)
    assert not read_by(empty, SPACING_MM, reader_seed=0).any()
    single = empty.copy()
    single[2, 3, 4] = True
    assert read_by(single, SPACING_MM, reader_seed=0).shape == single.shape


def test_the_quantiles_of_any_run_of_cases_cover_0_to_1_evenly():
    for first in (0, 17, 400):
        drawn = np.sort([spread_quantile(first + n, 0.71) for n in range(25)])
        assert np.diff(np.concatenate([[0], drawn, [1]])).max() < 0.1
    assert target_dsc(0.8, 0.5) == pytest.approx(0.8)
    assert target_dsc(0.8, 0.1) < 0.75 < 0.85 < target_dsc(0.8, 0.9)


def test_a_readers_structures_contain_one_another_as_the_truths_do():
    pancreas = _ellipsoid((30.0, 14.0, 16.0))
    i = np.indices(pancreas.shape)[0]
    lesion = np.roll(_ellipsoid((7.0, 7.0, 7.0)), 6, axis=0)
    masks = {
        "pancreas": pancreas,
        "pancreas_body": pancreas & (i >= 15) & (i < 25),
        "pancreas_head": pancreas & (i < 15),
        "pancreas_tail": pancreas & (i >= 25),
        "pancreatic_duct": np.zeros_like(pancreas),
        "pancreatic_lesion": lesion & pancreas,
    }
    drawn = dict(read_case(masks, SPACING_MM, seeds=(0, 1, 2), median_dsc=0.86))
    assert set(drawn) == set(masks)
    parts = np.stack([drawn[f"pancreas_{part}"] for part in ("head", "body", "tail")])
    assert (parts.sum(axis=0) == drawn["pancreas"]).all()
    assert not (drawn["pancreatic_lesion"] & ~drawn["pancreas"]).any()
    other = dict(read_case(masks, SPACING_MM, seeds=(0, 1, 3), median_dsc=0.86))
    assert not np.array_equal(other["pancreas"], drawn["pancreas"])
