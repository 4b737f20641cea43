"""What can go wrong, sorted by what the caller can do about it.

    WirsungError
    ├── GeometryError            fix or resample the grid
    ├── ImageError               get an undamaged, readable image
    ├── LabelError               fix the label map, or name its scheme
    ├── ManifestError            fix the table, the folder or the case list
    ├── CheckpointError          get another model file
    ├── ConfigError              fix a setting
    ├── StorageError             free space, or write elsewhere
    └── MissingDependencyError   install an extra

A message has at most three sentences: what is wrong with value, unit and place; what was expected; what to
do. It names cases and files, never anything read from a patient's header.
"""

from collections.abc import Iterable
from difflib import get_close_matches


class WirsungError(Exception):
    """The root of every error that a user can mend."""


class GeometryError(WirsungError):
    """Two grids differ, or a grid is degenerate."""


class ImageError(WirsungError):
    """An image is missing, damaged or not an image."""


class LabelError(WirsungError):
    """A label map holds values or structures that its scheme does not."""


class ManifestError(WirsungError):
    """A folder, table or list of cases is not what it should be."""


class CheckpointError(WirsungError):
    """A model file can't be used."""


class ConfigError(WirsungError):
    """A setting has a name or a value that is not allowed."""


class StorageError(WirsungError):
    """An output can't be written."""


class MissingDependencyError(WirsungError):
    """An optional part of the installation is needed."""


def counted(count: int, one: str, several: str) -> str:
    """A number with the words that go with it.

    Example:
        >>> counted(1, "voxel is", "voxels are"), counted(12000, "case", "cases")
        ('1 voxel is', '12,000 cases')
    """
    return f"{count:,} {one if count == 1 else several}"


def near_names(name: str, known: Iterable[str]) -> str:
    """The sentence that helps after an unknown name.

    Example:
        >>> near_names("livr", ["liver", "spleen"])
        'Did you mean liver?'
        >>> near_names("xyz", ["liver", "spleen"])
        'Known are liver, spleen.'
    """
    names = list(known)
    near = get_close_matches(name, names, n=3, cutoff=0.6)
    if near:
        return f"Did you mean {' or '.join(near)}?"
    return f"Known are {', '.join(names)}."
