"""The warm model behind the service: the one place of `web` that reaches inference, and so torch."""

import threading
from dataclasses import dataclass
from pathlib import Path
from time import perf_counter
from typing import Any

import numpy as np

from wirsung.errors import CheckpointError, ConfigError
from wirsung.imaging.nifti import write_nifti
from wirsung.inference.finishing import missing_in
from wirsung.inference.predictor import LESION, How, Predictor
from wirsung.inference.sources import find_sources
from wirsung.web.settings import ServeSettings


@dataclass(frozen=True)
class Answer:
    """What the model said of one image."""

    file: Path
    """The label map, or the lesion's probability where that was asked for; NIfTI."""
    found: dict[str, int]
    """The structures in the label map: name and value, by value."""
    volumes_ml: dict[str, float]
    """Their volumes."""
    duration_s: float
    """Reading, predicting and writing."""
    notes: tuple[str, ...] = ()
    """What speaks against the image, and where no pancreas was found."""

    def as_json(self) -> dict[str, Any]:
        """For clients: `label_names` and `latencies` are the MONAI Label protocol's words.

        3D Slicer's module names the segments it finds one by one in the order of this table, so what is not
        in the label map must not be in it.
        """
        return {
            "label_names": self.found,
            "volumes_ml": {name: round(value, 3) for name, value in self.volumes_ml.items()},
            "latencies": {"total": round(self.duration_s, 3)},
            "notes": list(self.notes),
        }


class WarmModel:
    """A predictor, used by one request at a time."""

    def __init__(self, predictor: Predictor, name: str, *, is_strict: bool = False) -> None:
        self.name = name
        self.labels = {item.name: item.value for item in predictor.classes}
        self._predictor = predictor
        self._is_strict = is_strict
        self._one_at_a_time = threading.Lock()

    def __call__(self, image: Path, out: Path, *, lesion_probability: bool = False) -> Answer:
        """Predict one image.

        Args:
            image: A NIfTI file or the folder of a DICOM series.
            out: A folder for the answer's file.
            lesion_probability: Whether the file holds the lesion's probability instead of the label map.

        Raises:
            WirsungError: The image can't be read or predicted, or the model knows no lesion.
        """
        if lesion_probability and LESION not in self.labels:
            msg = f"The model {self.name} has no class {LESION}, so it can't say how probable one is."
            raise CheckpointError(msg)
        started = perf_counter()
        (source,) = find_sources(image, channels=self._predictor.channels).values()
        volumes, modality, remarks = source.read()
        with self._one_at_a_time:
            said = self._predictor.predict(
                volumes, lesion_probability=lesion_probability, modality=modality, strict=self._is_strict
            )
        counts = np.bincount(said.label_map.voxels.ravel(order="K"), minlength=max(self.labels.values()) + 1)
        millilitres = said.label_map.voxel_volume_mm3 / 1000
        by_value = sorted(self.labels.items(), key=lambda item: item[1])
        found = {name: value for name, value in by_value if counts[value]}
        file = out / ("lesion.nii.gz" if lesion_probability else "labels.nii.gz")
        write_nifti(file, said.lesion_probability or said.label_map)
        volumes_ml = {name: float(counts[value]) * millilitres for name, value in found.items()}
        notes = (*remarks, *said.warnings, *missing_in(said.label_map, self._predictor.classes))
        return Answer(file, found, volumes_ml, perf_counter() - started, notes)


def warm_model(settings: ServeSettings) -> WarmModel:
    """The model of the settings, loaded.

    Raises:
        ConfigError: No model is named, or there is no such device.
        CheckpointError: The model can't be used.
    """
    if settings.model is None:
        msg = "Which model? Name its folder with --model."
        raise ConfigError(msg)
    folds = None if settings.fold == "auto" else (settings.fold,)
    how = How(device=settings.device, folds=folds, preset=settings.preset)
    predictor = Predictor.load(settings.model, how=how)
    return WarmModel(predictor, settings.model.resolve().name, is_strict=settings.strict)
