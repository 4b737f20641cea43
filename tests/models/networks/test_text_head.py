"""The text-conditioned head, held against one convolution a class."""

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch.nn.functional import conv3d

from wirsung.models.networks.text_head import TextHead, class_logits

torch.set_num_threads(1)


def _explicit(features, weights):
    """One case and one class at a time, by three convolutions of 1 x 1 x 1."""
    answers = torch.zeros(len(features), weights.shape[1], *features.shape[2:], dtype=features.dtype)
    for case in range(len(features)):
        for number, row in enumerate(weights[case]):
            first, second, third = (
                row[:64].reshape(8, 8),
                row[64:128].reshape(8, 8),
                row[128:136].reshape(1, 8),
            )
            a, b, c = row[136:144], row[144:152], row[152:153]
            hidden = torch.relu(conv3d(features[case : case + 1], first[:, :, None, None, None], a))
            hidden = torch.relu(conv3d(hidden, second[:, :, None, None, None], b))
            answers[case, number] = conv3d(hidden, third[:, :, None, None, None], c)[0, 0]
    return answers


@given(cases=st.integers(1, 3), classes=st.integers(1, 5), shape=st.tuples(*[st.integers(1, 4)] * 3))
@settings(max_examples=20)
def test_the_logits_are_those_of_three_convolutions_a_class(cases, classes, shape):
    torch.manual_seed(0)
    features = torch.randn(cases, 8, *shape, dtype=torch.double)
    weights = torch.randn(cases, classes, 153, dtype=torch.double)
    found = class_logits(features.flatten(2), weights).reshape(cases, classes, *shape)
    torch.testing.assert_close(found, _explicit(features, weights))


def _head(classes_at_once=2, classes=5):
    torch.manual_seed(0)
    return TextHead(torch.randn(classes, 7), 24, [12, 16], classes_at_once).double()


def _input(cases=2):
    torch.manual_seed(1)
    maps = [torch.randn(cases, 12, 4, 6, 4), torch.randn(cases, 16, 2, 3, 2)]
    return torch.randn(cases, 24, 2, 2, 2).double(), [item.double() for item in maps]


def test_the_head_is_its_parts_put_together_by_hand():
    head = _head()
    deepest, maps = _input()
    pooled = torch.relu(torch.nn.functional.group_norm(deepest, 8, head.norm.weight, head.norm.bias)).mean(
        (2, 3, 4)
    )
    shown = pooled @ head.look.weight.T + head.look.bias
    meant = torch.relu(head.codes @ head.read.weight.T + head.read.bias)
    weights = torch.stack(
        [
            torch.stack(
                [torch.cat([one, other]) @ head.controller.weight.T + head.controller.bias for other in meant]
            )
            for one in shown
        ]
    )
    norm, _, convolution = head.reduce[0]
    reduced = convolution(torch.relu(torch.nn.functional.group_norm(maps[0], 4, norm.weight, norm.bias)))
    torch.testing.assert_close(head(deepest, maps), _explicit(reduced, weights))


@pytest.mark.parametrize("at_once", [1, 2, 3, 5, 9])
def test_how_many_classes_are_computed_at_once_changes_neither_logits_nor_gradients(at_once):
    found, gradients = [], []
    for size in (100, at_once):
        head = _head(size)
        deepest, maps = _input()
        answer = head(deepest, maps)
        answer.square().mean().backward()
        found.append(answer.detach())
        gradients.append({name: item.grad for name, item in head.named_parameters() if item.grad is not None})
    torch.testing.assert_close(found[1], found[0])
    torch.testing.assert_close(gradients[1], gradients[0])
    assert "look.weight" in gradients[0]


def test_what_is_held_for_the_way_back_does_not_grow_with_the_classes():
    def held(classes, at_once):
        head = _head(at_once, classes)
        deepest, maps = _input(1)
        sizes = {}

        def pack(tensor):
            sizes[tensor.data_ptr()] = tensor.nbytes
            return tensor

        features = head.reduce[0](maps[0]).flatten(2)
        weights = head.weights(deepest)
        with torch.autograd.graph.saved_tensors_hooks(pack, lambda tensor: tensor):
            answer = head._answer(features.unflatten(2, (4, 6, 4)), weights)
        del answer
        return sum(sizes.values()) - weights.nbytes

    assert held(32, 2) == held(8, 2)
    assert held(32, 100) > 10 * held(32, 2)


def test_a_class_more_costs_no_weights_and_changes_no_other_class():
    torch.manual_seed(0)
    codes = torch.randn(4, 7)
    few, more = TextHead(codes[:3], 24, [12], 2), TextHead(codes, 24, [12], 2)
    state = {name: item for name, item in few.state_dict().items() if name != "codes"}
    assert more.load_state_dict(state, strict=False).missing_keys == ["codes"]
    deepest, maps = (item[:1] if isinstance(item, list) else item for item in _input())
    deepest, maps = deepest.float(), [item.float() for item in maps]
    torch.testing.assert_close(more(deepest, maps)[:, :3], few(deepest, maps))


def test_classes_of_the_same_vector_get_the_same_logits():
    head = _head()
    head.codes[3] = head.codes[1]
    answer = head(*_input())
    torch.testing.assert_close(answer[:, 3], answer[:, 1])
    assert not torch.allclose(answer[:, 2], answer[:, 1])


def test_deep_supervision_answers_at_each_map():
    head = _head()
    deepest, maps = _input()
    whole = head(deepest, maps)
    head.deep_supervision = True
    answers = head(deepest, maps)
    assert [tuple(item.shape) for item in answers] == [(2, 5, 4, 6, 4), (2, 5, 2, 3, 2)]
    assert torch.equal(answers[0], whole)
