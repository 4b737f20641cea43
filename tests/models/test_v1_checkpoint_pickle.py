"""Pickles read without running them, against pickle itself where they are harmless."""

import collections
import contextlib
import os
import pickle
import pickletools
import subprocess
import sys

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.errors import CheckpointError
from wirsung.models import v1_checkpoint_pickle
from wirsung.models.v1_checkpoint_pickle import plain_data, read_pickle
from wirsung.models.v1_checkpoint_values import UnsafePickleError

PROTOCOLS = range(pickle.HIGHEST_PROTOCOL + 1)
_KEYS = st.none() | st.booleans() | st.integers(-(2**70), 2**70) | st.text(max_size=5) | st.binary(max_size=5)
_VALUES = st.recursive(
    _KEYS | st.floats(allow_nan=False) | st.frozensets(_KEYS, max_size=3) | st.sets(_KEYS, max_size=3),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.lists(inner, max_size=4).map(tuple)
        | st.dictionaries(_KEYS, inner, max_size=4)
        | st.dictionaries(_KEYS, inner, max_size=4).map(collections.OrderedDict)
    ),
    max_leaves=12,
)


@pytest.mark.parametrize("protocol", PROTOCOLS)
@given(value=_VALUES)
def test_plain_data_come_back_as_pickle_gives_them(protocol, value):
    made = plain_data(pickle.dumps(value, protocol))
    assert made == value
    assert made == plain_data(pickletools.optimize(pickle.dumps(value, protocol)))


@pytest.mark.parametrize("protocol", range(5))
@pytest.mark.parametrize(
    "array",
    [
        np.arange(6, dtype=">i2").reshape(2, 3),
        np.asfortranarray(np.random.default_rng(0).random((3, 2))),
        np.array([True, False]),
        np.array(["NYU", "MCF"]),
        np.zeros((0, 3), np.float32),
        np.array(1.5),
    ],
)
def test_numpys_arrays_come_back(protocol, array):
    made = plain_data(pickle.dumps({"a": array}, protocol))["a"]
    assert np.array_equal(made, array)
    assert made.shape == array.shape


@pytest.mark.parametrize("protocol", range(5))
def test_numpys_numbers_come_back_as_pythons(protocol):
    values = [np.float64(1.09375), np.int64(-3), np.bool_(True), np.float32(0.5), np.str_("x")]
    made = plain_data(pickle.dumps(values, protocol))
    assert made == [1.09375, -3, True, 0.5, "x"]
    assert [type(item) for item in made] == [float, int, bool, float, str]
    assert plain_data(pickle.dumps(np.array([1, "a", None], dtype=object), protocol)) == [1, "a", None]


def test_names_of_numpy_1_are_known():
    content = pickle.dumps(np.arange(3), 2).replace(b"numpy._core.multiarray", b"numpy.core.multiarray")
    assert b"numpy.core.multiarray" in content
    assert plain_data(content).tolist() == [0, 1, 2]


def test_what_is_named_twice_is_read_once_and_a_list_in_itself_is_refused():
    shared = [1]
    assert plain_data(pickle.dumps([shared, shared])) == [[1], [1]]
    shared.append(shared)
    with pytest.raises(ValueError, match="too deep or too large"):
        plain_data(pickle.dumps(shared))


class _Calls:
    """Pickles as a call."""

    def __init__(self, function, *arguments):
        self.call = function, arguments

    def __reduce__(self):
        return self.call


def _payloads(touched):
    """Pickles that would create the file if Python opened them."""
    command = f"{sys.executable} -c \"open(r'{touched}', 'w')\""
    source = f"open({str(touched)!r}, 'w').close()".encode()
    system = _Calls(os.system, command)
    yield "system", pickle.dumps(system)
    yield "popen", pickle.dumps(_Calls(subprocess.Popen, [sys.executable, "-c", source.decode()]))
    yield "eval", pickle.dumps(_Calls(eval, source.decode()))
    yield "nested", pickle.dumps({"plans": [(1, {"x": [system]})]})
    yield "ordered", pickle.dumps(collections.OrderedDict(plans=system))
    yield "object array", pickle.dumps(np.array([system, 1], dtype=object))
    yield "getattr", pickle.dumps(_Calls(getattr, _Calls(__import__, "os"), "system"))
    for protocol in range(5):
        yield f"protocol {protocol}", pickle.dumps(system, protocol)
    end = b"X%s%s" % (len(command).to_bytes(4, "little"), command.encode())
    yield "stack global", b"\x80\x04\x8c\x02os\x8c\x06system\x93" + end + b"\x85R."
    yield "renamed by memo", b"\x80\x04\x8c\x06system\x94\x8c\x02os\x94h\x01h\x00\x93" + end + b"\x85R."
    yield "name without a call", b"\x80\x02cos\nsystem\n."
    yield "kept in the memo", b"\x80\x02cos\nsystem\nq\x000h\x00" + end + b"\x85R."
    yield "inst", b"(X%s%sios\nsystem\n." % (len(command).to_bytes(4, "little"), command.encode())
    yield "obj", b"(cos\nsystem\n" + end + b"o."
    yield "newobj", b"\x80\x02cos\nsystem\n" + end + b"\x85\x81."
    yield "extension", b"\x80\x02\x82\x01."
    yield "persistent", b"Pos.system\n."
    yield "dotted", b"\x80\x04\x8c\x05numpy\x8c\x0edtype.__init__\x93" + end + b"\x85R."
    yield "state of a name", b"\x80\x02cnumpy\ndtype\n}X\x01\x00\x00\x00aX\x01\x00\x00\x00bsb."
    yield "call of a class only named", b"\x80\x02cnumpy\nndarray\n(K\x01K\x01tR."
    yield "call of a call", b"\x80\x02ccollections\nOrderedDict\n)R)R."


