"""Functions compiled to machine code when first called, and kept on disk for the next process."""

from collections.abc import Callable
from typing import ParamSpec, TypeVar, cast

import numba

_Arguments = ParamSpec("_Arguments")
_Result = TypeVar("_Result")


def compiled(function: Callable[_Arguments, _Result]) -> Callable[_Arguments, _Result]:
    """The function, compiled by numba for each combination of array types that it meets.

    It runs without Python's lock, so other threads go on meanwhile.
    """
    try:
        made = numba.njit(cache=True, nogil=True)(function)
    except RuntimeError:  # No folder can be written, so each process compiles anew.
        made = numba.njit(nogil=True)(function)
    return cast(Callable[_Arguments, _Result], made)
