"""The search space of SCNAS and one point of it, a genotype, as data; no torch.

What is sure of the paper (its abstract, introduction and the caption of figure 1): a 3D U-Net whose layers
are cells; four types of cell, encoder-normal, reduction, decoder-normal and expansion; normal and resizing
cells in turn; every layer has a structure of its own; a cell is a directed acyclic graph with an operation
on each edge; operations are drawn by Gumbel-softmax, an edge at a time, and in the end each edge keeps one.

What is our reading, for no list was published: which operations there are, two nodes a cell, "none" among the
operations as what decides on connections, and that a cell's output is a 1 x 1 x 1 convolution of all its
nodes.
"""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from typing import Any

from wirsung.errors import ConfigError, near_names

SCHEMA = 1
NONE = "none"
NORMAL = (NONE, "identity", "conv", "dilated-conv", "planar-conv", "separable-conv")
"""On an edge that keeps the resolution; planar is 1 x 3 x 3 and then 3 x 1 x 1."""
REDUCTION = (NONE, "max-pool", "mean-pool", "strided-conv", "strided-dilated-conv")
EXPANSION = (NONE, "trilinear", "transposed-conv", "nearest-conv")
KINDS = ("encoder", "reduction", "decoder", "expansion")
"""Of cells; normal ones are called by the side they are on."""
_INPUTS = {"encoder": 1, "reduction": 1, "decoder": 2, "expansion": 1}
"""A decoder cell gets what comes up and the skip."""
_DEFAULT = "scnas_genotype.json"

CellPlan = tuple[tuple[str, ...], ...]
"""A node each; of a node an operation an edge, from the cell's inputs and then from the nodes before."""


def operations(kind: str, source: int) -> tuple[str, ...]:
    """What an edge of a cell may be: from an input of a resizing cell a resizing one, else a normal one.

    Example:
        >>> operations("expansion", 0)
        ('none', 'trilinear', 'transposed-conv', 'nearest-conv')
        >>> operations("expansion", 1)[1]
        'identity'
    """
    if source >= _INPUTS[kind]:
        return NORMAL
    return {"reduction": REDUCTION, "expansion": EXPANSION}.get(kind, NORMAL)


def input_count(kind: str) -> int:
    """How many inputs a cell of a kind has.

    Example:
        >>> input_count("decoder")
        2
    """
    return _INPUTS[kind]


@dataclass(frozen=True)
class Genotype:
    """One structure a cell; a network with more stages than the genotype repeats the last."""

    encoder: tuple[CellPlan, ...]
    """Stage 0 first, as in all."""
    reduction: tuple[CellPlan, ...]
    """From stage 0 to 1 first."""
    decoder: tuple[CellPlan, ...]
    expansion: tuple[CellPlan, ...]
    """From stage 1 to 0 first."""

    def __post_init__(self) -> None:
        for kind in KINDS:
            for number, plan in enumerate(getattr(self, kind)):
                _check(f"{kind} cell {number}", kind, plan)

    def cell(self, kind: str, number: int) -> CellPlan:
        """The structure of a cell.

        Raises:
            ConfigError: The genotype has no cell of that kind.
        """
        plans: tuple[CellPlan, ...] = getattr(self, kind)
        if not plans:
            msg = f"The genotype has no {kind} cell. Search with more stages."
            raise ConfigError(msg)
        return plans[min(number, len(plans) - 1)]

    def to_json(self) -> dict[str, Any]:
        """As plans and files hold it."""
        return {"schema": SCHEMA} | {
            kind: [[list(node) for node in plan] for plan in getattr(self, kind)] for kind in KINDS
        }


def parse_genotype(content: Mapping[str, Any]) -> Genotype:
    """A genotype from its JSON content; what else the content says, such as its origin, is left.

    Raises:
        ConfigError: It is none, or names operations that are not in the search space.

    Example:
        >>> cell = [["conv"]]
        >>> found = parse_genotype({"encoder": [cell], "reduction": [], "decoder": [], "expansion": []})
        >>> found.cell("encoder", 3)
        (('conv',),)
    """
    try:
        plans = {
            kind: tuple(tuple(tuple(map(str, node)) for node in plan) for plan in content[kind])
            for kind in KINDS
        }
    except (KeyError, TypeError) as error:
        msg = f"This is no genotype: {error}. It needs lists of cells named {', '.join(KINDS)}."
        raise ConfigError(msg) from error
    return Genotype(**plans)


@cache
def default_genotype() -> Genotype:
    """What our own search found on phantoms, and not the paper's; docs/concepts/comparison-networks.md."""
    text = files("wirsung.models.networks").joinpath(_DEFAULT).read_text(encoding="utf-8")
    return parse_genotype(json.loads(text))


def _check(name: str, kind: str, plan: Sequence[Sequence[str]]) -> None:
    """Every node has an input, every input is used, and every operation is known."""
    inputs = _INPUTS[kind]
    for number, node in enumerate(plan):
        if len(node) != inputs + number:
            msg = f"Node {number} of the genotype's {name} has {len(node)} edges, not {inputs + number}."
            raise ConfigError(msg)
        for source, operation in enumerate(node):
            known = operations(kind, source)
            if operation not in known:
                msg = f"The genotype's {name} has an edge {operation!r}. {near_names(operation, known)}"
                raise ConfigError(msg)
        if set(node) == {NONE}:
            msg = f"Node {number} of the genotype's {name} has no input. Give one of its edges an operation."
            raise ConfigError(msg)
    unused = [source for source in range(inputs) if all(node[source] == NONE for node in plan)]
    if unused:
        msg = f"The genotype's {name} uses nothing of input {unused[0]}. Give one of its edges an operation."
        raise ConfigError(msg)
