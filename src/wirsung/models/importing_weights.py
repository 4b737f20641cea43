"""Bare weights, such as those of MedFormer or SuPreM: a state dict that says neither spacing nor labels.

With a model folder that they were trained like, they become a model; without one, a folder of weights that
`load_network` makes a network of, to be trained further.
"""

import copy
import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import torch
from safetensors import SafetensorError, safe_open
from torch import nn

from wirsung import __version__
from wirsung.compute.atomic import write_bytes, write_json
from wirsung.errors import CheckpointError, ConfigError
from wirsung.models.folder import fold_folder
from wirsung.models.importing_nnunet import ImportedModel, import_nnunet
from wirsung.models.networks import build_architecture, entry
from wirsung.models.networks.blueprint import blueprint
from wirsung.models.plans import DATASET_FILE, PLANS_FILE, Architecture, parse_plans, read_labels, read_plans
from wirsung.models.state_dicts import Recognised, recognise, unwrapped
from wirsung.models.weights import (
    WEIGHTS_FILE,
    State,
    Weights,
    listed,
    misfits,
    read_torch_file,
    save_weights,
    unique,
)

NETWORK_FILE = "network.json"
_SCHEMA = 1
_FULL_RESOLUTION = "3d_fullres"


@dataclass(frozen=True)
class ImportedWeights:
    """A folder of weights without plans."""

    folder: Path
    network: str
    """As the catalog calls it."""
    channels: int
    classes: int | None
    """None where the weights have no output layer of the network's own."""
    weights_sha256: str
    notes: tuple[str, ...]

    def __fspath__(self) -> str:
        return str(self.folder)

    def lines(self) -> list[str]:
        """For the terminal."""
        answer = "no output layer" if self.classes is None else f"{self.classes} outputs"
        said = f"{self.folder}: weights of {self.network} for {self.channels} channel(s), {answer}, imported."
        return [said, *self.notes]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {
            "weights": str(self.folder),
            "network": self.network,
            "channels": self.channels,
            "classes": self.classes,
            "weights_sha256": self.weights_sha256,
            "notes": list(self.notes),
        }


def is_bare(path: Path) -> bool:
    """Whether a file of weights is anything but a checkpoint of nnU-Net v2.

    Raises:
        CheckpointError: It is damaged, or holds what could run code.
    """
    if path.suffix == ".safetensors":
        return True
    content = read_torch_file(path)
    return not (isinstance(content, Mapping) and "network_weights" in content and "init_args" in content)


def import_weights(
    path: Path, out: Path, *, network: str | None = None, like: Path | None = None
) -> ImportedModel | ImportedWeights:
    """Make a model, or a folder of weights, of a state dict.

    Args:
        path: A `.pth` or `.safetensors`.
        out: The folder to write.
        network: Its name in the catalog; None tells it by the names of the weights.
        like: A model folder whose plans and labels the weights were trained by.

    Raises:
        CheckpointError: The file is damaged, holds what could run code, is of no network of the catalog, or
            lacks weights.
        ConfigError: `like` has other channels or classes than the weights.
        MissingDependencyError: The network needs a package that is not installed.
    """
    found = recognise(*_state(path), network=network, source=str(path))
    if like is None:
        return _write_weights(path, out, found)
    return _write_model(path, out, found, like)


def load_network(folder: Path) -> nn.Module:
    """The network of a folder of weights; without an output layer it gets a fresh one, of two classes.

    Raises:
        CheckpointError: The folder is damaged, or is none of weights.
    """
    try:
        content = json.loads((folder / NETWORK_FILE).read_text(encoding="utf-8"))
        found = Recognised(
            network=content["network"],
            arguments=dict(content["arguments"]),
            channels=int(content["channels"]),
            classes=content["classes"],
            state=_safetensors(folder / WEIGHTS_FILE),
            fresh=tuple(content["fresh"]),
        )
        architecture = _architecture(found)
    except (OSError, ValueError, KeyError, TypeError, ConfigError) as error:
        msg = f"{folder / NETWORK_FILE} is damaged or missing. Import the weights anew."
        raise CheckpointError(msg) from error
    network = build_architecture(architecture, channels=found.channels, classes=found.classes or 2)
    _check(network.state_dict(), found, str(folder))
    network.load_state_dict(found.state, strict=False)
    return network


