from dataclasses import replace

import pytest
import torch

from wirsung.training.experiments.token_call import KINDS, Call, attend, measure_call

CALL = Call("linear", 64, 16, 2, 3, "cpu")


def test_both_exact_kinds_give_the_same():
    query, key, value = torch.randn(3, 1, 2, 20, 8, generator=torch.Generator().manual_seed(0))
    torch.testing.assert_close(attend("softmax", query, key, value), attend("textbook", query, key, value))


@pytest.mark.parametrize("kind", KINDS)
def test_a_call_has_a_time_for_each_repeat(kind):
    found = measure_call(replace(CALL, kind=kind))
    assert len(found.seconds) == 3
    assert min(found.seconds) > 0
    assert found.reason == ""


def test_a_matrix_that_would_not_fit_is_not_tried():
    found = measure_call(replace(CALL, kind="textbook", tokens=10_000_000))
    assert found.seconds == ()
    assert "its matrices of weights would take" in found.reason
