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
    return cast(Callable[_Arguments, _Result], numba.njit(cache=True, nogil=True)(function))
