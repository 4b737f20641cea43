"""A trained model, or several merged, loaded once, that turns volumes into label maps."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wirsung.errors import CheckpointError, ConfigError, ImageError
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.export import Meaning
from wirsung.inference.loading import LESION, How, Loaded, load_model
from wirsung.inference.merging import MergeTable, read_merge_table
from wirsung.inference.plausibility import check_place, warnings_of
from wirsung.inference.stage import Clock, Image, stacked
from wirsung.models.folder import ModelClass, modality_of

__all__ = ["LESION", "How", "Part", "Prediction", "Predictor"]


@dataclass(frozen=True)
class Prediction:
    """What a model says of one volume, on the volume's own grid."""

    label_map: Volume
    """Values of the model's scheme."""
    lesion_probability: Volume | None
    """0 to 1, float32; where it was asked for."""
    seconds: Mapping[str, float] = field(default_factory=dict)
    """Of each part of the work: preparing, locating, network, labels."""
    warnings: tuple[str, ...] = ()
    """What speaks against having given the volume to this model; see `plausibility`."""
    work: tuple[Mapping[str, Any], ...] = ()
    """What was done, stage by stage: tiles, and the region that was looked at."""


@dataclass(frozen=True)
class Part:
    """One model, and what it paints."""

    loaded: Loaded
    values: Mapping[int, int]
    """Code of a class to its value in the label map; a class that is not there leaves what others painted."""

    @property
    def channels(self) -> tuple[str, ...]:
        """What it is given, such as CT."""
        return self.loaded.stage.labels.channels

    def meaning(self, kind: type[np.unsignedinteger[Any]]) -> Meaning:
        """Of the outputs, as values of the label map."""
        own = self.loaded.stage.meaning
        values = np.array([self.values.get(code, 0) for code in range(len(own.values))], kind)
        return Meaning(values, own.regions)