def test_each_payload_is_refused_and_none_is_run(tmp_path):
    touched = tmp_path / "touched"
    for number, (name, content) in enumerate(_payloads(touched)):
        path = tmp_path / f"{number}.pkl"
        path.write_bytes(content)
        with pytest.raises(UnsafePickleError):
            plain_data(content)
        with pytest.raises(CheckpointError, match="could run foreign code; nothing of it was run"):
            read_pickle(path)
        assert not touched.exists(), name


def test_the_payloads_are_real(tmp_path):
    """Python itself runs the first of them."""
    touched = tmp_path / "touched"
    pickle.loads(dict(_payloads(touched))["system"])
    assert touched.exists()


@pytest.mark.parametrize(
    "content",
    [
        b"",
        b".",
        b"no pickle",
        pickle.dumps({"a": [1, 2]})[:-3],
        b"\x80\x02K\x01K\x02s.",
        b"\x80\x02]K\x01K\x02s.",
        b"\x80\x02(K\x01d.",
        b"\x80\x02h\x05.",
        b"\x80\x02(a.",
        b"\x80\x02}]K\x01s.",
    ],
)
def test_damaged_pickles_are_said_to_be_damaged(content, tmp_path):
    path = tmp_path / "plans.pkl"
    path.write_bytes(content)
    with pytest.raises(CheckpointError, match="damaged or no pickle"):
        read_pickle(path)


_HARMLESS = pickle.dumps({"a": [1, (2.0, "b")], "c": np.arange(3), "d": {1, 2}, "e": np.float64(3)})


@given(
    protocol=st.integers(0, 4),
    changes=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=4),
    kept=st.integers(0, 400),
)
def test_whatever_the_bytes_nothing_but_a_plain_refusal_comes(protocol, changes, kept):
    content = bytearray(pickle.dumps(pickle.loads(_HARMLESS), protocol)[:kept])
    for place, byte in changes:
        if place < len(content):
            content[place] = byte
    with contextlib.suppress(UnsafePickleError, ValueError, LookupError, TypeError, RecursionError):
        plain_data(bytes(content))


def _array_state(shape, content):
    dtype = b"cnumpy\ndtype\n(X\x02\x00\x00\x00f8\x89\x88tR(K\x03X\x01\x00\x00\x00<NNNK\xff" + b"K\xffK\x00tb"
    start = b"\x80\x02cnumpy.core.multiarray\n_reconstruct\n(cnumpy\nndarray\nK\x00\x85C\x01bt" + b"R"
    return start + b"(K\x01" + shape + dtype + b"\x89" + content + b"tb."


@pytest.mark.parametrize(
    "content",
    [
        _array_state(b"J\xff\xff\xff\x7f\x85", b"C\x00"),  # two thousand million numbers
        _array_state(b"K\x02\x85", b"C\x08" + b"\0" * 8),
        _array_state(b"K\x02\x85", b"J\x00\x00\x00\x7f"),  # bytes(2130706432) would take as many
        b"\x80\x02]" + b"q\x00" + b"".join(b"]q%c(h%ch%ce" % (n, n - 1, n - 1) for n in range(1, 60)) + b".",
        b"\x80\x02)"
        + b"q\x00"
        + b"".join(b"h%ch%c\x86q%c" % (n - 1, n - 1, n) for n in range(1, 60))
        + b"K\x01}h\x3bK\x01s.",
    ],
    ids=["huge array", "short array", "length for bytes", "doubled lists", "doubled key"],
)
def test_a_small_file_can_not_ask_for_much_memory(content):
    with pytest.raises((ValueError, TypeError)):
        plain_data(content)


def test_a_far_place_in_the_memo_costs_nothing():
    assert plain_data(b"\x80\x02K\x01r\xff\xff\xff\x7f0j\xff\xff\xff\x7f\x85.") == (1,)


def test_a_file_that_is_too_large_or_missing_is_said_so(tmp_path, monkeypatch):
    path = tmp_path / "plans.pkl"
    with pytest.raises(CheckpointError, match="can't be read"):
        read_pickle(path)
    path.write_bytes(pickle.dumps(list(range(100))))
    assert read_pickle(path) == list(range(100))
    monkeypatch.setattr(v1_checkpoint_pickle, "MOST_BYTES", 100)
    with pytest.raises(CheckpointError, match="plans have at most 100"):
        read_pickle(path)
