"""Other libraries' DSC, NSD, HD95 and average distance of two masks, called as their documentation says."""

import importlib.util
import subprocess
import sys
import warnings
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial import cKDTree

Mask = NDArray[np.bool_]
Row = tuple[float, float, float, float]
Spacing = tuple[float, float, float]

_PACKAGES = {"surface_distance": "surface-distance-based-measures==0.1", "monai": "monai>=1.5"}


def install(folder: Path) -> None:
    """Fetch the packages that are not there into a folder, for this process alone."""
    for module, package in _PACKAGES.items():
        if importlib.util.find_spec(module) is None:
            # MONAI needs torch and NumPy, which are there; without --no-deps it might fetch them again.
            command = [
                sys.executable,
                "-m",
                "pip",
                "install",
                "--quiet",
                "--no-deps",
                "--target",
                str(folder),
            ]
            subprocess.run([*command, package], check=True)
    sys.path.append(str(folder))


def surface_distance(one: Mask, other: Mask, spacing_mm: Spacing, tolerance_mm: float) -> Row:
    """DeepMind's; it crops by itself. The average is over both directions, weighed by area."""
    import surface_distance as peer

    with warnings.catch_warnings():
        warnings.simplefilter("ignore", DeprecationWarning)
        found = peer.compute_surface_distances(one, other, spacing_mm)
    means = peer.compute_average_surface_distance(found)
    areas = [found["surfel_areas_gt"].sum(), found["surfel_areas_pred"].sum()]
    return (
        float(peer.compute_dice_coefficient(one, other)),
        float(peer.compute_surface_dice_at_tolerance(found, tolerance_mm)),
        float(peer.compute_robust_hausdorff(found, 95)),
        float(np.average(means, weights=areas)),
    )


def tree_recipe(one: Mask, other: Mask, spacing_mm: Spacing, tolerance_mm: float) -> Row:
    """Crop, erode, and a k-d tree over the boundary voxels of either mask."""
    dsc = 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))
    box = ndimage.find_objects((one | other).view(np.uint8))[0]
    cross = ndimage.generate_binary_structure(3, 1)
    points = []
    for mask in (one[box], other[box]):
        points.append(np.argwhere(mask & ~ndimage.binary_erosion(mask, cross)) * spacing_mm)
    trees = [cKDTree(item, leafsize=32, compact_nodes=False, balanced_tree=False) for item in points]
    both = [trees[1].query(points[0])[0], trees[0].query(points[1])[0]]
    count = sum(item.size for item in both)
    near = sum(np.count_nonzero(item <= tolerance_mm) for item in both)
    hd95 = max(float(np.percentile(item, 95)) for item in both)
    return float(dsc), near / count, hd95, float(sum(item.sum() for item in both)) / count


def monai(one: Mask, other: Mask, spacing_mm: Spacing, tolerance_mm: float) -> Row:
    """MONAI's four metrics, one class at a time; it crops by itself."""
    import monai.metrics as peer
    import torch

    torch.set_num_threads(1)
    reference, prediction = (torch.from_numpy(mask)[None, None] for mask in (one, other))
    spacing = list(spacing_mm)
    dsc = peer.DiceMetric()(prediction, reference)
    nsd = peer.SurfaceDiceMetric([tolerance_mm], include_background=True)(
        prediction, reference, spacing=spacing
    )
    hd95 = peer.HausdorffDistanceMetric(include_background=True, percentile=95)(
        prediction, reference, spacing=spacing
    )
    assd = peer.SurfaceDistanceMetric(include_background=True, symmetric=True)(
        prediction, reference, spacing=spacing
    )
    return float(dsc), float(nsd), float(hd95), float(assd)


PEERS: dict[str, Callable[[Mask, Mask, Spacing, float], Any]] = {
    "surface_distance": surface_distance,
    "tree_recipe": tree_recipe,
    "monai": monai,
}
