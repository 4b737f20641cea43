"""The examples in the docstrings hold."""

import doctest
import importlib
import pkgutil

import pytest

import wirsung

NEED_TORCH = {"torch", "nnunetv2", "monai", "safetensors", "blosc2"}
"""Extras; a module that needs one is skipped where it is not installed, and tested where it is."""


def module_names():
    return sorted(
        item.name
        for item in pkgutil.walk_packages(wirsung.__path__, "wirsung.")
        if not item.name.endswith("__main__")
    )


@pytest.mark.parametrize("name", module_names())
def test_every_example_holds(name):
    try:
        module = importlib.import_module(name)
    except ModuleNotFoundError as error:
        if (error.name or "").split(".")[0] not in NEED_TORCH:
            raise
        pytest.skip(f"{error.name} is not installed")
    result = doctest.testmod(module, optionflags=doctest.NORMALIZE_WHITESPACE | doctest.ELLIPSIS)
    assert result.failed == 0
