"""The search of SCNAS: weights and structure learned in turn, by drawing from a continuous relaxation.

Every edge of every cell has a logit an operation. To learn weights, each edge draws one operation
(Gumbel-softmax's limit) and only that is computed, so that a step costs what one network costs. To learn the
structure, each edge draws two and mixes them by the relaxed weights of the pair: their ratio is what the
loss tells apart. A single drawn operation, scaled, would not do: what follows it is normalised, and the loss
blind to its scale.

Drawing by Gumbel-softmax on each edge, and learning both kinds of parameters by gradients, is the paper's;
the pair, the alternation on two sets of batches (after DARTS) and all numbers are ours.
"""

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from wirsung.errors import ConfigError
from wirsung.models.networks.scnas_cells import CellNetwork, Place, Stages, operation
from wirsung.models.networks.scnas_genotype import KINDS, NONE, CellPlan, Genotype, input_count, operations

Batch = tuple[Tensor, Tensor]
"""An image (B, C, D, H, W) and its classes (B, D, H, W)."""
Loss = Callable[[Tensor, Tensor], Tensor]


@dataclass(frozen=True)
class SearchSettings:
    """How to search."""

    steps: int = 300
    """Of the weights; the structure is stepped as often after the warm-up."""
    warm_up: float = 0.2
    """Fraction of the steps in which the structure stays as it is."""
    weight_rate: float = 2e-3
    """Learning rate of AdamW."""
    structure_rate: float = 5e-2
    """Learning rate of Adam."""
    temperature: tuple[float, float] = (2.0, 0.3)
    """Of the draws at the beginning and at the end."""
    seed: int = 0


@dataclass(frozen=True)
class Found:
    """What a search found."""

    genotype: Genotype
    losses: tuple[float, ...]
    """Of the weights' steps."""
    certainty: float
    """Mean probability of the operation that an edge kept: 1 is sure; of k operations 1 / k is a guess."""


class Supernet(CellNetwork):
    """The U-Net in which every edge still has all its operations.

    Args:
        input_channels: Of the image.
        num_classes: Background included.
        stages: The sizes; small ones will do for a search.
    """

    def __init__(self, input_channels: int, num_classes: int, stages: Stages) -> None:
        super().__init__(input_channels, num_classes, stages, DrawnEdge)

    @property
    def edges(self) -> list["DrawnEdge"]:
        """All of them, in a fixed order."""
        return [module for module in self.modules() if isinstance(module, DrawnEdge)]

    def genotype(self) -> Genotype:
        """The most probable operation of each edge, with every node fed and every input used."""
        logits: dict[tuple[str, int], dict[tuple[int, int], Tensor]] = {}
        for edge in self.edges:
            place = edge.place
            cell = logits.setdefault((place.kind, place.number), {})
            cell[place.node, place.source] = edge.logits.detach().cpu()
        plans: dict[str, list[CellPlan]] = {kind: [] for kind in KINDS}
        for (kind, _), edges in sorted(logits.items()):
            plans[kind].append(_most_probable(kind, edges))
        return Genotype(**{kind: tuple(found) for kind, found in plans.items()})


