import torch

from wirsung.models.rates import Rates, measure_rates
from wirsung.models.tracing import Work


def test_an_operation_takes_the_longer_of_computing_and_moving():
    rates = Rates(flops=100.0, moved=10.0)
    assert rates.seconds([Work(100, 5)]) == 1.0
    assert rates.seconds([Work(10, 20)]) == 2.0
    assert rates.seconds([]) == 0.0


def test_a_device_does_some_operations_a_second():
    rates = measure_rates(torch.device("cpu"), size=8)
    assert rates.flops > 0
    assert rates.moved > 0
