"""Reading a pickle of plain data without letting it do anything.

nnU-Net v1 keeps its plans as pickles, which can run any code when Python opens them. Here the few
instructions that plain data need are carried out one by one; no name in the file is ever imported or called,
and an instruction that would need it ends the reading.
"""

import pickletools
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

from wirsung.errors import CheckpointError
from wirsung.models.v1_checkpoint_values import UnsafePickleError, Values

MOST_BYTES = 16 * 2**20
"""Of a file; plans of a thousand cases have less than one million."""

_MARK = object()


def read_pickle(path: Path) -> Any:  # noqa: ANN401 - whatever the file holds
    """The plain data in a pickle: numbers, words, lists, tuples, dicts, sets; numpy's arrays as arrays.

    Raises:
        CheckpointError: It can't be read, is cut, is too large, or holds anything but plain data.
    """
    try:
        size = path.stat().st_size
        content = path.read_bytes() if size <= MOST_BYTES else b""
    except OSError as error:
        msg = f"{path} can't be read ({error.strerror}). nnU-Net v1 writes it beside each checkpoint."
        raise CheckpointError(msg) from error
    if size > MOST_BYTES:
        msg = f"{path} has {size} bytes, but plans have at most {MOST_BYTES}. Get the file of the plans."
        raise CheckpointError(msg)
    try:
        return plain_data(content)
    except UnsafePickleError as error:
        msg = (
            f"{path} holds {error}, so opening it could run foreign code; nothing of it was run. "
            "Ask its author for the plans that nnU-Net v1 itself wrote."
        )
        raise CheckpointError(msg) from error
    except (ValueError, LookupError, TypeError, ArithmeticError, RecursionError) as error:
        msg = f"{path} is damaged or no pickle. Copy it anew."
        raise CheckpointError(msg) from error


def plain_data(content: bytes) -> Any:  # noqa: ANN401 - whatever the bytes hold
    """The value in a pickle of plain data.

    Raises:
        UnsafePickleError: It holds what is not plain data.
        ValueError: It is damaged; LookupError and TypeError likewise.

    Example:
        >>> import pickle
        >>> plain_data(pickle.dumps({"patch_size": [32, 224, 224]}))
        {'patch_size': [32, 224, 224]}
    """
    machine = _Machine()
    for opcode, argument, _ in _instructions(content):
        if opcode == "STOP":
            return machine.result()
        machine.step(opcode, argument)
    msg = "a pickle without an end"
    raise ValueError(msg)


def _instructions(content: bytes) -> Iterator[tuple[str, Any, int | None]]:
    for opcode, argument, place in pickletools.genops(content):
        yield opcode.name, argument, place


