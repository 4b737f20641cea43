import os
import sys

import pytest
from misbehaving import process_id

from wirsung.compute.cases import Limits, map_cases
from wirsung.errors import ConfigError


@pytest.mark.parametrize("name", ["timeout_s", "memory_gb", "recycle_after"])
@pytest.mark.parametrize("value", [0, -1, float("nan")])
def test_a_limit_that_lets_no_case_run_is_refused(name, value):
    with pytest.raises(ConfigError, match=f"{name} is {value}"):
        Limits(**{name: value})


@pytest.mark.skipif(sys.platform == "linux", reason="Linux can")
def test_a_memory_limit_that_can_not_be_held_is_refused():
    with pytest.raises(ConfigError, match="only be held on Linux"):
        Limits(memory_gb=1)


def test_a_limit_of_time_puts_even_one_worker_in_a_process_of_its_own():
    limited = map_cases(process_id, {"a": 0}, workers=1, description="p", limits=Limits(timeout_s=60))
    free = map_cases(process_id, {"a": 0}, workers=1, description="p", limits=Limits(recycle_after=5))
    assert limited[0].value != os.getpid()
    assert free[0].value == os.getpid()
