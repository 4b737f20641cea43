"""What a plan says of a network's shape, whatever network it was made for; and the plan of a bare patch."""

import math
from collections.abc import Sequence
from dataclasses import dataclass

from wirsung.errors import ConfigError
from wirsung.models.plans import Architecture, Configuration, Resampling, Shape, Spacing

REFERENCE_PATCH: Shape = (128, 128, 128)
"""Of the reference plan, at 1 mm: six stages of 32 to 320 features."""

_FEWEST_VOXELS = 4
"""An axis is halved while at least as many remain."""
_ONE = (1, 1, 1)


@dataclass(frozen=True)
class Topology:
    """The stages of a U-Net, one entry each, the full resolution first."""

    features: tuple[int, ...]
    kernels: tuple[Shape, ...]
    strides: tuple[Shape, ...]
    """Of the stage's first convolution; that of the first stage is 1."""

    @property
    def divisor(self) -> Shape:
        """What each axis of a patch must be a multiple of."""
        return divisor_of(self.strides)


def divisor_of(strides: Sequence[Sequence[int]]) -> Shape:
    """What each axis of a patch must be a multiple of.

    Example:
        >>> divisor_of([[1, 1, 1], [1, 2, 2], [2, 2, 2]])
        (2, 4, 4)
    """
    return _shape([math.prod(int(item[axis]) for item in strides) for axis in range(3)])


def topology_of(configuration: Configuration) -> Topology:
    """The stages that the plan names, or where its network has none, those that nnU-Net would plan.

    Raises:
        ConfigError: The patch is no multiple of what the strides take away, or too small for any.
    """
    said = configuration.architecture.arguments
    if not {"strides", "kernel_sizes", "features_per_stage"} <= set(said):
        found = planned_topology(configuration.patch_size, configuration.spacing_mm)
    else:
        found = Topology(
            tuple(int(value) for value in said["features_per_stage"]),
            tuple(_shape(item) for item in said["kernel_sizes"]),
            tuple(_shape(item) for item in said["strides"]),
        )
    if len(found.strides) < 2:
        patch, near = configuration.patch_size, _enough_to_halve(configuration)
        msg = f"A patch of {_by(patch)} voxels is too small to halve once. A patch of {_by(near)} would do."
        raise ConfigError(msg)
    check_divisible(configuration.patch_size, found.divisor, "nnU-Net's U-Net with these strides")
    return found


def _enough_to_halve(configuration: Configuration) -> Shape:
    """The smallest patch of 8 or 16 voxels at least along each axis that nnU-Net would halve."""
    patch = configuration.patch_size
    least = max(8, patch[0]), max(8, patch[1]), max(8, patch[2])
    if len(planned_topology(least, configuration.spacing_mm).strides) > 1:
        return least
    return max(16, patch[0]), max(16, patch[1]), max(16, patch[2])


def planned_topology(patch: Shape, spacing_mm: Spacing, features: tuple[int, int] = (32, 320)) -> Topology:
    """The stages that nnU-Net plans for a patch.

    Args:
        patch: Voxels.
        spacing_mm: Of the resampled image.
        features: Of the first stage, and at most; they double from stage to stage.

    Source:
        `get_pool_and_conv_props` of nnU-Net 2.8.

    Example:
        >>> planned_topology((16, 64, 64), (3.0, 1.0, 1.0)).strides
        ((1, 1, 1), (1, 2, 2), (2, 2, 2), (2, 2, 2), (1, 2, 2))
    """
    spacing, size = list(spacing_mm), list(patch)
    kernel, kernels, strides = list(_ONE), [], [_ONE]
    while halved := _halved(size, spacing):
        finest = min(spacing)
        kernel = [3 if spacing[axis] / finest < 2 else kernel[axis] for axis in range(3)]
        kernels.append(_shape(kernel))
        strides.append(_shape([2 if axis in halved else 1 for axis in range(3)]))
        for axis in halved:
            spacing[axis] *= 2
            size[axis] = math.ceil(size[axis] / 2)
    kernels.append((3, 3, 3))
    first, most = features
    widths = tuple(min(most, first * 2**stage) for stage in range(len(strides)))
    return Topology(widths, tuple(kernels), tuple(strides))


def plan_of_patch(
    patch: Shape,
    spacing_mm: Spacing = (1.0, 1.0, 1.0),
    *,
    features: tuple[int, int] = (32, 320),
    batch_size: int = 2,
) -> Configuration:
    """A configuration such as nnU-Net plans for a CT, for a patch of any size.

    Args:
        patch: Voxels.
        spacing_mm: Of the resampled image.
        features: Of the first stage, and at most.
        batch_size: Patches a step.
    """
    topology = planned_topology(patch, spacing_mm, features)
    named: dict[str, object] = {
        "n_stages": len(topology.strides),
        "features_per_stage": list(topology.features),
        "kernel_sizes": [list(item) for item in topology.kernels],
        "strides": [list(item) for item in topology.strides],
    }
    return Configuration(
        name="3d_fullres",
        spacing_mm=spacing_mm,
        patch_size=patch,
        batch_size=batch_size,
        normalisations=("CTNormalization",),
        inside_mask_only=(False,),
        image_resampling=Resampling(3, None),
        label_resampling=Resampling(1, None),
        logit_resampling=Resampling(1, None),
        architecture=Architecture(
            "dynamic_network_architectures.architectures.unet.PlainConvUNet", named, ()
        ),
        data_identifier="nnUNetPlans_3d_fullres",
    )


def check_divisible(patch: Sequence[int], divisor: Sequence[int], network: str) -> None:
    """Do nothing where each axis is a multiple of its divisor.

    Raises:
        ConfigError: One is not; the message names the nearest patch that would do.

    Example:
        >>> check_divisible((96, 160, 160), (32, 32, 32), "UNETR")
    """
    if all(size > 0 and size % unit == 0 for size, unit in zip(patch, divisor, strict=True)):
        return
    near = [max(unit, round(size / unit) * unit) for size, unit in zip(patch, divisor, strict=True)]
    said = _by(divisor[:1] if len(set(divisor)) == 1 else divisor)
    msg = (
        f"{network} can't take a patch of {_by(patch)} voxels: each axis must be a multiple of {said}. "
        f"A patch of {_by(near)} would do."
    )
    raise ConfigError(msg)


def check_not_single(patch: Sequence[int], divisor: Sequence[int], network: str) -> None:
    """Do nothing where the lowest resolution has more than one voxel, as normalising over it needs.

    Raises:
        ConfigError: It has one; the message names a patch that would do.

    Example:
        >>> check_not_single((32, 32, 64), (32, 32, 32), "Swin UNETR")
    """
    if tuple(patch) == tuple(divisor):
        doubled = _by([2 * unit for unit in divisor])
        msg = (
            f"{network} normalises over its lowest resolution, of which a patch of {_by(patch)} leaves one "
            f"voxel. A patch of {doubled} would do."
        )
        raise ConfigError(msg)


def _by(values: Sequence[int]) -> str:
    return " x ".join(map(str, values))


def _halved(size: Sequence[int], spacing: Sequence[float]) -> tuple[int, ...]:
    """The axes that the next stage halves; none where the last stage is reached."""
    large = [axis for axis in range(3) if size[axis] >= 2 * _FEWEST_VOXELS]
    if not large:
        return ()
    finest = min(spacing[axis] for axis in large)
    chosen = [axis for axis in large if spacing[axis] / finest < 2]
    if len(chosen) == 1 and size[chosen[0]] < 3 * _FEWEST_VOXELS:
        return ()
    return tuple(chosen)


def _shape(values: Sequence[int]) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third