class _Machine:
    """The stack of a pickle."""

    def __init__(self) -> None:
        self._stack: list[Any] = []
        self._memo: dict[int, Any] = {}
        self._values = Values()

    def result(self) -> Any:  # noqa: ANN401 - whatever the bytes hold
        """What the pickle leaves."""
        return self._values.checked(self._pop())

    def step(self, opcode: str, argument: Any) -> None:  # noqa: ANN401 - as genops gives it
        """Carry out one instruction.

        Raises:
            UnsafePickleError: It is none that plain data need.
        """
        if opcode in _PUSHED:
            self._stack.append(argument)
        elif opcode in _CONSTANTS:
            self._stack.append(_CONSTANTS[opcode]())
        elif opcode in _STEPS:
            _STEPS[opcode](self, argument)
        elif opcode not in _WITHOUT_EFFECT:
            msg = f"the instruction {opcode}"
            raise UnsafePickleError(msg)

    def _pop(self) -> Any:  # noqa: ANN401 - whatever lies there
        value = self._stack.pop()
        if value is _MARK:
            msg = "a mark where a value must be"
            raise ValueError(msg)
        return value

    def _above_mark(self) -> list[Any]:
        made = []
        while (value := self._stack.pop()) is not _MARK:
            made.append(value)
        return made[::-1]

    def mark(self, _: object) -> None:
        self._stack.append(_MARK)

    def drop(self, _: object) -> None:
        self._stack.pop()

    def drop_to_mark(self, _: object) -> None:
        self._above_mark()

    def double(self, _: object) -> None:
        self._stack.append(self._stack[-1])

    def remember(self, place: int | None) -> None:
        self._memo[len(self._memo) if place is None else int(place)] = self._stack[-1]

    def recall(self, place: int) -> None:
        self._stack.append(self._memo[int(place)])

    def make_list(self, _: object) -> None:
        self._stack.append(self._above_mark())

    def make_tuple(self, _: object) -> None:
        self._stack.append(tuple(self._above_mark()))

    def make_short_tuple(self, count: int) -> None:
        made = [self._pop() for _ in range(count)][::-1]
        self._stack.append(tuple(made))

    def make_dict(self, _: object) -> None:
        flat = self._above_mark()
        made = self._values.dictionary({})
        self._fill(made, flat)
        self._stack.append(made)

    def append(self, _: object) -> None:
        value = self._pop()
        self._values.items(self._stack[-1]).append(value)

    def appends(self, _: object) -> None:
        values = self._above_mark()
        self._values.items(self._stack[-1]).extend(values)

    def set_item(self, _: object) -> None:
        value, key = self._pop(), self._pop()
        self._fill(self._values.dictionary(self._stack[-1]), [key, value])

    def set_items(self, _: object) -> None:
        flat = self._above_mark()
        self._fill(self._values.dictionary(self._stack[-1]), flat)

    def add_items(self, _: object) -> None:
        values = self._above_mark()
        self._values.members(self._stack[-1]).update(map(self._values.key, values))

    def frozen_set(self, _: object) -> None:
        self._stack.append(frozenset(map(self._values.key, self._above_mark())))

    def name(self, argument: str) -> None:
        self._stack.append(self._values.symbol(*argument.split(" ", 1)))

    def name_from_stack(self, _: object) -> None:
        name, module = self._pop(), self._pop()
        self._stack.append(self._values.symbol(module, name))

    def apply(self, _: object) -> None:
        arguments, symbol = self._pop(), self._pop()
        self._stack.append(self._values.made(symbol, arguments))

    def build(self, _: object) -> None:
        state = self._pop()
        self._values.build(self._stack[-1], state)

    def _fill(self, table: dict[Any, Any], flat: list[Any]) -> None:
        if len(flat) % 2:
            msg = "a key without a value"
            raise ValueError(msg)
        for key, value in zip(flat[::2], flat[1::2], strict=True):
            table[self._values.key(key)] = value


_PUSHED = frozenset(
    [
        *("INT", "BININT", "BININT1", "BININT2", "LONG", "LONG1", "LONG4", "FLOAT", "BINFLOAT"),
        *("STRING", "BINSTRING", "SHORT_BINSTRING"),
        *("UNICODE", "BINUNICODE", "SHORT_BINUNICODE", "BINUNICODE8"),
        *("BINBYTES", "SHORT_BINBYTES", "BINBYTES8", "BYTEARRAY8"),
    ]
)
_WITHOUT_EFFECT = frozenset({"PROTO", "FRAME"})
_CONSTANTS: dict[str, Callable[[], Any]] = {
    "NONE": lambda: None,
    "NEWTRUE": lambda: True,
    "NEWFALSE": lambda: False,
    "EMPTY_LIST": list,
    "EMPTY_TUPLE": tuple,
    "EMPTY_DICT": dict,
    "EMPTY_SET": set,
}
_STEPS: dict[str, Callable[[_Machine, Any], None]] = {
    "MARK": _Machine.mark,
    "POP": _Machine.drop,
    "POP_MARK": _Machine.drop_to_mark,
    "DUP": _Machine.double,
    "PUT": _Machine.remember,
    "BINPUT": _Machine.remember,
    "LONG_BINPUT": _Machine.remember,
    "MEMOIZE": _Machine.remember,
    "GET": _Machine.recall,
    "BINGET": _Machine.recall,
    "LONG_BINGET": _Machine.recall,
    "LIST": _Machine.make_list,
    "TUPLE": _Machine.make_tuple,
    "TUPLE1": lambda machine, _: machine.make_short_tuple(1),
    "TUPLE2": lambda machine, _: machine.make_short_tuple(2),
    "TUPLE3": lambda machine, _: machine.make_short_tuple(3),
    "DICT": _Machine.make_dict,
    "APPEND": _Machine.append,
    "APPENDS": _Machine.appends,
    "SETITEM": _Machine.set_item,
    "SETITEMS": _Machine.set_items,
    "ADDITEMS": _Machine.add_items,
    "FROZENSET": _Machine.frozen_set,
    "GLOBAL": _Machine.name,
    "STACK_GLOBAL": _Machine.name_from_stack,
    "REDUCE": _Machine.apply,
    "BUILD": _Machine.build,
}
