"""Batches that are read as small as what was drawn allows, and augmented where the network trains."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from functools import cached_property
from pathlib import Path
from typing import Any, Protocol, Self

import blosc2
import numpy as np
import torch
from acvl_utils.cropping_and_padding.bounding_boxes import crop_and_pad_nd
from batchgenerators.utilities.file_and_folder_operations import load_pickle
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from numpy.typing import NDArray

from wirsung.training.augmentation.batched import BatchedAugmentation
from wirsung.training.augmentation.crops import part
from wirsung.training.augmentation.drawing import Draw, draw
from wirsung.training.augmentation.recipe import OUTSIDE, Recipe

Batch = dict[str, Any]


class Crops:
    """nnU-Net's choice of cases and places; of each, what its draw needs.

    Args:
        chooser: nnU-Net's loader, whose enlarged patch is the recipe's.
        recipe: Of the training, or a still one.
    """

    def __init__(self, chooser: nnUNetDataLoader, recipe: Recipe) -> None:
        self._chooser = chooser
        self._recipe = recipe

    @torch.no_grad()
    def generate_train_batch(self) -> Batch:
        """One batch, drawn from the global random numbers as nnU-Net's loader does.

        Returns:
            The `images` and `labels` as they were read, the `draws` that they were read for, and `keys`.
        """
        chooser = self._chooser
        keys = chooser.get_indices()
        batch: Batch = {"images": [], "labels": [], "draws": [], "keys": keys}
        for index, key in enumerate(keys):
            is_forced = chooser.get_do_oversample(index)
            case = _Case(chooser._data, key)
            lower, _ = chooser.get_bbox(case.image.shape[1:], is_forced, case)
            drawn = self._drawn(case.image.shape[0])
            piece = part(self._recipe, drawn)
            box = [
                [int(low) + start, int(low) + start + size]
                for low, start, size in zip(lower, piece.start, piece.size, strict=True)
            ]
            batch["images"].append(torch.from_numpy(_read(case.image, box, 0, np.float32)))
            batch["labels"].append(torch.from_numpy(_read(case.labels, box, OUTSIDE, np.int16)))
            batch["draws"].append(drawn)
        return batch

    def _drawn(self, channels: int) -> Draw:
        seed = int(torch.randint(2**62, ()))
        return draw(self._recipe, channels, torch.Generator().manual_seed(seed))


class _Case(Mapping[Any, Any]):
    """A preprocessed case; as a mapping its `class_locations`, read when somebody asks for them."""

    def __init__(self, dataset: Any, key: str) -> None:  # noqa: ANN401 - nnU-Net has no types
        self._properties: Callable[[], Mapping[str, Any]]
        if isinstance(dataset, nnUNetDatasetBlosc2):
            stem = str(Path(dataset.source_folder) / key)
            self.image, self.labels = (
                blosc2.open(
                    urlpath=f"{stem}{suffix}.b2nd", mode="r", dparams={"nthreads": 1}, **dataset.mmap_kwargs
                )
                for suffix in ("", "_seg")
            )
            self._properties = lambda: load_pickle(f"{stem}.pkl")
        else:
            self.image, self.labels, _, properties = dataset.load_case(key)
            self._properties = lambda: properties

    @cached_property
    def _locations(self) -> Mapping[Any, Any]:
        locations: Mapping[Any, Any] = self._properties()["class_locations"]
        return locations

    def __getitem__(self, key: object) -> Any:  # noqa: ANN401 - coordinates
        return self._locations[key]

    def __iter__(self) -> Iterator[Any]:
        return iter(self._locations)

    def __len__(self) -> int:
        return len(self._locations)


class Batches(Protocol):
    """Batches of `Crops`, made here or in other processes."""

    def __next__(self) -> Batch:
        """The next one."""

    def close(self) -> None:
        """End the processes."""


class Augmented:
    """Batches of crops as nnU-Net's trainer wants them: `data` and `target` on the device, and `keys`."""

    def __init__(self, batches: Batches, recipe: Recipe, device: torch.device) -> None:
        self._batches = batches
        self._augmentation = BatchedAugmentation(recipe)
        self._device = device

    def __iter__(self) -> Self:
        return self

    def __next__(self) -> Batch:
        batch = next(self._batches)
        images, labels = (
            [array.to(self._device, non_blocking=True) for array in batch[name]]
            for name in ("images", "labels")
        )
        data, target = self._augmentation.apply(batch["draws"], images, labels)
        return {"data": data, "target": target, "keys": batch["keys"]}

    def close(self) -> None:
        """End the processes that read."""
        self._batches.close()


def recipe_of(trainer: Any, *, still: bool) -> Recipe:  # noqa: ANN401 - nnU-Net has no types
    """Of nnU-Net's trainer; a still one for its validation."""
    manager, configuration = trainer.label_manager, trainer.configuration_manager
    scales = trainer._get_deep_supervision_scales()
    regions = None
    if manager.has_regions:
        ignored = [] if manager.ignore_label is None else [manager.ignore_label]
        regions = [_values(region) for region in (*manager.foreground_regions, *ignored)]
    if still:
        return Recipe.unchanged(configuration.patch_size, scales, regions)
    configured = trainer.configure_rotation_dummyDA_mirroring_and_inital_patch_size()
    masked = configuration.use_mask_for_norm or ()
    return Recipe.of(configuration.patch_size, configured, masked, scales, regions)


def _read(stored: Any, box: Sequence[Sequence[int]], fill: int, dtype: type) -> NDArray[Any]:  # noqa: ANN401
    """A box of a case, filled up where it reaches beyond."""
    made: NDArray[Any] = crop_and_pad_nd(stored, box, fill)
    return np.ascontiguousarray(made, dtype=dtype)


def _values(region: int | Sequence[int]) -> Sequence[int]:
    return [region] if isinstance(region, int | np.integer) else region