def _state(path: Path) -> tuple[State, str]:
    """The tensors of a file, and under which key they lay in it."""
    if path.suffix == ".safetensors":
        return _safetensors(path), ""
    return unwrapped(read_torch_file(path), str(path))


def _safetensors(path: Path) -> State:
    try:
        with safe_open(path, framework="pt") as file:
            return {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
    except (SafetensorError, OSError) as error:
        msg = f"{path} is damaged or no safetensors file. Copy it anew."
        raise CheckpointError(msg) from error


def _check(wanted: Mapping[str, torch.Tensor], found: Recognised, source: str) -> None:
    """Refuse weights that do not fit; only those that the network makes afresh may be missing."""
    needed = {
        name: value
        for name, value in unique(wanted).items()
        if name in found.state or not name.startswith(found.fresh)
    }
    problems = misfits(needed, found.state)
    if problems:
        msg = f"{source}: the weights do not fit {found.network}: {listed(problems)}. Name another --network."
        raise CheckpointError(msg)


def _architecture(found: Recognised) -> Architecture:
    item = entry(found.network)
    return Architecture(item.class_path, found.arguments, item.imported)


def _check_shapes(found: Recognised, source: str) -> None:
    wanted, classes = _architecture(found), found.classes or 2
    network = blueprint(lambda: build_architecture(wanted, channels=found.channels, classes=classes))
    _check(network.state_dict(), found, source)


def _write_weights(path: Path, out: Path, found: Recognised) -> ImportedWeights:
    _check_shapes(found, str(path))
    if (out / PLANS_FILE).is_file():
        msg = f"{out} holds a model. Choose another folder for these weights."
        raise ConfigError(msg)
    weights = Weights(found.state, _FULL_RESOLUTION, ())
    save_weights(out / WEIGHTS_FILE, weights)
    notes = (*found.notes, "To predict with them, name a model folder with --like whose plans they follow.")
    content = {
        "schema": _SCHEMA,
        "created_by": f"wirsung {__version__}",
        "source": path.name,
        "network": found.network,
        "arguments": dict(found.arguments),
        "channels": found.channels,
        "classes": found.classes,
        "fresh": list(found.fresh),
        "weights_sha256": weights.sha256,
        "notes": list(notes),
    }
    write_json(out / NETWORK_FILE, content)
    return ImportedWeights(out, found.network, found.channels, found.classes, weights.sha256, notes)


def _write_model(path: Path, out: Path, found: Recognised, like: Path) -> ImportedModel:
    """A model folder with the plans of `like`, but this network."""
    labels = read_labels(like)
    if found.classes is None:
        msg = (
            f"{path} has no output layer of {found.network}'s own, so it can be trained further but can't "
            "predict. Leave --like out."
        )
        raise CheckpointError(msg)
    if (found.channels, found.classes) != (len(labels.channels), len(labels.outputs)):
        said = f"{len(labels.channels)} channel(s) and {len(labels.outputs)} outputs"
        has = f"{found.channels} and {found.classes}"
        msg = f"{like} is for {said}, but the weights are for {has}. Name another --like."
        raise ConfigError(msg)
    content = copy.deepcopy(dict(read_plans(like).content))
    name = _configuration(content, found)
    content["configurations"][name]["architecture"] = _architecture(found).as_plan()
    out.parent.mkdir(parents=True, exist_ok=True)
    with tempfile.TemporaryDirectory(prefix=".partial-import-", dir=out.parent) as folder:
        made = Path(folder) / path.name
        save_weights(fold_folder(made, "all") / WEIGHTS_FILE, Weights(found.state, name, ()))
        write_bytes(made / DATASET_FILE, (like / DATASET_FILE).read_bytes())
        write_json(made / PLANS_FILE, content)
        imported = import_nnunet(made, out)
    note = f"How an image is prepared, and what an output means, is what {like.resolve().name} says."
    return replace(imported, notes=(*imported.notes, *found.notes, note))


def _configuration(content: Mapping[str, Any], found: Recognised) -> str:
    """The name of the configuration that the weights are put under; its patch must suit the network."""
    names = list(content["configurations"])
    name = _FULL_RESOLUTION if _FULL_RESOLUTION in names else names[0]
    entry(found.network).fit(parse_plans(content).configuration(name))
    return name
