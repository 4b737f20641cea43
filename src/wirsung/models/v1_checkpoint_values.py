"""The values that a pickle of plain data may hold beyond Python's own: numpy's arrays, numbers and types.

A pickle names functions that would make them. Here such a name is a word on a list, and what it stands for is
made by hand, with lengths checked first, so that no file can ask for more memory than it has bytes.
"""

import math
import re
from collections.abc import Callable
from typing import Any

import numpy as np

Symbol = tuple[str, str]
"""Module and name; never imported."""

_DTYPE = re.compile(r"[|<>=]?([biuf][1248]|f16|b1|[SU][0-9]{1,4}|O8?)")
_ARRAY_MODULES = ("numpy.core.multiarray", "numpy._core.multiarray")
_LONGEST_ARRAY = 2**24
"""Entries."""
_MOST_VALUES = 2**22
"""Visited in the end; a file can name one list many times over in another."""
_DEEPEST = 50


class UnsafePickleError(Exception):
    """The pickle holds what is not plain data."""


class Pending:
    """An array, a type or an ordered dict that the pickle is still filling."""

    def __init__(self, kind: str, value: Any = None) -> None:  # noqa: ANN401 - depends on the kind
        self.kind = kind
        self.value = value


class Values:
    """What a pickle's machine may make."""

    def __init__(self) -> None:
        self._left = _MOST_VALUES

    def symbol(self, module: object, name: object) -> Symbol:
        """The name, if it is on the list.

        Raises:
            UnsafePickleError: It is not.
        """
        if not isinstance(module, str) or not isinstance(name, str):
            msg = "a name that is no word"
            raise UnsafePickleError(msg)
        symbol = (_RENAMED.get(module, module), name)
        if symbol not in _MAKERS and symbol not in _NAMED_ONLY:
            msg = f"the name {module[:40]}.{name[:40]}"
            raise UnsafePickleError(msg)
        return symbol

    def made(self, symbol: object, arguments: object) -> Any:  # noqa: ANN401 - depends on the symbol
        """What the function of that name would make.

        Raises:
            UnsafePickleError: It is no function on the list.
        """
        if not isinstance(symbol, tuple) or symbol not in _MAKERS or not isinstance(arguments, tuple):
            msg = "a call of what is not on the list"
            raise UnsafePickleError(msg)
        return _MAKERS[symbol](*arguments)

    def build(self, target: object, state: object) -> None:
        """Fill an array or a type.

        Raises:
            UnsafePickleError: The target is anything else.
        """
        if not isinstance(target, Pending) or target.kind not in ("array", "dtype"):
            msg = "a state for what has none"
            raise UnsafePickleError(msg)
        if not isinstance(state, tuple):
            msg = "a state that is no tuple"
            raise TypeError(msg)
        if target.kind == "dtype":
            target.value = np.dtype(target.value).newbyteorder(_byte_order(state[1]))
        else:
            target.value = _array(state)

    def items(self, target: object) -> list[Any]:
        """A list that can be lengthened."""
        if not isinstance(target, list):
            msg = "no list"
            raise TypeError(msg)
        return target

    def members(self, target: object) -> set[Any]:
        """A set that can be enlarged."""
        if not isinstance(target, set):
            msg = "no set"
            raise TypeError(msg)
        return target

    def dictionary(self, target: object) -> dict[Any, Any]:
        """A dict that can be filled."""
        if isinstance(target, Pending) and target.kind == "dict":
            target = target.value
        if not isinstance(target, dict):
            msg = "no dict"
            raise TypeError(msg)
        return target

    def key(self, value: object) -> Any:  # noqa: ANN401 - whatever can be a key
        """A value that may be a key: a number, a word or a tuple of them."""
        parts = value if isinstance(value, tuple) else (value,)
        # No tuples in tuples: their hash visits one as often as it is named, which may be without end.
        if all(part is None or isinstance(part, str | bytes | int | float) for part in parts):
            return value
        msg = "a key that is neither number nor word"
        raise TypeError(msg)

    def checked(self, value: Any, depth: int = 0) -> Any:  # noqa: ANN401 - whatever the pickle holds
        """The value with finished arrays, rebuilt so that nothing of the machine's remains.

        Raises:
            ValueError: It is too deep or too large, holds itself, or something unfinished.
        """
        self._left -= 1
        if depth > _DEEPEST or self._left < 0:
            msg = "a value too deep or too large"
            raise ValueError(msg)
        if isinstance(value, Pending):
            return self._finished(value, depth)
        if isinstance(value, dict):
            return {key: self.checked(item, depth + 1) for key, item in value.items()}
        if isinstance(value, list):
            return [self.checked(item, depth + 1) for item in value]
        if isinstance(value, tuple):
            return tuple(self.checked(item, depth + 1) for item in value)
        return value

    def _finished(self, value: Pending, depth: int) -> Any:  # noqa: ANN401 - depends on the kind
        if value.value is None:
            msg = f"an unfinished {value.kind}"
            raise ValueError(msg)
        if value.kind == "array" and isinstance(value.value, list):
            return self.checked(value.value, depth + 1)
        return self.checked(value.value, depth + 1) if value.kind == "dict" else value.value