@dataclass(frozen=True)
class Predictor:
    """A model ready to predict.

    Make it with `Predictor.load`, then call it with one volume after another.

    Example:
        predictor = Predictor.load(Path("model"))
        label_map = predictor(read_image(Path("ct.nii.gz")))
    """

    parts: tuple[Part, ...]
    """In the order in which they paint."""
    classes: tuple[ModelClass, ...]
    """Background excluded."""
    scheme: str | None
    sha256: str
    """Of the weights of all folds of all parts."""
    lesion: str = LESION
    """The class whose probability is the lesion's."""

    @classmethod
    def load(
        cls,
        model: Path,
        *,
        device: str = "auto",
        folds: Sequence[int | str] | None = None,
        mirror: bool = False,
        step: float | None = None,
        how: How | None = None,
    ) -> "Predictor":
        """The predictor of a model folder or zip, of Wirsung's or nnU-Net v2's making, or of a table of them.

        Args:
            model: With `plans.json`, `dataset.json` and `fold_0/` and so on; or a .toml, see `merging`.
            device: auto, cpu, cuda or mps.
            folds: Whose logits are averaged; None for every finished one.
            mirror: Whether to average over mirrored images.
            step: How far tiles are apart, as a fraction of the patch; None for as the preset of `how` says.
            how: Everything that can be chosen, in place of the arguments above.

        Raises:
            CheckpointError: The folder is not a model, is damaged, or needs what is unknown here.
            ConfigError: There is no such device, or the table of models is wrong.
        """
        chosen = how or How(device, None if folds is None else tuple(folds), mirror=mirror, step=step)
        if model.suffix == ".toml":
            return _merged(read_merge_table(model), chosen)
        loaded = load_model(model, chosen)
        part = Part(loaded, {item.index: item.value for item in loaded.classes})
        scheme = loaded.record.scheme if loaded.record else None
        return cls((part,), loaded.classes, scheme, loaded.sha256, chosen.lesion)

    def frugal(self) -> "Predictor":
        """The same model on less memory, slower; with the networks that are loaded already."""
        parts = tuple(
            replace(part, loaded=replace(part.loaded, stage=part.loaded.stage.frugal()))
            for part in self.parts
        )
        return replace(self, parts=parts)

    @property
    def networks(self) -> tuple[nn.Module, ...]:
        """One a fold and part, on the device."""
        return tuple(network for part in self.parts for network in part.loaded.stage.networks)

    @property
    def orientation(self) -> str | None:
        """The axis order that the first part learnt from; None leaves the volume as it is."""
        return self.parts[0].loaded.orientation

    @property
    def device(self) -> torch.device:
        """Where it runs."""
        return self.parts[0].loaded.stage.device

    @property
    def channels(self) -> tuple[str, ...]:
        """What it must be given, such as CT, in this order."""
        return self.parts[0].channels

    @property
    def finds_lesions(self) -> bool:
        """Whether one of the classes is the lesion."""
        return any(item.name == self.lesion for item in self.classes)

    def logits(self, prepared: torch.Tensor) -> torch.Tensor:
        """The logits (output, z, y, x) of a preprocessed image, by the first model."""
        return self.parts[0].loaded.stage.logits(prepared)

    def __call__(self, volume: Volume | Sequence[Volume]) -> Volume:
        """The label map of a volume in any orientation, on its own grid; all else is told by `predict`."""
        return self.predict(volume).label_map

    def predict(
        self,
        volume: Volume | Sequence[Volume],
        *,
        lesion_probability: bool = False,
        modality: str | None = None,
        strict: bool = False,
    ) -> Prediction:
        """What the model says of a volume in any orientation, or of several that are channels of one case.

        Args:
            volume: Of several channels all are brought into the axis order of the first.
            lesion_probability: Whether that is wanted too.
            modality: ct, t1, t2 or mr where it is known, other to z-score the image by itself.
            strict: Whether what would be a warning is an error.

        Raises:
            CheckpointError: A lesion's probability is wanted, but the model knows no lesion; or the number of
                channels is wrong.
            ConfigError: The model learnt other modalities.
            GeometryError: The channels lie on different grids, or their spacing is impossible.
            ImageError: What speaks against the volume, if `strict`.
        """
        volumes = _on_one_grid([volume] if isinstance(volume, Volume) else list(volume))
        painter = self._lesion_part() if lesion_probability else None
        warnings = self._checked(volumes, modality, strict=strict)
        clock, labels, probability = Clock(), None, None
        for part in self.parts:
            found, share = self._painted(part, volumes, part is painter, modality, clock)
            labels = found if labels is None else np.where(found != 0, found, labels)
            probability = share if part is painter else probability
        if labels is None:
            msg = "A predictor needs at least one model."
            raise CheckpointError(msg)
        lesion = None if probability is None else volumes[0].with_voxels(probability)
        seconds = {name: round(value, 3) for name, value in clock.seconds.items()}
        return Prediction(volumes[0].with_voxels(labels), lesion, seconds, warnings, tuple(clock.work))

    def _checked(self, volumes: Sequence[Volume], modality: str | None, *, strict: bool) -> tuple[str, ...]:
        """What speaks against the volumes, each sentence once."""
        for number, volume in enumerate(volumes):
            check_place(volume, f"Channel {number}" if number else "The image")
        found = {
            warning: None
            for part in self.parts
            for warning in warnings_of(volumes, part.loaded, modality_of(part.loaded.record, modality))
        }
        if strict and found:
            msg = f"{' '.join(found)} It is refused, as strict is on."
            raise ImageError(msg)
        return tuple(found)

    def _painted(
        self, part: Part, volumes: Sequence[Volume], wants_lesion: bool, modality: str | None, clock: Clock
    ) -> tuple[NDArray[Any], NDArray[np.float32] | None]:
        """What one part says, on the grid of the volumes."""
        loaded, first = part.loaded, volumes[0]
        codes, order = axis_codes(first.affine), loaded.orientation
        turned = [item if order is None else reorient(item, order) for item in volumes]
        x_mm, y_mm, z_mm = turned[0].spacing_mm
        known = modality_of(loaded.record, modality)
        image = Image(stacked([item.voxels for item in turned]), (z_mm, y_mm, x_mm), known)
        wanted = self._output(part) if wants_lesion else None
        made = loaded.stage.segment(image, meaning=part.meaning(self._kind), wanted=wanted, clock=clock)
        labels = _turned_back(turned[0], made.indices, codes)
        return labels, None if made.probability is None else _turned_back(turned[0], made.probability, codes)

    @property
    def _kind(self) -> type[np.unsignedinteger[Any]]:
        return np.uint8 if max((item.value for item in self.classes), default=0) < 256 else np.uint16

    def _lesion_part(self) -> Part:
        """The last part that knows the lesion."""
        for part in reversed(self.parts):
            if any(item.name == self.lesion for item in part.loaded.classes):
                return part
        names = ", ".join(item.name for item in self.classes)
        msg = f"The model has no class {self.lesion}; it knows {names}. Leave the lesion's probability out."
        raise CheckpointError(msg)

    def _output(self, part: Part) -> int:
        code = next(item.index for item in part.loaded.classes if item.name == self.lesion)
        return code - part.loaded.stage.labels.has_regions


def _merged(table: MergeTable, how: How) -> Predictor:
    parts = []
    for row in table.parts:
        own = replace(how, folds=row.folds if how.folds is None else how.folds, choose=row.choose)
        loaded = load_model(row.model, own)
        values = row.values([item.name for item in loaded.classes], table.classes)
        codes = {item.name: item.index for item in loaded.classes}
        parts.append(Part(loaded, {codes[name]: value for name, value in values.items()}))
    if len({len(part.channels) for part in parts}) > 1:
        msg = "The merged models take different numbers of channels. Merge those that take the same images."
        raise ConfigError(msg)
    painted = {value for part in parts for value in part.values.values()}
    missing = [name for name, value in table.classes.items() if value not in painted]
    if missing:
        msg = f"No part of the table gives {', '.join(missing)}. Add a part that does, or leave them out."
        raise ConfigError(msg)
    classes = tuple(ModelClass(value, value, name) for name, value in table.classes.items())
    return Predictor(
        tuple(parts), classes, table.scheme, "+".join(part.loaded.sha256 for part in parts), how.lesion
    )


def _on_one_grid(volumes: Sequence[Volume]) -> list[Volume]:
    first, *others = volumes
    names = [("the first channel", f"channel {number}") for number in range(2, len(volumes) + 1)]
    return [
        first,
        *(
            same_grid_as(item, first, case="to predict", names=pair)
            for item, pair in zip(others, names, strict=True)
        ),
    ]


def _turned_back(turned: Volume, found: NDArray[Any], codes: str) -> NDArray[Any]:
    """From (z, y, x) in the model's axis order to (i, j, k) in the image's; no voxel is copied."""
    return reorient(turned.with_voxels(found.transpose(2, 1, 0)), codes).voxels
