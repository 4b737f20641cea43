"""Labels between voxels, by hand and against the argmax of every label's interpolated indicator."""

import pytest
import torch
from torch.nn.functional import grid_sample

from wirsung.training.augmentation.labels import labels_at


def outlined(labels, beyond=-1):
    """Label maps (z, y, x) with the voxels beyond, as one sample of one channel."""
    made = torch.full([size + 2 for size in labels.shape], beyond, dtype=torch.int16)
    made[tuple(slice(1, -1) for _ in labels.shape)] = labels
    return made[None, None]


def at(points, labels):
    """The labels at points (point, axis)."""
    where = torch.tensor(points).T[None, :, :, *[None] * (labels.ndim - 1)]
    return labels_at(where, outlined(labels)).flatten().tolist()


ROW = torch.tensor([[1, 1, 2, 3, 3]], dtype=torch.int16)


def test_between_two_labels_the_nearer_wins():
    assert at([(0.0, 1.4), (0.0, 1.6), (0.0, 2.6)], ROW) == [1, 2, 3]


def test_exactly_between_two_labels_the_nearest_voxel_by_even_rounding_wins():
    # 1.5 rounds to 2, and 2.5 to 2 as well, as in torch's grid_sample.
    assert at([(0.0, 1.5), (0.0, 2.5)], ROW) == [2, 2]


def test_half_a_voxel_beyond_the_border_another_label_begins():
    assert at([(0.0, -0.4), (0.0, -0.6), (-7.0, 2.0), (0.3, 99.0)], ROW) == [1, -1, -1, -1]


def test_two_weak_voxels_of_one_label_beat_a_strong_one():
    labels = torch.tensor([[5, 2], [2, 3]], dtype=torch.int16)
    # Weights 0.36, 0.24 + 0.24 and 0.16.
    assert at([(0.4, 0.4)], labels) == [2]


@pytest.mark.parametrize("shape", [(9, 8, 7), (11, 10)])
def test_the_label_is_the_highest_interpolated_indicator(shape):
    random = torch.Generator().manual_seed(3)
    labels = torch.randint(0, 5, shape, generator=random, dtype=torch.int16)
    axes = len(shape)
    where = torch.rand((1, axes, *[12] * axes), generator=random)
    where = where * torch.tensor(shape).view(-1, *[1] * axes) - 0.5
    sizes = torch.tensor(shape).view(-1, *[1] * axes)
    grid = ((where * 2 + 1) / sizes - 1).flip(1).movedim(1, -1)
    indicators = torch.stack([(labels == value).float() for value in range(5)])[None]
    padded = grid_sample(indicators, grid, padding_mode="zeros", align_corners=False)
    outside = 1 - padded.sum(1, keepdim=True)
    scores = torch.cat((outside, padded), 1)
    made = labels_at(where, outlined(labels))
    best, second = scores.topk(2, 1).values.unbind(1)
    clear = best - second > 2e-3  # nearer ones are ties in half precision
    assert clear.float().mean() > 0.97
    assert torch.equal(made[0][clear], (scores.argmax(1) - 1)[clear].to(torch.int16))
