import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracle import TOLERANCES_MM, Oracle, random_label_maps

from wirsung.errors import LabelError
from wirsung.evaluation.label_pair import LabelPair
from wirsung.evaluation.overlap import overlap
from wirsung.imaging.nifti import read_label_map

seeds = st.integers(0, 2**32 - 1)
LABELS = range(1, 9)


def check_against_the_oracle(seed, low, high):
    """DSC, NSD and HD equal, HD95, ASSD and MASD to 1e-12, of each label and of a union."""
    generator = np.random.default_rng(seed)
    reference, prediction, spacing = random_label_maps(generator, low, high)
    if generator.random() < 0.5:
        reference, prediction = np.asfortranarray(reference), np.asfortranarray(prediction)
    pair = LabelPair(reference, prediction, spacing)
    structures = [(label,) for label in LABELS] + [(1, 3, 4)]
    for values in structures:
        one, other = np.isin(reference, values), np.isin(prediction, values)
        counted = overlap(pair.counts, values, values)
        assert (counted.reference, counted.prediction) == (one.sum(), other.sum())
        if not one.any() or not other.any():
            continue
        assert counted.dsc == 2 * (one & other).sum() / (one.sum() + other.sum())
        expected, found = Oracle.of(one, other, spacing), pair.distances(values, values)
        assert found.hd == expected.hd
        for tolerance in TOLERANCES_MM:
            for strict in (True, False):
                assert found.nsd(tolerance, strict=strict) == expected.nsd(tolerance, strict=strict)
        assert found.hd95 == pytest.approx(expected.hd95, rel=1e-12, abs=1e-12)
        assert found.assd == pytest.approx(expected.assd, rel=1e-12, abs=1e-12)
        assert found.masd == pytest.approx(expected.masd, rel=1e-12, abs=1e-12)


@settings(max_examples=2000)
@given(seeds)
def test_small_volumes_score_as_scipy_does(seed):
    check_against_the_oracle(seed, 3, 10)


@pytest.mark.slow
@settings(max_examples=9500)
@given(seeds)
def test_many_volumes_score_as_scipy_does(seed):
    check_against_the_oracle(seed, 3, 20)


@pytest.mark.slow
@settings(max_examples=500)
@given(seeds)
def test_volumes_beyond_the_search_radius_score_as_scipy_does(seed):
    check_against_the_oracle(seed, 30, 69)


@settings(max_examples=100)
@given(seeds, st.sampled_from(["C", "F", "mixed", "strided", "uint16", "int64"]))
def test_how_an_array_lies_in_memory_changes_no_distance(seed, form):
    reference, prediction, spacing = random_label_maps(np.random.default_rng(seed), 3, 19)
    forms = {
        "C": lambda item: item,
        "F": np.asfortranarray,
        "mixed": lambda item: np.asfortranarray(item) if item is reference else item,
        "strided": lambda item: np.repeat(np.repeat(item, 2, axis=1), 3, axis=2)[:, ::2, ::3],
        "uint16": lambda item: item.astype(np.uint16),
        "int64": lambda item: item.astype(np.int64)[::-1][::-1],
    }
    plain = LabelPair(reference, prediction, spacing)
    other = LabelPair(forms[form](reference), forms[form](prediction), spacing)
    assert (other.counts == plain.counts).all()
    for label in LABELS:
        if (reference == label).any() and (prediction == label).any():
            assert_same(other.distances([label], [label]), plain.distances([label], [label]))


@pytest.mark.parametrize("threads", [2, 3])
@pytest.mark.parametrize("by_area", [False, True])
def test_the_number_of_threads_changes_no_bit(threads, by_area):
    reference, prediction, spacing = random_label_maps(np.random.default_rng(5), 50, 60)
    structures = [((label,), (label,)) for label in np.intersect1d(reference, prediction) if label]
    structures.append(((1, 2), (1, 2)))
    alone = LabelPair(reference, prediction, spacing)
    several = LabelPair(reference, prediction, spacing, threads=threads)
    expected = alone.all_distances(structures, by_area=by_area)
    found = several.all_distances(structures, by_area=by_area)
    assert (several.counts == alone.counts).all()
    for one, other in zip(found, expected, strict=True):
        assert (one.reference_to_prediction_mm == other.reference_to_prediction_mm).all()
        assert (one.prediction_to_reference_mm == other.prediction_to_reference_mm).all()


