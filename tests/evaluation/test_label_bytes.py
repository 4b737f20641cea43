import numpy as np
import pytest

from wirsung.evaluation.label_bytes import label_bytes


def test_bytes_in_c_order_are_not_copied():
    voxels = np.zeros((2, 3, 4), np.uint8)
    maps = label_bytes(voxels, voxels)
    assert np.shares_memory(maps.reference, voxels)
    assert not maps.turned


def test_bytes_in_fortran_order_are_read_as_their_transpose_without_a_copy():
    voxels = np.zeros((2, 3, 4), np.uint8, order="F")
    maps = label_bytes(voxels, voxels)
    assert np.shares_memory(maps.prediction, voxels)
    assert maps.turned
    assert maps.reference.shape == (4, 3, 2)


def test_nothing_can_be_written():
    maps = label_bytes(*(np.zeros((2, 3, 4), np.int32) for _ in range(2)))
    with pytest.raises(ValueError, match="read-only"):
        maps.reference[0, 0, 0] = 1


def test_counts_are_given_by_value_again():
    one = np.array([[[0, 300, 40000]]], np.uint16)
    maps = label_bytes(one, one[..., ::-1])
    counts = np.zeros((256, 256), np.int64)
    np.add.at(counts, (maps.reference, maps.prediction), 1)
    found = maps.by_value(counts)
    assert found.shape == (40001, 40001)
    assert (found[0, 40000], found[300, 300], found[40000, 0]) == (1, 1, 1)


def test_shapes_that_differ_are_refused():
    with pytest.raises(ValueError, match=r"shape \(1, 1, 2\) and the prediction \(1, 1, 3\)"):
        label_bytes(np.zeros((1, 1, 2), np.uint8), np.zeros((1, 1, 3), np.uint8))
