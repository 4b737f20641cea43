"""The masked loss, by hand and by its gradients."""

from math import exp, log

import pytest
import torch

from wirsung.errors import LabelError
from wirsung.models.networks.partial_labels import partial_label_loss

torch.set_num_threads(1)


def _random(cases=2, classes=3):
    torch.manual_seed(0)
    logits = torch.randn(cases, classes, 3, 4, 2, dtype=torch.double, requires_grad=True)
    return logits, (torch.rand(logits.shape) < 0.4).double()


def test_the_loss_is_that_of_a_computation_by_hand():
    """Two voxels, logits ln 3 and -ln 3 (so 3/4 and 1/4), the first true: -ln 3/4, and a Dice of 3/4."""
    logits = torch.tensor([log(3), -log(3)], dtype=torch.double).reshape(1, 1, 1, 1, 2)
    targets = torch.tensor([1.0, 0.0]).reshape(1, 1, 1, 1, 2)
    found = partial_label_loss(logits, targets, torch.tensor([[True]])).item()
    assert found == pytest.approx(-log(3 / 4) + 1 - 3 / 4, abs=1e-5)


def test_every_annotated_pair_counts_alike():
    logits, targets = _random()
    annotated = torch.tensor([[True, False, True], [False, False, True]])
    terms = []
    for case, number in ((0, 0), (0, 2), (1, 2)):
        entropy, overlap, likely, true = 0.0, 0.0, 0.0, 0.0
        values = zip(
            logits[case, number].flatten().tolist(), targets[case, number].flatten().tolist(), strict=True
        )
        for logit, target in values:
            chance = 1 / (1 + exp(-logit))
            entropy -= target * log(chance) + (1 - target) * log(1 - chance)
            overlap, likely, true = overlap + chance * target, likely + chance, true + target
        terms.append(entropy / 24 + 1 - (2 * overlap + 1e-5) / (likely + true + 1e-5))
    assert partial_label_loss(logits, targets, annotated).item() == pytest.approx(sum(terms) / 3, rel=1e-9)


def test_a_class_that_nobody_annotated_gets_no_gradient():
    logits, targets = _random()
    annotated = torch.tensor([[True, False, True], [False, False, True]])
    partial_label_loss(logits, targets, annotated).backward()
    touched = logits.grad.flatten(2).abs().sum(2) > 0
    assert torch.equal(touched, annotated)


def test_what_the_targets_hold_where_nothing_is_annotated_does_not_matter():
    logits, targets = _random()
    annotated = torch.tensor([[True, False, True], [True, True, False]])
    other = targets.clone()
    other[0, 1] = float("nan")
    other[1, 2] = 7.0
    assert partial_label_loss(logits, targets, annotated) == partial_label_loss(logits, other, annotated)


def test_where_nothing_is_annotated_the_loss_and_its_gradients_are_zero():
    logits, targets = _random()
    found = partial_label_loss(logits, targets, torch.zeros(2, 3, dtype=torch.bool))
    found.backward()
    assert found.item() == 0
    assert not logits.grad.any()


def test_the_loss_falls_to_zero_as_the_logits_become_right():
    _, targets = _random()
    annotated = torch.ones(2, 3, dtype=torch.bool)
    losses = [partial_label_loss((2 * targets - 1) * size, targets, annotated).item() for size in (1, 4, 30)]
    assert losses == sorted(losses, reverse=True)
    assert losses[-1] < 1e-6


def test_shapes_that_do_not_belong_together_are_refused():
    logits, targets = _random()
    with pytest.raises(LabelError, match=r"targets \(2, 2, 3, 4, 2\)"):
        partial_label_loss(logits, targets[:, :2], torch.ones(2, 3, dtype=torch.bool))
    with pytest.raises(LabelError, match=r"annotated \(3,\)"):
        partial_label_loss(logits, targets, torch.ones(3, dtype=torch.bool))
