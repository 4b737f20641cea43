"""The stages of a plan for a network that must step down so many times, and an error where it can't."""

from wirsung.errors import ConfigError
from wirsung.models.networks.topology import Topology, check_divisible, planned_topology, topology_of
from wirsung.models.plans import Configuration

_FEWEST_VOXELS = 4
"""Of an axis at the last stage, as nnU-Net plans."""


def topology_of_depth(configuration: Configuration, steps: int, network: str) -> Topology:
    """The first stages of the plan, or where it steps down too seldom, of what nnU-Net plans for its patch.

    Args:
        configuration: The plan.
        steps: Down, one less than the stages.
        network: As the error shall call it.

    Raises:
        ConfigError: The patch is too small for so many steps, or no multiple of what they take away; the
            message names one that would do.
    """
    found = topology_of(configuration)
    patch = configuration.patch_size
    if len(found.strides) <= steps:
        widths = found.features[0], max(found.features)
        found = planned_topology(patch, configuration.spacing_mm, widths)
    if len(found.strides) <= steps:
        enough = " x ".join([str(_FEWEST_VOXELS * 2**steps)] * 3)
        msg = (
            f"{network} must step down at least {steps} times, but a patch of {' x '.join(map(str, patch))} "
            f"voxels allows {len(found.strides) - 1}. A patch of {enough} would do."
        )
        raise ConfigError(msg)
    first = slice(steps + 1)
    used = Topology(found.features[first], found.kernels[first], found.strides[first])
    check_divisible(patch, used.divisor, network)
    return used
