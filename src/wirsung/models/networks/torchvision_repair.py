"""timm, which Primus is made of, imports torchvision; this lets it where torchvision is of another build."""

import importlib
import sys
import warnings
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import torch

# torchvision describes these two to torch without looking whether its compiled half was loaded.
_OPERATORS = (
    "nms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
    "qnms(Tensor dets, Tensor scores, float iou_threshold) -> Tensor",
)
_declared: list[torch.library.Library] = []
"""Kept, because what a library declares lives as long as it does."""


@contextmanager
def importable_torchvision() -> Iterator[None]:
    """A block in which packages that import torchvision can be imported, quietly.

    Beside a torch for CPUs, pip installs a torchvision for CUDA, whose compiled half does not load and whose
    import then fails. Nothing here calls that half: its operators stay undefined, and using them an error.
    """
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # of other packages, at import
        try:
            importlib.import_module("torchvision")
        except RuntimeError:
            _declare_operators()
            importlib.import_module("torchvision")
        yield


def _declare_operators() -> None:
    for name in [name for name in sys.modules if name.split(".")[0] == "torchvision"]:
        del sys.modules[name]
    library: Any = torch.library.Library("torchvision", "FRAGMENT")  # type: ignore[no-untyped-call]
    for schema in _OPERATORS:
        library.define(schema)
    _declared.append(library)
