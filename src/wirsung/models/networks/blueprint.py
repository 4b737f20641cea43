"""A network without its weights: built in an instant, whatever its size, to be counted and costed."""

from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import nn
from torch.overrides import TorchFunctionMode


def blueprint(build: Callable[[], nn.Module]) -> nn.Module:
    """The network that `build` makes, with weights that have a shape and no memory.

    Example:
        >>> network = blueprint(lambda: nn.Conv3d(1024, 1024, 9))
        >>> count_parameters(network)
        764412928
    """
    with torch.device("meta"), _RealNumbers():
        return build()


def count_parameters(network: nn.Module) -> int:
    """How many numbers training changes.

    Example:
        >>> count_parameters(nn.Linear(3, 2))
        8
    """
    return sum(item.numel() for item in network.parameters() if item.requires_grad)


_DRAWS = frozenset({torch.Tensor.normal_, torch.Tensor.uniform_})
"""Drawing numbers that nobody keeps makes PyTorch import its compiler first, which takes a second."""


class _RealNumbers(TorchFunctionMode):
    """Lets networks read the numbers of a ramp while they are built, as schedules of drop rates do.

    And draws no weights.
    """

    def __torch_function__(
        self,
        func: Callable[..., Any],
        types: Sequence[type],
        args: Sequence[Any] = (),
        kwargs: dict[str, Any] | None = None,
    ) -> Any:  # noqa: ANN401 - whatever the function gives
        """The function itself; a ramp on the CPU."""
        if func in _DRAWS and args[0].is_meta:
            return args[0]
        given = dict(kwargs or {})
        if func is torch.linspace:
            given.setdefault("device", "cpu")
        return func(*args, **given)
