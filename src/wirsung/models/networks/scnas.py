"""SCNAS: a U-Net of searched cells. The paper's own cells were never published; these are of our search.

`scnas_genotype` says which part of the search space is sure and which our reading, `scnas_search` does the
search. A score of this network is a score of our search in our reading of the space, never "SCNAS" as the
paper reports.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from torch import nn

from wirsung.errors import ConfigError
from wirsung.models.networks.scnas_cells import CellNetwork, Place, Stages, edge_name
from wirsung.models.networks.scnas_genotype import default_genotype, parse_genotype
from wirsung.models.networks.topology import topology_of
from wirsung.models.plans import Configuration, Shape


class Scnas(CellNetwork):
    """The network of a genotype.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        deep_supervision: Whether it answers at every stage of the decoder, full resolution first. The paper
            does not say; this is nnU-Net's way.
        features_per_stage: Channels.
        kernel_sizes: Of the convolutions, a stage.
        strides: [1, 1, 1] and then each step down.
        genotype: As `Genotype.to_json` gives it; by default what our own search found on phantoms.

    Raises:
        ConfigError: The lists differ in length, or the genotype is not of the search space.

    Source:
        Kim et al., Scalable Neural Architecture Search for 3D Medical Image Segmentation, MICCAI 2019
        (arXiv 1906.05956).
    """

    def __init__(  # noqa: PLR0913 - each is a key of the plans
        self,
        input_channels: int,
        num_classes: int,
        *,
        deep_supervision: bool = False,
        features_per_stage: Sequence[int] = (32, 64, 128, 256, 320, 320),
        kernel_sizes: Sequence[Sequence[int]] = ((3, 3, 3),) * 6,
        strides: Sequence[Sequence[int]] = ((1, 1, 1), *((2, 2, 2),) * 5),
        genotype: Mapping[str, Any] | None = None,
    ) -> None:
        if len({len(features_per_stage), len(kernel_sizes), len(strides)}) > 1:
            msg = "SCNAS needs as many kernel sizes and strides as features."
            raise ConfigError(msg)
        chosen = default_genotype() if genotype is None else parse_genotype(genotype)
        nodes = {len(plan) for kind in (chosen.encoder, chosen.decoder) for plan in kind}
        nodes |= {len(plan) for kind in (chosen.reduction, chosen.expansion) for plan in kind}
        if len(nodes) != 1:
            msg = f"The cells of a genotype must have the same number of nodes, but have {sorted(nodes)}."
            raise ConfigError(msg)

        def edge(place: Place) -> nn.Module | None:
            return edge_name(chosen.cell(place.kind, place.number)[place.node], place)

        stages = Stages(
            features_per_stage,
            [_shape(item) for item in kernel_sizes],
            [_shape(item) for item in strides],
            *nodes,
        )
        super().__init__(input_channels, num_classes, stages, edge)
        self.decoder.deep_supervision = deep_supervision

    @staticmethod
    def initialize(module: nn.Module) -> None:
        """Fresh weights: He's for convolutions."""
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            nn.init.kaiming_normal_(module.weight, a=1e-2)
            if module.bias is not None:
                nn.init.zeros_(module.bias)


def fit(configuration: Configuration) -> dict[str, Any]:
    """The arguments of `Scnas` for nnU-Net's plan: its stages as they are, and the default genotype.

    Raises:
        ConfigError: The strides don't divide the patch.
    """
    topology = topology_of(configuration)
    return {
        "features_per_stage": list(topology.features),
        "kernel_sizes": [list(item) for item in topology.kernels],
        "strides": [list(item) for item in topology.strides],
        "genotype": default_genotype().to_json(),
    }


def _shape(values: Sequence[int]) -> Shape:
    first, second, third = (int(value) for value in values)
    return first, second, third