def _byte_order(order: object) -> Any:  # noqa: ANN401 - numpy's own literal type
    if order not in ("<", ">", "|", "="):
        msg = "an unknown order of bytes"
        raise ValueError(msg)
    return order


def _array(state: tuple[Any, ...]) -> Any:  # noqa: ANN401 - an array, or for objects a list
    """The array of numpy's own state: version, shape, type, order, bytes."""
    _, shape, kind, fortran, content = state
    dtype = _dtype_of(kind)
    count = math.prod(int(size) for size in shape)
    if count > _LONGEST_ARRAY or any(int(size) < 0 for size in shape):
        msg = "an array too large"
        raise ValueError(msg)
    if dtype.hasobject:
        return list(content)
    raw = content.encode("latin1") if isinstance(content, str) else content
    if not isinstance(raw, bytes | bytearray) or len(raw) != count * dtype.itemsize:
        msg = "an array of another length than its shape"
        raise ValueError(msg)
    if not dtype.itemsize:
        return np.zeros(shape, dtype)
    return np.frombuffer(raw, dtype).reshape(shape, order="F" if fortran else "C").copy()


def _dtype_of(value: object) -> np.dtype[Any]:
    if not isinstance(value, Pending) or value.kind != "dtype":
        msg = "no type"
        raise TypeError(msg)
    found: np.dtype[Any] = np.dtype(value.value)
    return found


def _new_array(_: object, __: object, ___: object) -> Pending:
    return Pending("array")


def _new_dtype(name: object, *_: object) -> Pending:
    if not isinstance(name, str) or not _DTYPE.fullmatch(name):
        msg = "a type that is no number and no word"
        raise TypeError(msg)
    return Pending("dtype", name)


def _scalar(kind: object, content: object = b"") -> Any:  # noqa: ANN401 - a number or a word
    if not isinstance(content, bytes | str):
        msg = "a number without bytes"
        raise TypeError(msg)
    return _array((1, (1,), kind, False, content))[0].item()


def _encoded(text: object, encoding: object = "latin1") -> bytes:
    if not isinstance(text, str) or encoding not in ("latin1", "latin-1", "utf-8"):
        msg = "bytes from no text"
        raise TypeError(msg)
    return text.encode(encoding)


def _ordered(pairs: object = ()) -> Pending:
    if not isinstance(pairs, list | tuple):
        msg = "an ordered dict from no list"
        raise TypeError(msg)
    return Pending("dict", {Values().key(key): value for key, value in pairs})


def _set(values: object = ()) -> set[Any]:
    if not isinstance(values, list | tuple):
        msg = "a set from no list"
        raise TypeError(msg)
    return set(map(Values().key, values))


_RENAMED = {"__builtin__": "builtins"}
_NAMED_ONLY = frozenset({("numpy", "ndarray")})
_MAKERS: dict[Symbol, Callable[..., Any]] = {
    ("collections", "OrderedDict"): _ordered,
    ("builtins", "set"): _set,
    ("builtins", "frozenset"): lambda values=(): frozenset(_set(values)),
    ("builtins", "bytes"): lambda: b"",
    ("numpy", "dtype"): _new_dtype,
    ("_codecs", "encode"): _encoded,
    **{(module, "_reconstruct"): _new_array for module in _ARRAY_MODULES},
    **{(module, "scalar"): _scalar for module in _ARRAY_MODULES},
}
