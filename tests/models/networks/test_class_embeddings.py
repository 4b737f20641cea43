"""Class embeddings as files and as the fixed table."""

import io
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.networks.class_embeddings import (
    ClassEmbeddings,
    orthonormal_codes,
    read_class_embeddings,
    write_class_embeddings,
)


def _table():
    rng = np.random.default_rng(0)
    names = ("background", "pancreas", "pancreatic_lesion")
    return ClassEmbeddings({name: rng.normal(size=8).astype(np.float32) for name in names}, "of a test")


def _same(one, other):
    return set(one.vectors) == set(other.vectors) and all(
        np.array_equal(one.vectors[name], other.vectors[name]) for name in one.vectors
    )


def test_a_safetensors_file_gives_back_what_was_written(tmp_path):
    write_class_embeddings(tmp_path / "codes.safetensors", _table())
    found = read_class_embeddings(tmp_path / "codes.safetensors")
    assert _same(found, _table())
    assert found.origin == "of a test"
    assert found.width == 8


def test_an_npz_of_one_array_a_name_is_read(tmp_path):
    rows = {name: row.astype(np.float64) for name, row in _table().vectors.items()}
    np.savez(tmp_path / "codes.npz", **rows)
    assert _same(read_class_embeddings(tmp_path / "codes.npz"), _table())


class _Payload:
    """Would write a file if it were unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return (open, (str(self.path), "w"))


def test_a_pickle_in_the_file_is_refused_without_being_run(tmp_path):
    array = np.empty(1, object)
    array[0] = _Payload(tmp_path / "ran")
    np.savez(tmp_path / "codes.npz", liver=array)
    with pytest.raises(CheckpointError, match="more than arrays of numbers, which is refused"):
        read_class_embeddings(tmp_path / "codes.npz")
    (tmp_path / "plain.npz").write_bytes(pickle.dumps(_Payload(tmp_path / "ran")))
    with pytest.raises(CheckpointError, match="damaged"):
        read_class_embeddings(tmp_path / "plain.npz")
    np.save(tmp_path / "array.npy", np.ones(3))
    (tmp_path / "array.npy").rename(tmp_path / "array.npz")
    with pytest.raises(CheckpointError, match="damaged"):
        read_class_embeddings(tmp_path / "array.npz")
    assert not (tmp_path / "ran").exists()


@pytest.mark.parametrize("suffix", [".npz", ".safetensors"])
def test_a_truncated_file_is_refused(tmp_path, suffix):
    path = tmp_path / f"codes{suffix}"
    if suffix == ".npz":
        np.savez(path, **_table().vectors)
    else:
        write_class_embeddings(path, _table())
    whole = path.read_bytes()
    for size in (0, 7, len(whole) // 2, len(whole) - 3):
        path.write_bytes(whole[:size])
        with pytest.raises(CheckpointError, match="is damaged"):
            read_class_embeddings(path)


def test_another_kind_of_file_and_a_missing_one_are_refused(tmp_path):
    (tmp_path / "codes.pt").write_bytes(b"")
    with pytest.raises(CheckpointError, match=r"neither .safetensors nor .npz"):
        read_class_embeddings(tmp_path / "codes.pt")
    with pytest.raises(CheckpointError, match="is missing"):
        read_class_embeddings(tmp_path / "none.npz")
    with pytest.raises(ConfigError, match=r"written as .safetensors, not as .npz"):
        write_class_embeddings(tmp_path / "codes.npz", _table())


@pytest.mark.parametrize(
    ("vectors", "message"),
    [
        ({"a": np.ones(3), "b": np.ones(4)}, r"one width, but have the shapes \[\(3,\), \(4,\)\]"),
        ({"a": np.ones((2, 3))}, "one width"),
        ({}, "one width"),
        ({"a": np.ones(3), "b": np.zeros(3)}, "'b' is zero or not finite"),
        ({"a": np.array([1.0, np.nan])}, "'a' is zero or not finite"),
    ],
)
def test_what_are_no_vectors_of_one_width_is_refused(vectors, message):
    with pytest.raises(ConfigError, match=message):
        ClassEmbeddings({name: np.asarray(row, np.float32) for name, row in vectors.items()})


def test_codes_come_in_the_order_asked_for_and_an_unknown_class_names_near_ones():
    table = _table()
    found = np.array(table.codes(["pancreatic_lesion", "background"]))
    np.testing.assert_allclose(found[0], table.vectors["pancreatic_lesion"], rtol=1e-5)
    np.testing.assert_allclose(found[1], table.vectors["background"], rtol=1e-5)
    with pytest.raises(
        ConfigError, match=r"embedding of 'pancreatic_lesions'. Did you mean pancreatic_lesion"
    ):
        table.codes(["pancreatic_lesions"])


@given(width=st.sampled_from([2, 8, 64, 512]), data=st.data())
def test_the_fixed_table_is_orthonormal_and_a_longer_one_begins_with_a_shorter(width, data):
    classes = data.draw(st.integers(1, min(width - 1, 40)))
    codes = orthonormal_codes(classes, width)
    np.testing.assert_allclose(codes @ codes.T, np.eye(classes), atol=1e-6)
    assert np.array_equal(orthonormal_codes(1, width), codes[:1])


def test_the_fixed_table_is_scipys_hadamard_matrix_without_its_first_row():
    from scipy.linalg import hadamard

    np.testing.assert_allclose(orthonormal_codes(30, 64) * 8, hadamard(64)[1:31])


@pytest.mark.parametrize(("classes", "width"), [(512, 512), (3, 100), (0, 8)])
def test_a_fixed_table_that_can_not_be_is_refused(classes, width):
    with pytest.raises(ConfigError, match=f"can't give {classes} classes {width} numbers each"):
        orthonormal_codes(classes, width)


def test_a_file_is_no_pickle(tmp_path):
    write_class_embeddings(tmp_path / "codes.safetensors", _table())
    with pytest.raises(pickle.UnpicklingError):
        pickle.load(io.BytesIO((tmp_path / "codes.safetensors").read_bytes()))
