import sys
from pathlib import Path

import pytest

HERE = str(Path(__file__).parent)


@pytest.fixture(autouse=True)
def _importable_by_workers(monkeypatch):
    """Worker processes inherit this process's search path, so they find the module `misbehaving`."""
    monkeypatch.syspath_prepend(HERE)
    paths = [HERE, *filter(None, [__import__("os").environ.get("PYTHONPATH")])]
    monkeypatch.setenv("PYTHONPATH", ":".join(paths))


if HERE not in sys.path:  # the test modules import it when they are collected
    sys.path.insert(0, HERE)
