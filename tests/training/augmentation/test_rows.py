"""Changing some rows in place."""

import pytest
import torch

from wirsung.training.augmentation.rows import chosen, per_row


@pytest.mark.parametrize("picked", [(2,), (0, 3), (3, 1, 0)])
def test_only_the_chosen_rows_change_each_in_its_own_way(picked):
    rows = torch.zeros(4, 2, 2, 2)
    with chosen(rows, picked) as some:
        some += per_row([1.0 + row for row in picked], some)
    expected = [1.0 + row if row in picked else 0.0 for row in range(4)]
    assert rows[:, 0, 0, 0].tolist() == rows[:, 1, 1, 1].tolist() == expected
