"""The order and direction of a grid's axes, changed exactly: voxels are moved, never interpolated."""

from itertools import permutations, product

import numpy as np

from wirsung.errors import ConfigError
from wirsung.imaging.arrays import Affine
from wirsung.imaging.volume import Volume

_LETTERS = ("LR", "PA", "IS")
"""For each world axis, the code towards its negative and its positive end."""

ALL_CODES = tuple("".join(letters) for order in permutations(_LETTERS) for letters in product(*order))
"""The 48 ways to lay three axes along the body."""


def axis_codes(affine: Affine) -> str:
    """For i, j and k, the side of the patient towards which the index grows, such as `RPS`.

    Of an oblique grid it names the nearest axes: those whose summed cosines are largest.

    Example:
        >>> axis_codes(np.eye(4))
        'RAS'
        >>> axis_codes(np.diag([-0.8, -0.8, 2.5, 1]))
        'LPS'
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    # Rounding decides a tie between axes at exactly 45 degrees the same way on every machine.
    sizes = np.abs(directions).round(6)
    order = max(permutations(range(3)), key=lambda world: sum(sizes[world[axis], axis] for axis in range(3)))
    return "".join(_LETTERS[world][int(directions[world, axis] > 0)] for axis, world in enumerate(order))


def reorient(volume: Volume, codes: str) -> Volume:
    """The same voxels at the same places, indexed along the axes that `codes` names.

    Args:
        volume: Not changed; the result shares its memory.
        codes: Three letters, one of L and R, one of P and A, one of I and S, in any order.

    Raises:
        ConfigError: The codes name no such order.

    Example:
        >>> turned = reorient(Volume(np.arange(24).reshape(2, 3, 4), np.eye(4)), "SPR")
        >>> turned.shape, axis_codes(turned.affine)
        ((4, 3, 2), 'SPR')
        >>> turned.voxels[1, 0, 0]  # was [0, 2, 1]
        np.int64(9)
    """
    if codes not in ALL_CODES:
        msg = (
            f"{codes!r} is no axis order: it takes one of L and R, one of P and A, one of I and S, as in RPS."
        )
        raise ConfigError(msg)
    present = axis_codes(volume.affine)
    world_of = {letter: world for world, letters in enumerate(_LETTERS) for letter in letters}
    sources = [world_of[letter] for letter in present]
    axes = tuple(sources.index(world_of[letter]) for letter in codes)
    flips = tuple(present[axis] != letter for axis, letter in zip(axes, codes, strict=True))
    return reindex(volume, axes, flips)


def reindex(volume: Volume, axes: tuple[int, ...], flips: tuple[bool, ...]) -> Volume:
    """The volume with its axis `axes[n]` as axis n, running backwards where `flips[n]`.

    Example:
        >>> row = Volume(np.array([[[1, 2, 3]]]), np.eye(4))
        >>> reindex(row, (2, 0, 1), (True, False, False)).voxels.ravel()
        array([3, 2, 1])
    """
    voxels = volume.voxels.transpose(axes)[tuple(slice(None, None, -1 if flip else 1) for flip in flips)]
    affine = np.eye(4)
    affine[:3, 3] = volume.affine[:3, 3]
    for target, (source, flip) in enumerate(zip(axes, flips, strict=True)):
        column = volume.affine[:3, source]
        affine[:3, target] = -column if flip else column
        if flip:
            affine[:3, 3] += column * (volume.shape[source] - 1)
    return Volume(voxels, affine)