class DrawnEdge(nn.Module):
    """An edge that draws among its operations each time it is used."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.place = place
        names = operations(place.kind, place.source)
        self.choices = nn.ModuleList(
            _Nothing(place) if name == NONE else operation(name, place) for name in names
        )
        self.logits = nn.Parameter(torch.zeros(len(names)))
        self.temperature = 1.0
        self.pairs = False

    def forward(self, features: Tensor) -> Tensor:
        """What one drawn operation makes of the features, or the mixture of two."""
        noise = -torch.empty_like(self.logits).exponential_().log()
        disturbed = self.logits + noise
        if not self.pairs:
            answer: Tensor = self.choices[int(disturbed.argmax())](features)
            return answer
        first, second = disturbed.topk(2).indices.tolist()
        weights = torch.softmax(disturbed[[first, second]] / self.temperature, 0)
        mixed: Tensor = weights[0] * self.choices[first](features) + weights[1] * self.choices[second](
            features
        )
        return mixed


class _Nothing(nn.Module):
    """No connection: zeros of the shape that the other operations give."""

    def __init__(self, place: Place) -> None:
        super().__init__()
        self.stride = place.stride
        self.grows = place.kind == "expansion"

    def forward(self, features: Tensor) -> Tensor:
        sizes = zip(features.shape[2:], self.stride, strict=True)
        shape = [size * by if self.grows else size // by for size, by in sizes]
        return features.new_zeros(*features.shape[:2], *shape)


def search(
    network: Supernet,
    batches: Iterator[Batch],
    held_out: Iterator[Batch],
    settings: SearchSettings | None = None,
    loss: Loss = nn.functional.cross_entropy,
) -> Found:
    """Learn weights and structure in turn, and say which structure was learned.

    Args:
        network: Changed in place.
        batches: To learn the weights of; on the network's device.
        held_out: To learn the structure of; of other cases.
        settings: How long and how fast.
        loss: Of logits (B, classes, D, H, W) and classes.

    Raises:
        ConfigError: The batches end before the search does.
    """
    chosen = settings or SearchSettings()
    edges = network.edges
    structure = [edge.logits for edge in edges]
    known = {id(item) for item in structure}
    weights = [item for item in network.parameters() if id(item) not in known]
    weight_steps = torch.optim.AdamW(weights, chosen.weight_rate)
    structure_steps = torch.optim.Adam(structure, chosen.structure_rate, betas=(0.5, 0.999))
    network.decoder.deep_supervision = False
    losses = []
    with torch.random.fork_rng():
        torch.manual_seed(chosen.seed)
        for step in range(chosen.steps):
            _prepare(edges, chosen, step, pairs=False)
            losses.append(_step(network, _next(batches, step), weight_steps, loss))
            if step >= chosen.warm_up * chosen.steps:
                _prepare(edges, chosen, step, pairs=True)
                _step(network, _next(held_out, step), structure_steps, loss)
    certainty = [float(torch.softmax(item.detach(), 0).max()) for item in structure]
    return Found(network.genotype(), tuple(losses), sum(certainty) / len(certainty))


def _prepare(edges: Sequence[DrawnEdge], settings: SearchSettings, step: int, *, pairs: bool) -> None:
    """Say to every edge how to draw; the temperature falls by the same factor each step."""
    first, last = settings.temperature
    for edge in edges:
        edge.temperature = first * (last / first) ** (step / max(1, settings.steps - 1))
        edge.pairs = pairs


def _step(network: Supernet, batch: Batch, optimiser: torch.optim.Optimizer, loss: Loss) -> float:
    image, classes = batch
    network.zero_grad()
    value = loss(network(image), classes)
    value.backward()  # type: ignore[no-untyped-call] # torch
    optimiser.step()
    return float(value.detach())


def _next(batches: Iterator[Batch], step: int) -> Batch:
    try:
        return next(batches)
    except StopIteration as error:
        msg = f"The batches ended at step {step} of the search. Give an iterator without end."
        raise ConfigError(msg) from error


def _most_probable(kind: str, logits: dict[tuple[int, int], Tensor]) -> CellPlan:
    """A cell's operations; where a node would have no input or an input no use, its best edge gets one."""
    best = {edge: int(values.argmax()) for edge, values in logits.items()}
    nodes = sorted({node for node, _ in logits})
    groups = [[edge for edge in logits if edge[0] == node] for node in nodes]
    groups += [[edge for edge in logits if edge[1] == source] for source in range(input_count(kind))]
    for group in groups:
        if all(best[edge] == 0 for edge in group):
            edge = max(group, key=lambda item: float(logits[item][1:].max() - logits[item][0]))
            best[edge] = 1 + int(logits[edge][1:].argmax())
    return tuple(
        tuple(operations(kind, source)[best[node, source]] for source in range(input_count(kind) + node))
        for node in nodes
    )
