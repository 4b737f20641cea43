"""A trained model, loaded once, that turns volumes into label maps."""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wirsung.errors import CheckpointError
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.export import export
from wirsung.inference.sliding_window import Network, mirrored, sliding_window
from wirsung.models.device import choose_device
from wirsung.models.folder import ModelClass, Record, finished_folds, fold_folder, read_record
from wirsung.models.networks import build_architecture
from wirsung.models.plans import Configuration, Plans, read_label_table, read_plans
from wirsung.models.preprocessing import preprocess
from wirsung.models.weights import Weights, fill, load_weights

LESION = "pancreatic_lesion"


@dataclass(frozen=True)
class Prediction:
    """What a model says of one volume, on the volume's own grid."""

    label_map: Volume
    """Values of the model's scheme."""
    lesion_probability: Volume | None
    """0 to 1, float32; where it was asked for."""


@dataclass(frozen=True)
class Predictor:
    """A model ready to predict.

    Make it with `Predictor.load`, then call it with one volume after another.
    """

    plans: Plans
    configuration: Configuration
    classes: tuple[ModelClass, ...]
    """Background excluded."""
    networks: tuple[nn.Module, ...]
    """One a fold, on the device."""
    mirror_axes: tuple[int, ...]
    """The axes that it averages mirrored images over."""
    orientation: str | None
    """The axis order that the model learnt from; None leaves the volume as it is."""
    scheme: str | None
    sha256: str
    """Of the weights of all folds."""
    device: torch.device
    step: float = 0.5

    @classmethod
    def load(
        cls,
        model: Path,
        *,
        device: str = "auto",
        folds: Sequence[int | str] | None = None,
        mirror: bool = False,
        step: float = 0.5,
    ) -> "Predictor":
        """The predictor of a model folder, of Wirsung's or of nnU-Net v2's own making.

        Args:
            model: With `plans.json`, `dataset.json` and `fold_0/` and so on.
            device: auto, cpu, cuda or mps.
            folds: Whose logits are averaged; None for every finished one.
            mirror: Whether to average over mirrored images.
            step: How far tiles are apart, as a fraction of the patch.

        Raises:
            CheckpointError: The folder is not a model, is damaged, or needs what is unknown here.
            ConfigError: There is no such device.
        """
        plans, table, record = read_plans(model), read_label_table(model), read_record(model)
        weights = _weights(model, folds)
        configuration = plans.configuration(weights[0].configuration)
        place = choose_device(device)
        networks = []
        for item in weights:
            network = build_architecture(
                configuration.architecture, channels=len(table.channels), classes=len(table.labels)
            )
            fill(network, item.state)
            networks.append(_placed(network, place))
        return cls(
            plans=plans,
            configuration=configuration,
            classes=_classes(table.class_names, record),
            networks=tuple(networks),
            mirror_axes=weights[0].mirror_axes if mirror else (),
            orientation=_orientation(plans, record),
            scheme=record.scheme if record else None,
            sha256="-".join(item.sha256 for item in weights),
            device=place,
            step=step,
        )

    @property
    def finds_lesions(self) -> bool:
        """Whether one of the classes is the pancreatic lesion."""
        return any(item.name == LESION for item in self.classes)

    def __call__(self, volume: Volume, *, lesion_probability: bool = False) -> Prediction:
        """The label map of a volume in any orientation.

        Raises:
            CheckpointError: A lesion's probability is wanted, but the model knows no lesion.
        """
        wanted = self._lesion_index() if lesion_probability else None
        codes = axis_codes(volume.affine)
        turned = volume if self.orientation is None else reorient(volume, self.orientation)
        x_mm, y_mm, z_mm = turned.spacing_mm
        image = turned.voxels.transpose(2, 1, 0)[None]
        made = preprocess(image, (z_mm, y_mm, x_mm), self.plans, self.configuration)
        logits = self.logits(torch.from_numpy(made.image))
        exported = export(logits, made.placement, self.plans, self.configuration, probability_of=wanted)
        labels = self._values()[exported.indices].transpose(2, 1, 0)
        label_map = reorient(turned.with_voxels(labels), codes)
        probability = exported.probability
        if probability is None:
            return Prediction(_as(volume, label_map), None)
        turned_back = reorient(turned.with_voxels(probability.transpose(2, 1, 0)), codes)
        return Prediction(_as(volume, label_map), _as(volume, turned_back))

    @torch.inference_mode()
    def logits(self, image: torch.Tensor) -> torch.Tensor:
        """The logits (class, z, y, x) of a preprocessed image, averaged over the folds."""
        image = image.to(self.device)
        total: torch.Tensor | None = None
        for network in self.networks:
            with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
                found = sliding_window(
                    self._mirrored(network),
                    image,
                    self.configuration.patch_size,
                    classes=len(self.classes) + 1,
                    step=self.step,
                )
            total = found if total is None else total.add_(found)
        if total is None:
            msg = "A predictor needs at least one fold."
            raise CheckpointError(msg)
        return total.div_(len(self.networks))

    def _mirrored(self, network: nn.Module) -> Network:
        return mirrored(network, self.mirror_axes) if self.mirror_axes else network

    def _lesion_index(self) -> int:
        for item in self.classes:
            if item.name == LESION:
                return item.index
        names = ", ".join(item.name for item in self.classes)
        msg = f"The model has no class {LESION}; it knows {names}. Leave the lesion's probability out."
        raise CheckpointError(msg)

    def _values(self) -> NDArray[Any]:
        """Class index to value of the scheme, uint8 or uint16."""
        largest = max((item.value for item in self.classes), default=0)
        lookup: NDArray[Any] = np.zeros(len(self.classes) + 1, np.uint8 if largest < 256 else np.uint16)
        for item in self.classes:
            lookup[item.index] = item.value
        return lookup


