"""Patches that are centred on the lesion, in a case that has one; the others are drawn as nnU-Net does."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from batchgenerators.utilities.file_and_folder_operations import load_pickle

from wirsung.compute.atomic import write_json
from wirsung.models.plans import Plans
from wirsung.training.batch_size import lesion_patches_of
from wirsung.training.workspace import CONFIGURATION

CASES_FILE = "lesion_cases.json"
"""Beside the folder of preprocessed cases: which of them hold the lesion."""

_THREADS = 8


class Loader(Protocol):
    """nnU-Net's data loader, or one that draws with the same methods."""

    batch_size: int
    indices: Sequence[str]
    get_indices: Any
    get_do_oversample: Any
    get_bbox: Any


class LesionCentring:
    """Draws for a loader: the first patches of a batch are centred on the lesion, as the fraction says.

    Of four patches at 0.25 it is one in every batch, of two patches one in about every second batch.

    Args:
        loader: Its cases, places and forced patches are asked for here from now on.
        label: The lesion's.
        wanted: Patches of a batch that are centred on it, on average.
        cases: Those of the loader's that hold the lesion; without any, all stays as it was.
    """

    def __init__(self, loader: Loader, label: int, wanted: float, cases: Sequence[str]) -> None:
        self._loader = loader
        self._cases = list(cases)
        self._label = label
        self._wanted = wanted
        self._is_forced = loader.get_do_oversample
        self._centred_ones = 0
        self._is_centred = False
        if self._cases and self._wanted:
            loader.get_indices = self.get_indices
            loader.get_do_oversample = self.get_do_oversample
            loader.get_bbox = self.get_bbox

    def get_indices(self) -> Sequence[str]:
        """The cases of a batch."""
        drawn: Any = type(self._loader).get_indices(self._loader)
        whole, rest = divmod(self._wanted, 1)
        self._centred_ones = int(whole) + int(rest > 0 and np.random.uniform() < rest)  # noqa: NPY002
        for index in range(self._centred_ones):
            drawn[index] = self._cases[np.random.choice(len(self._cases))]  # noqa: NPY002 - nnU-Net's own
        found: Sequence[str] = drawn
        return found

    def get_do_oversample(self, index: int) -> bool:
        """Whether the patch with that index is centred on a voxel of a class."""
        self._is_centred = index < self._centred_ones
        return self._is_centred or bool(self._is_forced(index))

    def get_bbox(
        self,
        shape: Sequence[int],
        force_fg: bool,
        class_locations: Mapping[Any, Any] | None,
        overwrite_class: Any = None,  # noqa: ANN401 - a label or a region
        verbose: bool = False,
    ) -> tuple[list[int], list[int]]:
        """The patch's place, of which nnU-Net asks right after whether it is forced."""
        wanted = self._label if self._is_centred else overwrite_class
        found: tuple[list[int], list[int]] = type(self._loader).get_bbox(
            self._loader, shape, force_fg, class_locations, wanted, verbose
        )
        return found


def centre_on_lesion(loader: Loader, plans: Plans, folder: Path, rank: int = 0, processes: int = 1) -> None:
    """Let a loader of nnU-Net's draw what the plans say of the lesion's patches.

    Args:
        loader: Not yet copied to other processes.
        plans: Where they say nothing, as nnU-Net's own do, the loader stays as it was.
        folder: Of the preprocessed cases.
        rank: Of the process, where several share each batch.
        processes: How many share it.
    """
    patches = lesion_patches_of(plans)
    if patches is None or patches.label is None:
        return
    batch = plans.configuration(CONFIGURATION).batch_size
    wanted = share_of(patches.fraction * batch, batch, rank, processes)
    if wanted > 0:
        LesionCentring(
            loader, patches.label, wanted, lesion_cases(folder, list(loader.indices), patches.label)
        )


def share_of(wanted: float, batch: int, rank: int, processes: int) -> float:
    """Of the patches that are wanted, which are the first of the batch, those of one process.

    Example:
        >>> [share_of(1.5, 4, rank, 2) for rank in (0, 1)]
        [1.5, 0.0]
        >>> [share_of(3.0, 5, rank, 2) for rank in (0, 1)]
        [3.0, 0.0]
        >>> [share_of(3.5, 5, rank, 2) for rank in (0, 1)]
        [3.0, 0.5]
    """
    each, more = divmod(batch, processes)
    own, before = each + (rank < more), rank * each + min(rank, more)
    return float(min(max(wanted - before, 0), own))


def lesion_cases(folder: Path, cases: Sequence[str], label: int) -> tuple[str, ...]:
    """Those of the preprocessed cases that hold the label; what was found once is kept beside them.

    Args:
        folder: Of the preprocessed cases.
        cases: Their ids.
        label: The lesion's class index.
    """
    path = folder.parent / CASES_FILE
    known = _known(path, label)
    states = {case: _state(folder / f"{case}.pkl") for case in cases}
    new = [case for case in cases if known.get(case, {}).get("state") != states[case]]
    if new:
        with ThreadPoolExecutor(_THREADS) as pool:
            found = list(pool.map(lambda case: _holds(folder / f"{case}.pkl", label), new))
        known |= {
            case: {"state": states[case], "holds": holds} for case, holds in zip(new, found, strict=True)
        }
        write_json(path, {"schema": 1, "label": label, "cases": known})
    return tuple(case for case in cases if known[case]["holds"])


def _holds(path: Path, label: int) -> bool:
    # Our own file, which nnU-Net's loader opens too.
    locations = load_pickle(str(path))["class_locations"]
    return len(locations.get(label, ())) > 0


def _state(path: Path) -> list[int]:
    stat = path.stat()
    return [stat.st_size, stat.st_mtime_ns]


def _known(path: Path, label: int) -> dict[str, Any]:
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return dict(content["cases"]) if content["label"] == label else {}
    except (OSError, ValueError, KeyError, TypeError):
        return {}
