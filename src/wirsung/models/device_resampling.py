"""One channel normalised and resampled on a GPU, by the matrices of `resampling`, a slab at a time.

A slab is sent as it is stored, made float32 and normalised there, and resampled within its planes; what is
left of it is small. Then the planes are mixed along the axis that remains. `image_resampling` does the same
on the CPU, to the last but one digit.
"""

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.models.image_resampling import Target, leading_axis
from wirsung.models.resampling import axis_matrix, nearest_index
from wirsung.models.scaling import Scaling

SLAB_VOXELS = 2**24
"""Of the image that are on the GPU at once: 64 MB in float32, and as much again while they are normalised."""
_SENT_AS_STORED = ("int8", "uint8", "int16", "int32", "float32")


def resample_channel_on(
    device: torch.device,
    channel: NDArray[np.generic],
    target: Target,
    scaling: Scaling,
    mask: NDArray[np.bool_] | None = None,
) -> torch.Tensor:
    """The channel (z, y, x), normalised and then resampled, on the device; else as `resample_channel`.

    Example:
        >>> ramp = np.arange(4).reshape(1, 1, 4)
        >>> target, scaling = Target((1, 1, 2), 1, None), Scaling(None, 1.0, 2.0)
        >>> resample_channel_on(torch.device("cpu"), ramp, target, scaling)
        tensor([[[-0.2500,  0.7500]]])
    """
    lead = leading_axis(channel.shape, target)
    order = (lead, *(axis for axis in range(3) if axis != lead))
    planes, inside = channel.transpose(order), None if mask is None else mask.transpose(order)
    new, *flat = (target.shape[axis] for axis in order)
    rows, columns = (_matrix(planes.shape[1 + at], flat[at], target, device) for at in range(2))
    made = torch.empty((len(planes), *flat), device=device)
    lows, highs = torch.empty(len(planes), device=device), torch.empty(len(planes), device=device)
    thickness = max(1, SLAB_VOXELS // planes[0].size)
    for start in range(0, len(planes), thickness):
        part = slice(start, start + thickness)
        slab = _normalised(planes[part], None if inside is None else inside[part], scaling, device)
        lows[part], highs[part] = slab.amin((1, 2)), slab.amax((1, 2))
        slab = slab if rows is None else rows @ slab
        made[part] = slab if columns is None else slab @ columns.T
    if channel.shape != target.shape:
        made = _along(made, new, target, lead, (lows, highs))
    return made.permute(*np.argsort(order).tolist()).contiguous()


def _along(
    made: torch.Tensor, new: int, target: Target, lead: int, bounds: tuple[torch.Tensor, torch.Tensor]
) -> torch.Tensor:
    """The planes resampled along their own axis; a cubic spline stays in the range of what it was given."""
    lows, highs = bounds
    if lead == target.coarse:
        if target.order > 1:
            made = torch.minimum(torch.maximum(made, lows[:, None, None]), highs[:, None, None])
        if len(made) == new:
            return made
        return made.index_select(0, torch.from_numpy(nearest_index(len(made), new)).to(made.device))
    matrix = _matrix(len(made), new, target, made.device)
    if matrix is not None:
        made = (matrix @ made.flatten(1)).reshape(new, *made.shape[1:])
    if target.order > 1:
        made = torch.minimum(torch.maximum(made, lows.min()), highs.max())
    return made


def _normalised(
    planes: NDArray[np.generic], inside: NDArray[np.bool_] | None, scaling: Scaling, device: torch.device
) -> torch.Tensor:
    kind = planes.dtype if planes.dtype.name in _SENT_AS_STORED and planes.dtype.isnative else np.float32
    # A copy always: torch refuses arrays that are not to be written.
    values = torch.from_numpy(np.array(planes, kind, order="C")).to(device).float()
    if scaling.bounds is not None:
        values = values.clamp(*scaling.bounds)
    if (scaling.shift, scaling.scale) == (0.0, 1.0):
        return values
    scaled = (values - scaling.shift) / scaling.scale
    if inside is None:
        return scaled
    return torch.where(torch.from_numpy(np.array(inside, order="C")).to(device), scaled, values)


def _matrix(old: int, new: int, target: Target, device: torch.device) -> torch.Tensor | None:
    """None where nothing is to do."""
    if old == new:
        return None
    return torch.from_numpy(axis_matrix(old, new, target.order).astype(np.float32)).to(device)
