from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.imaging.dicom_headers import SliceHeader
from wirsung.imaging.dicom_spacing import evened, resampled
from wirsung.imaging.dicom_stacks import fit_stack


def stack_at(heights, **changes):
    first = SliceHeader(
        path=Path("slice"),
        frame=0,
        series="one",
        modality="CT",
        declared=("CT", "", "", ""),
        is_localizer=False,
        shape=(4, 5),
        position=(0.0, 0.0, 0.0),
        orientation=(1.0, 0.0, 0.0, 0.0, 1.0, 0.0),
        spacing=(0.7, 0.8),
        slope=1.0,
        intercept=0.0,
        rescale_type="HU",
        has_lookup_table=False,
        moments=("",),
    )
    return fit_stack([replace(first, position=(1.0, 2.0, float(height)), **changes) for height in heights])


def test_places_between_slices_are_those_of_an_even_grid():
    stack = evened(stack_at([0, 2, 4, 6, 8, 12, 16]))
    assert stack.is_usable
    assert stack.repairs == ("SPACING_RESAMPLED",)
    assert stack.taken_at == (0, 1, 2, 3, 4, 4.5, 5, 5.5, 6)
    np.testing.assert_allclose(stack.affine[:3], [[-0.8, 0, 0, -1], [0, -0.7, 0, -2], [0, 0, 2, 0]])


@given(st.lists(st.floats(0.9, 1.6), min_size=6, max_size=20))
def test_a_value_that_rises_with_height_stays_right(gaps):
    heights = np.cumsum([0.0, *gaps])
    stack = evened(stack_at(heights))
    if not stack.taken_at:
        return  # even enough as it was, or taken for a missing slice
    voxels = np.broadcast_to(7.0 * heights, (5, 4, len(heights)))
    volume = resampled(voxels, stack)
    expected = 7.0 * (volume.affine[2, 3] + volume.affine[2, 2] * np.arange(volume.shape[2]))
    np.testing.assert_allclose(volume.voxels[2, 3], expected, atol=1e-6)
    assert expected[-1] <= 7 * heights[-1] + 1e-6


def test_integers_are_rounded_once_and_stay_integers():
    voxels = np.arange(7, dtype=np.int16).reshape(1, 1, 7) * 3
    volume = resampled(voxels, evened(stack_at([0, 2, 4, 6, 8, 12, 16])))
    assert volume.voxels.dtype == np.int16
    assert volume.voxels.ravel().tolist() == [0, 3, 6, 9, 12, 14, 15, 16, 18]


@pytest.mark.parametrize(
    ("heights", "code"),
    [
        ([0, 2, 4, 6, 8, 10, 12, 14, 16, 20, 22, 24], "SLICE_GAP"),
        ([0, 2, 4, 12, 14, 22], "SPACING_UNEVEN"),
        ([0, 2], "TOO_FEW_SLICES"),
    ],
    ids=["a slice is missing", "gaps too wide", "too few"],
)
def test_what_is_no_matter_of_resampling_stays_a_problem(heights, code):
    assert evened(stack_at(heights)).problem.code == code


def test_slices_that_also_drift_sideways_stay_a_problem():
    tilted = [(0.5 * height, 0.0, float(height)) for height in (0, 2, 4, 6, 8, 12, 16)]
    first = stack_at([0, 2, 4]).slices[0]
    assert evened(fit_stack([replace(first, position=place) for place in tilted])).problem is not None


def test_an_even_stack_stays_as_it_is():
    stack = stack_at([0, 2, 4, 6])
    assert evened(stack) is stack
