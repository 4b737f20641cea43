"""The stages of a plan, held against nnU-Net's own planner."""

import contextlib
import io
import re
from dataclasses import replace
from itertools import product

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.errors import ConfigError
from wirsung.models.networks.topology import check_divisible, plan_of_patch, planned_topology, topology_of
from wirsung.models.plans import Architecture


@given(
    patch=st.tuples(*[st.integers(4, 320)] * 3),
    spacing=st.tuples(*[st.floats(0.3, 8.0)] * 3),
)
def test_the_stages_are_those_that_nnunet_plans(patch, spacing):
    from nnunetv2.experiment_planning.experiment_planners.network_topology import get_pool_and_conv_props

    with contextlib.redirect_stdout(io.StringIO()):
        _, strides, kernels, _, divisor = get_pool_and_conv_props(spacing, patch, 4, 999_999)
    ours = planned_topology(patch, spacing)
    assert ours.strides == tuple(tuple(map(int, item)) for item in strides)
    assert ours.kernels == tuple(tuple(map(int, item)) for item in kernels)
    assert ours.divisor == tuple(int(item) for item in divisor)


def test_features_double_up_to_the_most():
    assert planned_topology((128,) * 3, (1.0,) * 3).features == (32, 64, 128, 256, 320, 320)
    assert planned_topology((128,) * 3, (1.0,) * 3, (12, 96)).features == (12, 24, 48, 96, 96, 96)


def test_a_plan_that_names_its_stages_keeps_them():
    plan = plan_of_patch((32, 32, 32))
    named = {**plan.architecture.arguments, "features_per_stage": [1, 2, 3, 4]}
    named |= {"strides": [[1, 1, 1], [1, 2, 2], [2, 2, 2]], "kernel_sizes": [[1, 3, 3]] * 3}
    found = topology_of(replace(plan, architecture=Architecture("x.PlainConvUNet", named, ())))
    assert found.strides == ((1, 1, 1), (1, 2, 2), (2, 2, 2))
    assert found.features == (1, 2, 3, 4)
    assert found.divisor == (2, 4, 4)


def test_a_plan_of_another_network_gets_the_stages_that_nnunet_would_plan():
    plan = plan_of_patch((64, 64, 64))
    bare = replace(plan, architecture=Architecture("wirsung.models.networks.unetr.Unetr", {}, ()))
    assert topology_of(bare) == topology_of(plan)


def test_stages_that_do_not_divide_the_patch_are_an_error():
    plan = replace(plan_of_patch((64, 64, 64)), patch_size=(64, 60, 64))
    with pytest.raises(ConfigError, match=r"64 x 60 x 64 voxels.*multiple of 16.*64 x 64 x 64 would do"):
        topology_of(plan)


@given(patch=st.tuples(*[st.integers(1, 300)] * 3), divisor=st.tuples(*[st.sampled_from([1, 8, 16, 32])] * 3))
def test_the_patch_that_the_error_names_would_do(patch, divisor):
    try:
        check_divisible(patch, divisor, "A network")
    except ConfigError as error:
        named = re.search(r"patch of (\d+) x (\d+) x (\d+) would", str(error)).groups()
        check_divisible([int(value) for value in named], divisor, "A network")
    else:
        assert all(size % unit == 0 for size, unit in zip(patch, divisor, strict=True))


def test_a_patch_too_small_to_halve_is_refused():
    with pytest.raises(ConfigError, match=r"3 x 3 x 3 voxels is too small.*8 x 8 x 8 would do"):
        topology_of(plan_of_patch((3, 3, 3)))
    assert len(topology_of(plan_of_patch((16, 16, 16))).strides) == 3


@pytest.mark.parametrize("spacing", list(product([0.7, 1.0, 2.5, 5.0], repeat=3)))
def test_the_patch_that_the_error_names_is_taken(spacing):
    with pytest.raises(ConfigError, match="would do") as caught:
        topology_of(plan_of_patch((4, 4, 6), spacing))
    said = str(caught.value).rsplit("A patch of ", 1)[1].split(" would do")[0]
    again = tuple(int(value) for value in said.split(" x "))
    assert len(topology_of(plan_of_patch(again, spacing)).strides) > 1
