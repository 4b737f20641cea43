"""Weights of a network: safetensors, and nnU-Net's own `.pth` without running what a pickle says."""

import hashlib
import json
import pickle
import warnings
import zipfile
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import nn

from wirsung.compute.atomic import atomic_path
from wirsung.errors import CheckpointError

WEIGHTS_FILE = "weights.safetensors"
CHECKPOINT_FILE = "checkpoint_final.pth"
_MOST_SWELLING = 4
_SMALL_BYTES = 64 * 2**20

State = dict[str, torch.Tensor]


@dataclass(frozen=True)
class Weights:
    """A network's weights and what nnU-Net keeps beside them."""

    state: State
    """Each tensor once."""
    configuration: str
    """The configuration of the plans, such as 3d_fullres."""
    mirror_axes: tuple[int, ...]
    """The axes (after transposing; 0 is the first) that training mirrored, so that inference may."""
    trainer: str = "nnUNetTrainer"

    @property
    def sha256(self) -> str:
        """Of the tensors: the same for a `.pth` and the safetensors made from it."""
        digest = hashlib.sha256()
        for name in sorted(self.state):
            tensor = self.state[name].detach().cpu().contiguous()
            digest.update(f"{name} {tensor.dtype} {tuple(tensor.shape)}\n".encode())
            digest.update(tensor.reshape(-1).view(torch.uint8).numpy().tobytes())
        return digest.hexdigest()


def unique(state: Mapping[str, torch.Tensor]) -> State:
    """The state without nnU-Net's second names: `decoder.encoder.*` and `...all_modules.*`.

    Example:
        >>> one = torch.ones(1)
        >>> sorted(unique({"encoder.stem.weight": one, "decoder.encoder.stem.weight": one}))
        ['encoder.stem.weight']
    """
    plain = {name.removeprefix("module.").removeprefix("_orig_mod."): value for name, value in state.items()}
    return {name: value for name, value in plain.items() if not _is_second_name(name)}


def save_weights(path: Path, weights: Weights) -> None:
    """Write a safetensors file."""
    metadata = {
        "format": "pt",
        "wirsung_schema": "1",
        "configuration": weights.configuration,
        "mirror_axes": json.dumps(list(weights.mirror_axes)),
        "trainer": weights.trainer,
    }
    tensors: State = {}
    known: set[int] = set()
    for name, tensor in weights.state.items():
        own = tensor.detach().cpu().contiguous()
        # safetensors refuses two names of one memory, as tied weights have.
        tensors[name] = own.clone() if own.untyped_storage().data_ptr() in known else own
        known.add(own.untyped_storage().data_ptr())
    with atomic_path(path) as partial:
        save_file(tensors, partial, metadata)


def load_weights(fold: Path) -> Weights:
    """The weights of a fold's folder: its safetensors where there is one, else its `.pth`.

    Raises:
        CheckpointError: Neither is there, or the file is damaged or holds more than tensors and numbers.
    """
    if (fold / WEIGHTS_FILE).is_file():
        return read_safetensors(fold / WEIGHTS_FILE)
    if (fold / CHECKPOINT_FILE).is_file():
        return checkpoint_weights(read_checkpoint(fold / CHECKPOINT_FILE))
    msg = f"{fold} has neither {WEIGHTS_FILE} nor {CHECKPOINT_FILE}. Train this fold to its end."
    raise CheckpointError(msg)


def read_safetensors(path: Path) -> Weights:
    """The weights in a file that `save_weights` wrote.

    Raises:
        CheckpointError: It is damaged, or not such a file.
    """
    try:
        with safe_open(path, framework="pt") as file:
            metadata = file.metadata() or {}
            state = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118 - not a mapping
        axes = json.loads(metadata["mirror_axes"])
        return Weights(state, metadata["configuration"], tuple(map(int, axes)), metadata["trainer"])
    except (SafetensorError, OSError) as error:
        msg = f"{path} is damaged or no safetensors file. Copy or train it anew."
        raise CheckpointError(msg) from error
    except (KeyError, ValueError, TypeError) as error:
        msg = f"{path} does not say its {error}; it was not written by Wirsung. Use the .pth beside it."
        raise CheckpointError(msg) from error


def read_checkpoint(path: Path, device: torch.device | str = "cpu") -> dict[str, Any]:
    """The content of an nnU-Net checkpoint: tensors, numbers, words; nothing that a pickle could run.

    Raises:
        CheckpointError: It is damaged, not of nnU-Net v2, or holds anything else.
    """
    content = read_torch_file(path, device)
    if not isinstance(content, dict) or not is_state(content.get("network_weights")):
        msg = f"{path} is no checkpoint of nnU-Net v2. Only those can be read."
        raise CheckpointError(msg)
    return content


def is_state(content: object) -> bool:
    """Whether it is a mapping of names to tensors.

    Example:
        >>> is_state({"a": torch.ones(1)}), is_state({"a": 1}), is_state(None)
        (True, False, False)
    """
    if not isinstance(content, Mapping):
        return False
    return all(isinstance(name, str) and isinstance(item, torch.Tensor) for name, item in content.items())


