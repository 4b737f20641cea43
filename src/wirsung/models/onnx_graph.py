"""A network as an ONNX file: the answer to one patch, to be run where there is no torch."""

import copy
import json
import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, redirect_stderr, redirect_stdout
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
import torch
from torch import nn

from wirsung.compute.atomic import atomic_path
from wirsung.errors import ConfigError, MissingDependencyError

INPUT, OUTPUT, FACTS = "image", "logits", "wirsung"
TOLERANCE = 1e-4
"""How far the file's logits may be from torch's, as a fraction of the largest."""
ROUNDING = 10
"""Or how many times as far as torch's own are from those in double precision."""

_NEEDED = ("onnx", "onnxscript", "onnxruntime")
_MOST_BYTES = 2**31 - 2**24
"""Of one file of protocol buffers."""


@dataclass(frozen=True)
class Facts:
    """What goes into the file beside the network."""

    shape: tuple[int, ...]
    """Of the image: (1, channel, z, y, x)."""
    said: Mapping[str, Any]
    """For whoever runs it: JSON under the metadata key `wirsung`."""


def write_onnx(path: Path, network: nn.Module, facts: Facts) -> float:
    """Write the network for patches of one shape; the largest difference to torch, as a fraction.

    The file is run before it gets its name: one that answers otherwise than torch is never left.

    Raises:
        MissingDependencyError: onnx, onnxscript or onnxruntime is not installed.
        ConfigError: An operator of the network has no counterpart in ONNX, or the file would be too large.
    """
    missing = [name for name in _NEEDED if find_spec(name) is None]
    if missing:
        msg = f"ONNX needs {' and '.join(missing)}. Install with: pip install 'wirsung[onnx]'"
        raise MissingDependencyError(msg)
    size = sum(tensor.numel() * tensor.element_size() for tensor in network.state_dict().values())
    if size > _MOST_BYTES:
        held = f"{size / 2**30:.1f} GiB of weights"
        msg = f"The network has {held}, but an ONNX file holds 2 GiB. Export for nnU-Net instead."
        raise ConfigError(msg)
    image = torch.randn(facts.shape, generator=torch.Generator().manual_seed(0))
    with atomic_path(path) as partial:
        _export(partial, network, image)
        _describe(partial, facts.said)
        difference = _difference(partial, network, image)
        if not difference <= TOLERANCE and not difference <= ROUNDING * _rounding(network, image):
            msg = (
                f"The ONNX file answers otherwise than torch ({difference:.1e} of the largest logit, at most "
                f"{TOLERANCE:.0e} is allowed), so it was not kept. Export for nnU-Net."
            )
            raise ConfigError(msg)
    return difference


def _export(path: Path, network: nn.Module, image: torch.Tensor) -> None:
    with _quiet():
        try:
            torch.onnx.export(
                network,
                (image,),
                path,
                input_names=[INPUT],
                output_names=[OUTPUT],
                dynamo=True,
                external_data=False,
                verbose=False,
            )
        # The exporter raises what the operator's translation happens to raise.
        except Exception as error:
            name = type(network).__name__
            msg = f"{name} can't be written as ONNX ({type(error).__name__}). Export for nnU-Net instead."
            raise ConfigError(msg) from error


def _describe(path: Path, said: Mapping[str, Any]) -> None:
    import onnx

    model = onnx.load(path)
    onnx.checker.check_model(model)
    # The exporter's own notes hold paths of the machine that it ran on.
    graph = model.graph
    for item in (
        model,
        graph,
        *graph.node,
        *graph.value_info,
        *graph.input,
        *graph.output,
        *graph.initializer,
    ):
        del item.metadata_props[:]
        item.doc_string = ""
    onnx.helper.set_model_props(model, {FACTS: json.dumps(dict(said))})
    onnx.save(model, path)


def _difference(path: Path, network: nn.Module, image: torch.Tensor) -> float:
    """The largest difference between onnxruntime's logits and torch's, as a fraction of the largest logit."""
    onnxruntime = import_module("onnxruntime")  # has no types
    session = onnxruntime.InferenceSession(str(path), providers=["CPUExecutionProvider"])
    found = np.asarray(session.run([OUTPUT], {INPUT: image.numpy()})[0])
    with torch.inference_mode():
        wanted = network(image).numpy()
    return float(np.abs(found - wanted).max() / np.abs(wanted).max())


def _rounding(network: nn.Module, image: torch.Tensor) -> float:
    """What single precision costs this network in torch, as a fraction of the largest logit."""
    with torch.inference_mode():
        wanted = copy.deepcopy(network).double()(image.double())
        return float((network(image) - wanted).abs().max() / wanted.abs().max())


@contextmanager
def _quiet() -> Iterator[None]:
    """Without what the exporter prints, warns of and logs about itself."""
    loggers = [logging.getLogger(name) for name in ("torch.onnx", "onnxscript", "torch.export")]
    levels = [item.level for item in loggers]
    for item in loggers:
        item.setLevel(logging.CRITICAL)
    try:
        with warnings.catch_warnings(), redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            warnings.simplefilter("ignore")
            yield
    finally:
        for item, level in zip(loggers, levels, strict=True):
            item.setLevel(level)