@pytest.mark.parametrize("columns", [1, 2, 7, 8, 9, 15, 16, 17, 31, 33])
def test_rows_of_any_length_score_as_scipy_does(columns):
    generator = np.random.default_rng(columns)
    reference, prediction = (generator.integers(0, 3, (5, 6, columns), dtype=np.uint8) for _ in range(2))
    pair = LabelPair(reference, prediction, (1.25, 0.8, 0.8))
    for label in (1, 2):
        expected = Oracle.of(reference == label, prediction == label, (1.25, 0.8, 0.8))
        assert (pair.distances([label], [label]).reference_to_prediction_mm == expected.to_prediction).all()


def test_a_label_map_may_hold_all_255_values():
    generator = np.random.default_rng(3)
    reference, prediction = (generator.integers(0, 256, (12, 13, 14), dtype=np.uint8) for _ in range(2))
    pair = LabelPair(reference, prediction, (1.0, 2.0, 0.5))
    for label in (1, 128, 255):
        expected = Oracle.of(reference == label, prediction == label, (1.0, 2.0, 0.5))
        assert_same(pair.distances([label], [label]), expected)


def test_swapped_organs_far_apart_score_as_scipy_does():
    reference = np.zeros((30, 60, 150), dtype=np.uint8)
    grid = np.indices(reference.shape)
    for value, x in ((1, 22), (2, 125)):
        squares = ((grid[0] - 15) / 12) ** 2 + ((grid[1] - 30) / 25) ** 2 + ((grid[2] - x) / 18) ** 2
        reference[squares < 1] = value
    swap = np.array([0, 2, 1], dtype=np.uint8)[np.roll(reference, (1, 2, 1), (0, 1, 2))]
    pair = LabelPair(reference, swap, (1.25, 0.8, 0.8))
    for label in (1, 2):
        expected = Oracle.of(reference == label, swap == label, (1.25, 0.8, 0.8))
        found = pair.distances([label], [label])
        assert (found.reference_to_prediction_mm == expected.to_prediction).all()
        assert (found.prediction_to_reference_mm == expected.to_reference).all()


@pytest.mark.parametrize("case", ["021", "040", "045"])
def test_a_real_prediction_scores_as_scipy_does(shared_data, case):
    folder = shared_data / "pancreas_predictions"
    reference, prediction = (read_label_map(folder / name / f"{case}.nii.gz") for name in ("reference", "CE"))
    one, other = (np.asarray(volume.voxels == 1) for volume in (reference, prediction))
    expected = Oracle.of(one, other, reference.spacing_mm)
    found = LabelPair(reference.voxels, prediction.voxels, reference.spacing_mm).distances([1], [1])
    assert found.hd == expected.hd
    assert found.nsd(2.0, strict=True) == expected.nsd(2.0, strict=True)
    assert found.hd95 == pytest.approx(expected.hd95, rel=1e-12)
    assert found.assd == pytest.approx(expected.assd, rel=1e-12)


def test_a_structure_may_have_other_values_in_the_prediction():
    reference, prediction = np.zeros((6, 7, 8), np.uint8), np.zeros((6, 7, 8), np.uint8)
    reference[1:4, 1:4, 1:4] = 17
    reference[2, 2, 2] = 28
    prediction[1:4, 1:4, 2:5] = 1
    found = LabelPair(reference, prediction, (1.0, 1.0, 1.0)).distances([17, 28], [1, 2])
    # Two cubes of 3, one apart: the hand-computed case.
    assert found.assd == 20 / 52


def test_values_above_255_are_told_apart():
    reference, prediction = np.zeros((1, 1, 5), np.uint16), np.zeros((1, 1, 5), np.uint16)
    reference[0, 0, 0], prediction[0, 0, 3] = 1024, 1024
    reference[0, 0, 1] = 256
    pair = LabelPair(reference, prediction, (1.0, 1.0, 2.0))
    assert pair.counts.shape == (1025, 1025)
    assert (pair.counts[0, 1024], pair.counts[1024, 0], pair.counts[256, 0]) == (1, 1, 1)
    assert pair.distances([1024], [1024]).hd == 6.0


def test_more_than_255_values_are_refused():
    many = np.arange(300, dtype=np.uint16).reshape(3, 10, 10)
    with pytest.raises(LabelError, match="hold 300 values, but at most 256"):
        LabelPair(many, many, (1.0, 1.0, 1.0))


def assert_same(found, expected):
    if isinstance(expected, Oracle):
        both = (expected.to_prediction, expected.to_reference)
    else:
        both = (expected.reference_to_prediction_mm, expected.prediction_to_reference_mm)
    for one, other in zip(
        (found.reference_to_prediction_mm, found.prediction_to_reference_mm), both, strict=True
    ):
        assert (np.sort(one) == np.sort(other)).all()
