"""A vector a class, by which a text-conditioned network tells its classes apart: read, written, or fixed.

A file is `.safetensors` or `.npz` with one vector a class name; neither can run code. Where there is no
file, a fixed orthonormal table serves: it says that classes differ and nothing of what they are.
`class_embeddings_clip` makes a file with an installed CLIP.
"""

import zipfile
import zlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.lib.npyio import NpzFile
from numpy.typing import NDArray

from wirsung.compute.atomic import write_bytes
from wirsung.errors import CheckpointError, ConfigError, near_names

CLIP_WIDTH = 512
"""Of the text embedding of CLIP's ViT-B/32."""

Vectors = NDArray[np.float32]


@dataclass(frozen=True)
class ClassEmbeddings:
    """A vector a class name, all of one width."""

    vectors: Mapping[str, Vectors]
    origin: str = ""
    """What made them, in words."""

    def __post_init__(self) -> None:
        shapes = {vector.shape for vector in self.vectors.values()}
        if len(shapes) != 1 or len(next(iter(shapes))) != 1:
            msg = f"Class embeddings must be vectors of one width, but have the shapes {sorted(shapes)}."
            raise ConfigError(msg)
        for name, vector in self.vectors.items():
            if not np.isfinite(vector).all() or not vector.any():
                msg = f"The class embedding of {name!r} is zero or not finite. Make the file anew."
                raise ConfigError(msg)

    @property
    def width(self) -> int:
        """Numbers a class."""
        return len(next(iter(self.vectors.values())))

    def codes(self, names: Sequence[str]) -> list[list[float]]:
        """The vectors of some classes in order, as `class_codes` in plans: six digits each.

        Raises:
            ConfigError: A class has none.

        Example:
            >>> table = ClassEmbeddings({"liver": np.float32([0.5, 1 / 3])})
            >>> table.codes(["liver"])
            [[0.5, 0.333333]]
        """
        for name in names:
            if name not in self.vectors:
                msg = f"There is no class embedding of {name!r}. {near_names(name, self.vectors)}"
                raise ConfigError(msg)
        return [[float(f"{value:.6g}") for value in self.vectors[name]] for name in names]


def read_class_embeddings(path: Path) -> ClassEmbeddings:
    """The embeddings of a `.safetensors` or `.npz` file.

    Raises:
        CheckpointError: Missing, damaged, of another kind, or with Python objects in it.
        ConfigError: The vectors are no vectors of one width, or one is zero or not finite.
    """
    if path.suffix not in {".safetensors", ".npz"}:
        msg = f"{path} is neither .safetensors nor .npz. Write the embeddings as one of these."
        raise CheckpointError(msg)
    if not path.is_file():
        msg = f"{path} is missing. It should hold one vector a class name."
        raise CheckpointError(msg)
    return _read_npz(path) if path.suffix == ".npz" else _read_safetensors(path)


def write_class_embeddings(path: Path, embeddings: ClassEmbeddings) -> None:
    """Write a `.safetensors` file, whole or not at all.

    Raises:
        ConfigError: The name ends otherwise.
    """
    from safetensors.numpy import save

    if path.suffix != ".safetensors":
        msg = (
            f"Class embeddings are written as .safetensors, not as {path.suffix or 'a file without suffix'}."
        )
        raise ConfigError(msg)
    write_bytes(path, save(dict(embeddings.vectors), {"origin": embeddings.origin}))


def orthonormal_codes(classes: int, width: int = CLIP_WIDTH) -> Vectors:
    """A fixed table of orthonormal rows: Walsh functions, of which the constant one is left out.

    Args:
        classes: Rows, fewer than the width.
        width: A power of two.

    Raises:
        ConfigError: Too many classes, or a width that is no power of two.

    Example:
        >>> (orthonormal_codes(3, 4) * 2).astype(int).tolist()
        [[1, -1, 1, -1], [1, 1, -1, -1], [1, -1, -1, 1]]
    """
    if width & (width - 1) or not 0 < classes < width:
        msg = (
            f"A fixed table can't give {classes} classes {width} numbers each: the width must be a power of "
            "two, and larger than the number of classes."
        )
        raise ConfigError(msg)
    odd = [[(row & column).bit_count() % 2 for column in range(width)] for row in range(1, classes + 1)]
    return np.asarray((1 - 2.0 * np.array(odd)) / np.sqrt(width), np.float32)


def _read_safetensors(path: Path) -> ClassEmbeddings:
    from safetensors import SafetensorError, safe_open

    try:
        with safe_open(path, "numpy") as stored:
            vectors = {name: _vector(stored.get_tensor(name)) for name in stored.keys()}  # noqa: SIM118 - no dict
            origin = (stored.metadata() or {}).get("origin", "")
    except (SafetensorError, OSError) as error:
        raise _damaged(path) from error
    return ClassEmbeddings(vectors, origin)


def _read_npz(path: Path) -> ClassEmbeddings:
    try:
        # Opened here, because NumPy leaves a damaged file open.
        with path.open("rb") as file, NpzFile(file, allow_pickle=False) as stored:
            vectors = {name: _vector(stored[name]) for name in stored.files}
    except (ValueError, EOFError, OSError, zlib.error, zipfile.BadZipFile) as error:
        raise _damaged(path) from error
    return ClassEmbeddings(vectors)


def _vector(values: NDArray[np.generic]) -> Vectors:
    return np.asarray(values, np.float32)


def _damaged(path: Path) -> CheckpointError:
    msg = f"{path} is damaged, or holds more than arrays of numbers, which is refused. Make the file anew."
    return CheckpointError(msg)
