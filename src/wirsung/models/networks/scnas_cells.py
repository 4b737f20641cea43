"""The cells of SCNAS and the U-Net that they make: what a search and the network it finds have in common."""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from itertools import pairwise

import torch
from torch import Tensor, nn

from wirsung.models.networks.scnas_genotype import NONE, input_count
from wirsung.models.plans import Shape

_DILATION = 2


@dataclass(frozen=True)
class Place:
    """Where an edge lies, and what an operation there must do."""

    kind: str
    """Of the cell."""
    number: int
    """Of the cell among its kind."""
    node: int
    source: int
    """The cell's inputs first, then its nodes."""
    width: int
    """Of features on either side."""
    stride: Shape
    """Of the cell; an edge from an input of a resizing cell takes it."""
    kernel: Shape


EdgeMaker = Callable[[Place], nn.Module | None]
"""The module of an edge, or nothing where nodes are not connected."""


def operation(name: str, place: Place) -> nn.Module:
    """The module of an operation of the search space.

    Args:
        name: Of `scnas_genotype.operations`, but not none.
        place: Says width, stride and kernel.
    """
    makers: dict[str, Callable[[], nn.Module]] = {
        "identity": nn.Identity,
        "conv": lambda: _convolution(place),
        "dilated-conv": lambda: _convolution(place, dilation=_DILATION),
        "planar-conv": lambda: _planar(place),
        "separable-conv": lambda: _separable(place),
        "max-pool": lambda: nn.MaxPool3d(place.stride),
        "mean-pool": lambda: nn.AvgPool3d(place.stride),
        "strided-conv": lambda: _convolution(place, stride=place.stride),
        "strided-dilated-conv": lambda: _convolution(place, stride=place.stride, dilation=_DILATION),
        "trilinear": lambda: _enlarged(place, "trilinear"),
        "transposed-conv": lambda: _transposed(place),
        "nearest-conv": lambda: nn.Sequential(_enlarged(place, "nearest"), _convolution(place)),
    }
    return makers[name]()


class Cell(nn.Module):
    """A directed acyclic graph: nodes that sum what their edges bring, and a convolution of them all.

    Args:
        inputs: Channels of each input.
        places: Of the edges, node by node.
        make_edge: Gives each its module.
    """

    def __init__(
        self, inputs: Sequence[int], places: Sequence[Sequence[Place]], make_edge: EdgeMaker
    ) -> None:
        super().__init__()
        self.edges = nn.ModuleDict()
        self.sources: list[list[int]] = []
        for node, row in enumerate(places):
            made = {place.source: make_edge(place) for place in row}
            kept = {source: module for source, module in made.items() if module is not None}
            self.edges.update({f"{node}_{source}": module for source, module in kept.items()})
            self.sources.append(list(kept))
        width = places[0][0].width
        # Neither has an activation: rounding grows with each, and cells are many.
        self.projections = nn.ModuleList(nn.Conv3d(channels, width, 1, bias=False) for channels in inputs)
        self.join = nn.Sequential(
            nn.Conv3d(len(places) * width, width, 1, bias=False),
            nn.InstanceNorm3d(width, eps=1e-5, affine=True),
        )

    def forward(self, *inputs: Tensor) -> Tensor:
        """Features of the cell's width, from those of its inputs."""
        states = [project(item) for project, item in zip(self.projections, inputs, strict=True)]
        for node, sources in enumerate(self.sources):
            brought = [self.edges[f"{node}_{source}"](states[source]) for source in sources]
            states.append(torch.stack(brought).sum(0) if len(brought) > 1 else brought[0])
        answer: Tensor = self.join(torch.cat(states[len(inputs) :], dim=1))
        return answer


@dataclass(frozen=True)
class Stages:
    """The sizes of a U-Net, one entry a stage, full resolution first."""

    features: Sequence[int]
    kernels: Sequence[Shape]
    strides: Sequence[Shape]
    nodes: int
    """Of each cell."""


