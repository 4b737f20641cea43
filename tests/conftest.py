"""Fixtures that every test may use."""

import os
from pathlib import Path

import pytest
from hypothesis import settings

# No deadline: a test that is slow because the machine is busy is no failure.
# The same examples everywhere, so that a failure is of the change at hand; HYPOTHESIS=explore seeks new ones.
settings.register_profile("steady", deadline=None, derandomize=True)
settings.register_profile("explore", deadline=None, print_blob=True)
settings.load_profile(os.environ.get("HYPOTHESIS", "steady"))

ROOT = Path(__file__).parents[1]


@pytest.fixture(scope="session")
def shared_data() -> Path:
    """The folder of real scans that WIRSUNG_TEST_DATA names, by default ../shared/data."""
    folder = Path(os.environ.get("WIRSUNG_TEST_DATA", ROOT.parent / "shared" / "data")).resolve()
    if not (folder / "README.md").is_file():
        pytest.skip(f"no real scans at {folder}; CONTRIBUTING.md says what belongs there")
    return folder