def read_torch_file(path: Path, device: torch.device | str = "cpu") -> Any:  # noqa: ANN401 - whatever it holds
    """The content of a file of `torch.save`: tensors, numbers, words; nothing that a pickle could run.

    Raises:
        CheckpointError: It is damaged, or holds anything else.
    """
    _check_swelling(path)
    try:
        with _numpy_scalars(), warnings.catch_warnings():
            # A pickle of another protocol is damaged or foreign; either is an error below, not a warning.
            warnings.simplefilter("ignore")
            return torch.load(path, map_location=device, weights_only=True)
    except pickle.UnpicklingError as error:
        msg = (
            f"{path} holds more than tensors and numbers, so opening it could run foreign code. "
            "Ask its author for safetensors."
        )
        raise CheckpointError(msg) from error
    except (RuntimeError, OSError, EOFError, ValueError, LookupError, AttributeError, TypeError) as error:
        msg = f"{path} is damaged or no checkpoint. Copy or train it anew."
        raise CheckpointError(msg) from error


def _check_swelling(path: Path) -> None:
    """Refuse a zip bomb before anything of it is inflated; torch itself stores without compression."""
    try:
        with zipfile.ZipFile(path) as archive:
            total = sum(info.file_size for info in archive.infolist())
        stored = path.stat().st_size
    except (OSError, ValueError, zipfile.BadZipFile, NotImplementedError):
        return  # older files are no zips; whatever else it is, reading it says so
    if total > _MOST_SWELLING * stored + _SMALL_BYTES:
        msg = (
            f"{path} has {stored:,} bytes, but would swell to {total:,} when it is opened, as no checkpoint "
            "does. Ask its author for safetensors."
        )
        raise CheckpointError(msg)


def check_finite(state: Mapping[str, torch.Tensor], source: str) -> None:
    """Do nothing where every weight is a number.

    Raises:
        CheckpointError: Some are NaN or infinite, as after a training that diverged.

    Example:
        >>> check_finite({"a": torch.ones(2), "steps": torch.tensor(3)}, "weights.safetensors")
    """
    wrong = [name for name, value in state.items() if not bool(torch.isfinite(value).all())]
    if wrong:
        msg = (
            f"{source}: NaN or infinite are weights of {listed(wrong, most=2)}, as after a training that "
            f"diverged. Use another checkpoint or fold, or train it anew."
        )
        raise CheckpointError(msg)


def checkpoint_weights(content: Mapping[str, Any]) -> Weights:
    """The weights from an nnU-Net checkpoint's content.

    Raises:
        CheckpointError: It does not say its configuration.
    """
    try:
        configuration = str(content["init_args"]["configuration"])
        trainer = str(content["trainer_name"])
        axes = tuple(map(int, content.get("inference_allowed_mirroring_axes") or ()))
    except (KeyError, TypeError, ValueError) as error:
        msg = f"The checkpoint does not say its {error}. Only those of nnU-Net v2 can be read."
        raise CheckpointError(msg) from error
    return Weights(unique(content["network_weights"]), configuration, axes, trainer)


def fill(network: nn.Module, state: Mapping[str, torch.Tensor]) -> None:
    """Put the weights into the network.

    Raises:
        CheckpointError: A weight is missing, left over, or of another shape.
    """
    problems = misfits(unique(network.state_dict()), state)
    if problems:
        msg = f"The weights do not fit the plans' network: {listed(problems)}. Get the whole folder anew."
        raise CheckpointError(msg)
    network.load_state_dict(dict(state), strict=False)


def misfits(wanted: Mapping[str, torch.Tensor], state: Mapping[str, torch.Tensor]) -> list[str]:
    """What is missing from the state, left over in it, or of another shape; one phrase each.

    Example:
        >>> misfits({"a": torch.ones(2), "b": torch.ones(1)}, {"a": torch.ones(3), "c": torch.ones(1)})
        ['b is missing', 'c is left over', 'a has shape (3,), not (2,)']
    """
    problems = [f"{name} is missing" for name in wanted if name not in state]
    problems += [f"{name} is left over" for name in state if name not in wanted]
    problems += [
        f"{name} has shape {tuple(state[name].shape)}, not {tuple(wanted[name].shape)}"
        for name in wanted
        if name in state and state[name].shape != wanted[name].shape
    ]
    return problems


def listed(problems: Sequence[str], most: int = 4) -> str:
    """The first few phrases, and how many there are beyond.

    Example:
        >>> listed(["a", "b", "c"], most=2)
        'a, b and 1 more'
    """
    more = f" and {len(problems) - most} more" if len(problems) > most else ""
    return ", ".join(problems[:most]) + more


def _is_second_name(name: str) -> bool:
    return name.startswith("decoder.encoder.") or ".all_modules." in name


@contextmanager
def _numpy_scalars() -> Iterator[None]:
    """Let through the numpy numbers of nnU-Net's training log, under their names of numpy 1 and 2."""
    scalar: Any = np.float64(0).__reduce__()[0]
    number_types = [type(np.dtype(kind)) for kind in ("f2", "f4", "f8", "i4", "i8", "b1")]
    with torch.serialization.safe_globals(
        [
            (scalar, "numpy._core.multiarray.scalar"),
            (scalar, "numpy.core.multiarray.scalar"),
            np.dtype,
            *number_types,
        ]
    ):
        yield
