"""What ranks cases: one number a case, higher for more suspect, defined by name.

`max` is the highest lesion probability of any voxel, `topk:K` the mean of the K highest, `volume` the volume
of the predicted lesion. A maximum hangs on one voxel; a mean over K is steadier, and low for small lesions.
"""

import numpy as np

from wirsung.errors import ConfigError
from wirsung.imaging.arrays import Voxels

MAX = "max"
VOLUME = "volume"
_TOP = "topk"


def voxels_of(name: str) -> int | None:
    """How many of the most probable voxels a case score takes; None for the volume.

    Raises:
        ConfigError: No case score has that name.

    Example:
        >>> voxels_of("max"), voxels_of("topk:100"), voxels_of("volume")
        (1, 100, None)
    """
    kind, _, text = name.partition(":")
    if name == MAX:
        return 1
    if name == VOLUME:
        return None
    if kind == _TOP and text.isdecimal() and int(text) > 0:
        return int(text)
    msg = f"There is no case score named {name!r}. It is max, volume, or topk:K with K of 1 or more."
    raise ConfigError(msg)


def case_score(name: str, probability: Voxels) -> float:
    """The score of a case from its lesion probability, 0 to 1.

    Where there are fewer than K voxels the mean is over all of them.

    Raises:
        ConfigError: No case score of a probability has that name.

    Example:
        >>> case_score("topk:2", np.array([[[0.1, 0.9, 0.5]]]))
        0.7
    """
    count = voxels_of(name)
    if count is None:
        msg = "The case score volume comes from the label map, not from a probability. Name max or topk:K."
        raise ConfigError(msg)
    if count == 1:
        return float(probability.max())
    flat = probability.ravel(order="K")
    count = min(count, flat.size)
    return float(np.mean(np.partition(flat, flat.size - count)[flat.size - count :], dtype=np.float64))


def words_of(name: str) -> str:
    """For tables and axes.

    Example:
        >>> words_of("max"), words_of("topk:100")
        ('highest lesion probability', 'mean lesion probability of the 100 highest voxels')
    """
    count = voxels_of(name)
    if count is None:
        return "predicted lesion volume"
    return (
        "highest lesion probability"
        if count == 1
        else f"mean lesion probability of the {count} highest voxels"
    )


def metric_of(name: str) -> str | None:
    """How scores.parquet names it; None for the volume, which is there as volume_ml.

    Example:
        >>> metric_of("max"), metric_of("topk:100")
        ('lesion_probability_max', 'lesion_probability_top100')
    """
    count = voxels_of(name)
    if count is None:
        return None
    return "lesion_probability_max" if count == 1 else f"lesion_probability_top{count}"
