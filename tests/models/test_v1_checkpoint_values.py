"""What may be made of a pickle's names."""

import numpy as np
import pytest

from wirsung.models.v1_checkpoint_values import Pending, UnsafePickleError, Values

DTYPE = ("numpy", "dtype")


@pytest.mark.parametrize(
    ("module", "name"),
    [
        ("os", "system"),
        ("builtins", "eval"),
        ("numpy", "load"),
        ("numpy.core.multiarray", "fromfile"),
        ("collections", "OrderedDict.fromkeys"),
        (("collections", "OrderedDict"), "OrderedDict"),
    ],
)
def test_only_names_on_the_list_are_taken(module, name):
    with pytest.raises(UnsafePickleError):
        Values().symbol(module, name)
    assert Values().symbol("__builtin__", "set") == ("builtins", "set")


@pytest.mark.parametrize("name", ["V8", "f8,f8", "m8", "c16", "U99999999999", "", "O9", 3])
def test_types_are_of_numbers_and_words_only(name):
    with pytest.raises(TypeError, match="no number and no word"):
        Values().made(DTYPE, (name, False, True))


def test_an_array_is_made_of_its_state():
    values = Values()
    kind = values.made(DTYPE, ("i2", False, True))
    values.build(kind, (3, ">", None, None, None, -1, -1, 0))
    array = values.made(("numpy.core.multiarray", "_reconstruct"), (("numpy", "ndarray"), (0,), b"b"))
    values.build(array, (1, (2, 2), kind, True, b"\0\1\0\2\0\3\0\4"))
    made = values.checked({"a": (array,)})["a"][0]
    assert made.tolist() == [[1, 3], [2, 4]]
    made[0, 0] = 5  # its own memory


@pytest.mark.parametrize(
    ("shape", "content"),
    [((3,), b"\0" * 8), ((-1, -1), b"\0" * 8), ((2**40,), b""), ((1,), 8), ((1,), None)],
)
def test_an_array_must_have_as_many_bytes_as_its_shape_says(shape, content):
    values = Values()
    kind, array = Pending("dtype", "f8"), Pending("array")
    with pytest.raises(ValueError, match=r"another length|too large"):
        values.build(array, (1, shape, kind, False, content))


def test_an_unfinished_array_and_a_state_of_something_else_are_refused():
    with pytest.raises(ValueError, match="an unfinished array"):
        Values().checked([Pending("array")])
    for target in ({}, [], Pending("dict", {}), "word"):
        with pytest.raises(UnsafePickleError, match="a state for what has none"):
            Values().build(target, ({},))
    with pytest.raises(UnsafePickleError, match="a call of what is not on the list"):
        Values().made(("numpy", "ndarray"), ((1000,),))


def test_keys_are_numbers_and_words():
    values = Values()
    assert [values.key(item) for item in (1, "a", None, (1, "b"))] == [1, "a", None, (1, "b")]
    for item in ([], Pending("dict", {}), ((1,),), np.zeros(1)):
        with pytest.raises(TypeError, match="neither number nor word"):
            values.key(item)


def test_lists_sets_and_dicts_are_not_confused():
    values = Values()
    assert values.dictionary(Pending("dict", made := {})) is made
    for ask in (values.items, values.members, values.dictionary):
        with pytest.raises(TypeError):
            ask("word")
