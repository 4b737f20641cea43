"""Mirroring."""

import torch

from wirsung.training.augmentation.mirroring import mirror


def test_all_arrays_are_mirrored_along_the_axes():
    image, labels = torch.arange(8.0).view(1, 2, 2, 2), torch.arange(8).view(1, 2, 2, 2)
    mirror((image, labels), (0, 2))
    assert image.flatten().tolist() == labels.flatten().tolist() == [5, 4, 7, 6, 1, 0, 3, 2]


def test_without_axes_nothing_is_mirrored():
    image = torch.arange(8.0).view(1, 2, 2, 2)
    mirror((image,), ())
    assert image.flatten().tolist() == list(range(8))
