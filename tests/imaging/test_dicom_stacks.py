from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from wirsung.imaging.dicom_headers import SliceHeader
from wirsung.imaging.dicom_stacks import find_stacks, fit_stack


def a_slice(position, orientation=(1, 0, 0, 0, 1, 0), **changes):
    made = SliceHeader(
        path=Path("slice"),
        frame=0,
        series="one",
        modality="CT",
        declared=("CT", "frame", "AXIAL", "B30f"),
        is_localizer=False,
        shape=(20, 30),
        position=tuple(float(value) for value in position),
        orientation=tuple(float(value) for value in orientation),
        spacing=(0.7, 0.8),
        slope=1.0,
        intercept=0.0,
        rescale_type="HU",
        has_lookup_table=False,
        moments=("1", "", "", "", "", "", "", ""),
    )
    return replace(made, **changes)


def heights(*values, **changes):
    return [a_slice((0, 0, value), **changes) for value in values]


@given(
    st.tuples(*[st.integers(-180, 180)] * 3),
    st.floats(0.5, 10),
    st.integers(3, 60),
    st.randoms(use_true_random=False),
)
def test_any_even_stack_gets_its_exact_grid(angles, step_mm, count, random):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    origin = np.array([10.0, -20, 30])
    slices = [a_slice(origin + n * step_mm * turn[:, 2], turn[:, :2].T.ravel()) for n in range(count)]
    random.shuffle(slices)
    stack = fit_stack(slices)
    assert stack.is_usable
    lps = np.diag([-1, -1, 1, 1]) @ stack.affine
    np.testing.assert_allclose(lps[:3, :3], turn @ np.diag([0.8, 0.7, step_mm]), atol=1e-6)
    np.testing.assert_allclose(lps[:3, 3], origin, atol=1e-6)


def test_the_spacing_is_of_least_squares_and_not_the_first_gap():
    stack = fit_stack(heights(0, 2.05, 4, 6, 8, 10))
    slope = np.polyfit(range(6), [0, 2.05, 4, 6, 8, 10], 1)[0]
    assert np.linalg.norm(stack.affine[:3, 2]) == pytest.approx(slope)


@pytest.mark.parametrize(
    ("values", "code"),
    [
        ([0, 2, 4, 8, 10, 12, 14, 16, 18, 20], "SLICE_GAP"),
        ([0, 2, 4, 6, 8, 12, 16, 20], "SPACING_UNEVEN"),
        ([0, 2, 4.3, 6, 8], "SPACING_UNEVEN"),
        ([0, 2], "TOO_FEW_SLICES"),
    ],
)
def test_an_uneven_stack_has_a_code(values, code):
    assert fit_stack(heights(*values)).problem.code == code


def test_the_number_of_missing_slices_is_told():
    problem = fit_stack(heights(*[2 * n for n in range(40) if n not in (5, 6, 7)])).problem
    assert problem.sentence == "about 3 slices are missing, for the usual gap is 2 mm"


@given(st.sets(st.integers(1, 28), min_size=1, max_size=12))
def test_no_inner_slice_can_be_missing(missing):
    left = [n for n in range(30) if n not in missing]
    stack = fit_stack(heights(*[1.25 * n for n in left]))
    steps = set(np.diff(left))
    assert stack.is_usable == (len(steps) == 1)


@pytest.mark.parametrize("degrees", [0.5, 2, 15, -15])
def test_a_tilt_is_told_in_degrees(degrees):
    shift = np.tan(np.radians(degrees)) * 2
    stack = fit_stack([a_slice((0, n * shift, 2 * n)) for n in range(30)])
    assert stack.shear.degrees == pytest.approx(degrees)
    assert stack.repairs == ("TILT_DESHEARED",)
    np.testing.assert_allclose(stack.affine[:3, 2], [0, 0, 2], atol=1e-9)


def test_a_shear_that_no_gantry_makes_is_a_problem():
    problem = fit_stack([a_slice((0, 2 * n, 2 * n)) for n in range(30)]).problem
    assert (problem.code, problem.sentence[:32]) == ("TILT", "its slices are sheared by 45.00 ")


def test_stacks_of_one_series_are_marked_as_split():
    earlier, later = heights(0, 2, 4), heights(0, 2, 4, moments=("2", "", "", "", "", "", "", ""))
    stacks, _ = find_stacks([*earlier, *later, *heights(0, 2, 4, series="two")])
    assert [stack.repairs for stack in stacks] == [("STACK_SPLIT",), ("STACK_SPLIT",), ()]


def test_slices_at_one_place_are_twins():
    stack = fit_stack([*heights(0, 2, 4), a_slice((0, 0, 2))])
    assert len(stack.slices) == 3
    assert len(stack.twins) == 1


def test_stacks_of_different_series_and_planes_are_apart():
    sagittal = [a_slice((3 * n, 0, 0), (0, 1, 0, 0, 0, -1), spacing=(1.0, 1.0)) for n in range(4)]
    stacks, notes = find_stacks([*heights(0, 2, 4), *heights(0, 3, 6, 9, series="two"), *sagittal])
    assert sorted((len(stack.slices), stack.is_usable) for stack in stacks) == [
        (3, True),
        (4, True),
        (4, True),
    ]
    assert notes == {}


def test_a_position_that_is_not_finite_is_a_problem_of_the_series():
    stacks, _ = find_stacks([*heights(0, 2, 4), a_slice((0, 0, np.nan))])
    assert [stack.problem.code for stack in stacks] == ["BAD_POSITION"]


def test_localizers_are_counted_and_left_out():
    stacks, notes = find_stacks([*heights(0, 2, 4), a_slice((0, 0, 2), is_localizer=True)])
    assert len(stacks) == 1
    assert stacks[0].is_usable
    assert notes == {"LOCALIZER": 1}
