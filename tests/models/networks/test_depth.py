"""Stages for networks that must step down so many times."""

from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.errors import ConfigError
from wirsung.models.networks.depth import topology_of_depth
from wirsung.models.networks.topology import plan_of_patch, topology_of


def test_a_deep_plan_gives_its_own_first_stages():
    configuration = plan_of_patch((128, 128, 128))
    found, whole = topology_of_depth(configuration, 4, "A network"), topology_of(configuration)
    assert found.strides == whole.strides[:5]
    assert found.features == (32, 64, 128, 256, 320)
    assert found.kernels == whole.kernels[:5]


def test_a_shallow_plan_of_a_large_patch_is_planned_anew():
    shallow = replace(plan_of_patch((64, 64, 64)), architecture=plan_of_patch((16, 16, 16)).architecture)
    assert len(topology_of(shallow).strides) == 3
    found = topology_of_depth(shallow, 4, "A network")
    assert found.strides == ((1, 1, 1), *[(2, 2, 2)] * 4)


@given(
    steps=st.integers(1, 5),
    patch=st.tuples(*[st.integers(4, 90)] * 3),
    spacing=st.tuples(*[st.sampled_from([0.7, 1.0, 2.5, 5.0])] * 3),
)
def test_a_refused_patch_is_told_one_that_would_do(steps, patch, spacing):
    try:
        found = topology_of_depth(plan_of_patch(patch, spacing), steps, "A network")
    except ConfigError as error:
        said = str(error).rsplit("A patch of ", 1)[1].split(" would do")[0]
        again = tuple(int(value) for value in said.split(" x "))
        assert again != patch
    else:
        assert all(size % by == 0 for size, by in zip(patch, found.divisor, strict=True))
        assert len(found.strides) == steps + 1


@pytest.mark.parametrize("spacing", [(1.0, 1.0, 1.0), (5.0, 0.7, 0.7), (1.0, 4.0, 1.0)])
@pytest.mark.parametrize("steps", [3, 4, 5])
def test_the_patch_that_the_error_names_for_too_few_steps_is_taken(steps, spacing):
    with pytest.raises(
        ConfigError, match=f"A network must step down at least {steps} times.* would do"
    ) as caught:
        topology_of_depth(plan_of_patch((8, 8, 8), spacing), steps, "A network")
    said = str(caught.value).rsplit("A patch of ", 1)[1].split(" would do")[0]
    topology_of_depth(
        plan_of_patch(tuple(int(value) for value in said.split(" x ")), spacing), steps, "A network"
    )