def _weights(model: Path, folds: Sequence[int | str] | None) -> list[Weights]:
    chosen = _every_fold(model) if folds is None else tuple(map(str, folds))
    if not chosen:
        msg = f"{model} has no finished fold. Train one with: wirsung train DATASET {model}"
        raise CheckpointError(msg)
    weights = [load_weights(fold_folder(model, fold)) for fold in chosen]
    if len({item.configuration for item in weights}) > 1:
        msg = f"The folds {', '.join(chosen)} of {model} are of different configurations. Choose one."
        raise CheckpointError(msg)
    return weights


def _every_fold(model: Path) -> tuple[str, ...]:
    """The finished folds; the one that learnt from all cases only where it stands alone."""
    finished = finished_folds(model)
    return tuple(fold for fold in finished if fold.isdigit()) or finished


def _classes(names: Sequence[str], record: Record | None) -> tuple[ModelClass, ...]:
    if record is None:
        return tuple(ModelClass(index, index, name) for index, name in enumerate(names) if index)
    if tuple(item.name for item in record.classes) != tuple(names[1:]):
        msg = "wirsung.json and dataset.json of the model name different classes. Copy or train it anew."
        raise CheckpointError(msg)
    return record.classes


def _orientation(plans: Plans, record: Record | None) -> str | None:
    """nnU-Net takes volumes as they lie in the file, save with one of its readers."""
    if record is not None:
        return record.orientation
    return "RAS" if plans.content.get("image_reader_writer") == "NibabelIOWithReorient" else None


def _placed(network: nn.Module, device: torch.device) -> nn.Module:
    network.eval()
    if device.type == "cpu":
        # A quarter faster on a CPU, as in training.
        network = network.to(memory_format=torch.channels_last_3d)  # type: ignore[call-overload]
    return network.to(device)


def _as(volume: Volume, turned: Volume) -> Volume:
    """The voxels on the volume's very own affine, without the rounding of turning there and back."""
    return volume.with_voxels(np.ascontiguousarray(turned.voxels))