class CellNetwork(nn.Module):
    """A U-Net of cells: normal and resizing cells in turn, down and up, and logits a stage.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        stages: The sizes.
        make_edge: Gives each edge of each cell its module.
    """

    def __init__(self, input_channels: int, num_classes: int, stages: Stages, make_edge: EdgeMaker) -> None:
        super().__init__()
        widths = stages.features

        def cell(
            kind: str, number: int, inputs: Sequence[int], width: int, stride: Shape, kernel: Shape
        ) -> Cell:
            first = input_count(kind)
            places = [
                [
                    Place(kind, number, node, source, width, stride if source < first else (1, 1, 1), kernel)
                    for source in range(first + node)
                ]
                for node in range(stages.nodes)
            ]
            return Cell(inputs, places, make_edge)

        sizes = list(zip(widths, stages.kernels, strict=True))
        steps = list(zip(pairwise(widths), stages.strides[1:], pairwise(stages.kernels), strict=True))
        one = (1, 1, 1)
        self.stem = nn.Sequential(
            nn.Conv3d(
                input_channels, widths[0], stages.kernels[0], padding=_half(stages.kernels[0]), bias=False
            ),
            *_normed(widths[0]),
        )
        self.normals = nn.ModuleList(
            cell("encoder", number, [width], width, one, kernel)
            for number, (width, kernel) in enumerate(sizes)
        )
        self.reductions = nn.ModuleList(
            cell("reduction", number, [fine], coarse, stride, kernels[1])
            for number, ((fine, coarse), stride, kernels) in enumerate(steps)
        )
        self.decoder = Decoder(
            [
                cell("expansion", number, [coarse], fine, stride, kernels[0])
                for number, ((fine, coarse), stride, kernels) in enumerate(steps)
            ],
            [
                cell("decoder", number, [width, width], width, one, kernel)
                for number, (width, kernel) in enumerate(sizes[:-1])
            ],
            [nn.Conv3d(width, num_classes, 1) for width in widths[:-1] or widths],
        )

    def forward(self, image: Tensor) -> Tensor | list[Tensor]:
        """Logits of the image's size, or with deep supervision a list that begins with them."""
        features = self.normals[0](self.stem(image))
        found = [features]
        for reduce, normal in zip(self.reductions, list(self.normals.children())[1:], strict=True):
            found.append(normal(reduce(found[-1])))
        answer: Tensor | list[Tensor] = self.decoder(found)
        return answer


class Decoder(nn.Module):
    """The cells on the way up, and the logits of each stage."""

    def __init__(
        self, expansions: Sequence[Cell], normals: Sequence[Cell], heads: Sequence[nn.Module]
    ) -> None:
        super().__init__()
        self.expansions = nn.ModuleList(expansions)
        self.normals = nn.ModuleList(normals)
        self.heads = nn.ModuleList(heads)
        self.deep_supervision = False

    def forward(self, found: list[Tensor]) -> Tensor | list[Tensor]:
        """Logits of each stage, fine to coarse, or the finest alone."""
        features = found[-1]
        answers = [] if len(self.normals) else [self.heads[0](features)]
        for stage in reversed(range(len(self.normals))):
            features = self.normals[stage](self.expansions[stage](features), found[stage])
            if self.deep_supervision or stage == 0:
                answers.insert(0, self.heads[stage](features))
        return answers if self.deep_supervision else answers[0]


def edge_name(names: Sequence[str], place: Place) -> nn.Module | None:
    """The module of an edge that a genotype names; nothing for none."""
    name = names[place.source]
    return None if name == NONE else operation(name, place)


def _half(kernel: Shape, dilation: int = 1) -> Shape:
    """The padding that keeps the size."""
    first, second, third = (dilation * (size // 2) for size in kernel)
    return first, second, third


def _normed(width: int) -> tuple[nn.Module, nn.Module]:
    return nn.InstanceNorm3d(width, eps=1e-5, affine=True), nn.LeakyReLU(0.01, inplace=True)


def _convolution(place: Place, *, stride: Shape = (1, 1, 1), dilation: int = 1) -> nn.Module:
    width, kernel, padding = place.width, place.kernel, _half(place.kernel, dilation)
    # A kernel of 1 across the slices that steps over slices would never look at every other one.
    if any(by > size for by, size in zip(stride, kernel, strict=True)):
        return nn.Sequential(nn.AvgPool3d(stride), _convolution(place, dilation=dilation))
    made = nn.Conv3d(width, width, kernel, stride, padding, dilation, bias=False)
    return nn.Sequential(made, *_normed(width))


def _planar(place: Place) -> nn.Module:
    width, (across, high, wide) = place.width, place.kernel
    inside, through = (1, high, wide), (across, 1, 1)
    return nn.Sequential(
        nn.Conv3d(width, width, inside, padding=_half(inside), bias=False),
        nn.Conv3d(width, width, through, padding=_half(through), bias=False),
        *_normed(width),
    )


def _separable(place: Place) -> nn.Module:
    width = place.width
    return nn.Sequential(
        nn.Conv3d(width, width, place.kernel, padding=_half(place.kernel), groups=width, bias=False),
        nn.Conv3d(width, width, 1, bias=False),
        *_normed(width),
    )


def _enlarged(place: Place, mode: str) -> nn.Module:
    scale = tuple(float(by) for by in place.stride)
    return nn.Upsample(scale_factor=scale, mode=mode, align_corners=False if mode == "trilinear" else None)


def _transposed(place: Place) -> nn.Module:
    made = nn.ConvTranspose3d(place.width, place.width, place.stride, place.stride, bias=False)
    return nn.Sequential(made, *_normed(place.width))
