"""The fakes of the sources, for every test of importing."""

import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)
if HERE not in sys.path:  # the test modules import them when they are collected
    sys.path.insert(0, HERE)

from source_fakes import FAKES  # noqa: E402


@pytest.fixture
def fake():
    """The fake of a source by its name."""
    by_name = {item.source: item for item in reversed(FAKES)}
    return by_name.__getitem__
