"""An export by the settings of the command line, and what another reader finds in it."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

from wirsung.datasets.exports.export import export
from wirsung.datasets.exports.settings import ExportSettings


@pytest.fixture
def exported(tmp_path):
    """Export a dataset; returns the result."""

    def run(form, dataset, out=None, **settings):
        return export(ExportSettings(form, dataset, out or tmp_path / "out", **settings))

    return run


@pytest.fixture(scope="session")
def read():
    """The voxels of a file, by nibabel."""
    return lambda path: np.asarray(nibabel.load(path).dataobj)


@pytest.fixture(scope="session")
def snapshot():
    """Every file below a folder with its content and time, but for the notes."""

    def take(folder):
        files = [path for path in Path(folder).rglob("*") if path.is_file()]
        return {
            str(path.relative_to(folder)): (path.read_bytes(), path.lstat().st_mtime_ns) for path in files
        }

    return take
