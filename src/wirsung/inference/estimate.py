"""What a case costs with a warm model on its device: measured on a piece of one of the user's own cases.

The case is read, two pieces of it are predicted, a thin and a thicker one, and a label map is written to a
temporary folder. The network costs by tiles, everything else by voxels; memory grows as from the one piece to
the other.
"""

import tempfile
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from time import perf_counter

import torch

from wirsung.compute.peak_memory import forget_peak, peak_bytes
from wirsung.imaging.volume import Volume
from wirsung.inference.case import CaseTask, CaseWork
from wirsung.inference.extents import Extent, tiles_of
from wirsung.inference.sources import Source

_ENOUGH_S = 15.0
"""Of the network, for the thicker piece."""
_THIN = 8
"""Slices of the thinner one."""
_OF_THE_DRIVER = 500_000_000
"""Bytes of a GPU that PyTorch does not count: CUDA's own."""


@dataclass(frozen=True)
class Rates:
    """What a case costs; of bytes what any case takes, and what each voxel adds."""

    reading_s: float
    """Per million voxels."""
    computing_s: float
    """Per million voxels, without the network."""
    writing_s: float
    """Per million voxels, with what is done after the network."""
    tile_s: float
    """Of the network."""
    written_bytes: float
    """Per voxel, compressed."""
    memory_bytes: tuple[float, float]
    gpu_bytes: tuple[float, float]
    """0 without a GPU."""
    case: str
    """On which it was measured."""


@dataclass(frozen=True)
class _Sample:
    """What one piece took."""

    voxels: int
    tiles: int
    computing_s: float
    network_s: float
    writing_s: float
    written_bytes: int
    peak_bytes: int
    gpu_bytes: int


def measured(work: CaseWork, source: Source) -> Rates:
    """What that case costs, from two pieces of it.

    Raises:
        WirsungError: It can't be read or predicted.
    """
    started = perf_counter()
    volumes, modality, _ = source.read()
    reading_s = perf_counter() - started
    slices = volumes[0].shape[2]
    thin = min(_THIN, slices)
    _sample(work, source, modality, _piece(volumes, thin))  # a first call also compiles
    small = _sample(work, source, modality, _piece(volumes, thin))
    thick = _thickness(work, volumes, small.network_s / small.tiles)
    large = _sample(work, source, modality, _piece(volumes, thick)) if thick > thin else small
    voxels, millions = _extent(volumes).voxels, large.voxels / 1e6
    # Beside the case that is computed, the next one lies read, and of the last its labels.
    around = 2 * sum(volume.voxels.itemsize for volume in volumes) + 1
    held = sum(volume.voxels.nbytes for volume in volumes)
    base, slope = _line(small, large, "peak_bytes")
    return Rates(
        reading_s / voxels * 1e6,
        large.computing_s / millions,
        large.writing_s / millions,
        large.network_s / large.tiles,
        large.written_bytes / large.voxels,
        (base - held, slope + around),
        _line(small, large, "gpu_bytes"),
        source.case,
    )


def _thickness(work: CaseWork, volumes: Sequence[Volume], tile_s: float) -> int:
    """Slices of the thicker piece: all, where that is soon done."""
    count = volumes[0].shape[2]
    while (
        count > 2 * _THIN and tiles_of(work.predictor, _extent(_piece(volumes, count))) * tile_s > _ENOUGH_S
    ):
        count //= 2
    return count


def _sample(work: CaseWork, source: Source, modality: str | None, volumes: Sequence[Volume]) -> _Sample:
    """Predict and write one piece."""
    _forget_peaks()
    with tempfile.TemporaryDirectory(prefix="wirsung-plan-") as name:
        own = replace(work, settings=replace(work.settings, out=Path(name), strict=False))
        made = own.compute_volumes(CaseTask(source, ""), tuple(volumes), modality)
        started = perf_counter()
        written = own.store(made)
        writing_s = perf_counter() - started
        size = sum(path.stat().st_size for path in Path(name).iterdir())
    seconds = written.predicted.seconds
    network_s = seconds["network"] + seconds.get("locating", 0.0)
    extent = _extent(volumes)
    return _Sample(
        extent.voxels,
        tiles_of(work.predictor, extent),
        sum(seconds.get(part, 0.0) for part in ("preparing", "labels")),
        network_s,
        writing_s,
        size,
        peak_bytes(),
        torch.cuda.max_memory_reserved() + _OF_THE_DRIVER if work.predictor.device.type == "cuda" else 0,
    )


def _line(small: _Sample, large: _Sample, name: str) -> tuple[float, float]:
    """What any case takes, and what each voxel adds."""
    first, second = float(getattr(small, name)), float(getattr(large, name))
    more = large.voxels - small.voxels
    slope = max(0.0, second - first) / more if more else first / small.voxels
    return (max(0.0, second - slope * large.voxels), slope) if more else (0.0, slope)


def _extent(volumes: Sequence[Volume]) -> Extent:
    return Extent(volumes[0].shape, volumes[0].affine)


def _piece(volumes: Sequence[Volume], count: int) -> list[Volume]:
    """The slices in the middle; no voxel is copied."""
    made = []
    for volume in volumes:
        first = (volume.shape[2] - count) // 2
        affine = volume.affine.copy()
        affine[:3, 3] += affine[:3, 2] * first
        made.append(Volume(volume.voxels[:, :, first : first + count], affine))
    return made


def _forget_peaks() -> None:
    """So that the peaks are those of what follows; where the system can't, they are of all so far."""
    forget_peak()
    if torch.cuda.is_available():
        torch.cuda.empty_cache()
        torch.cuda.reset_peak_memory_stats()
