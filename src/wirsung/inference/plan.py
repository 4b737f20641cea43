"""What `wirsung predict --plan` says: how many cases, which model, how long, how much memory and disk."""

import shutil
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from wirsung.compute.outcome import Outcome, attempt
from wirsung.compute.progress import duration
from wirsung.errors import ImageError, counted
from wirsung.inference.case import CaseTask, CaseWork, Predicted
from wirsung.inference.estimate import Rates, measured
from wirsung.inference.extents import Extent, extent_of, tiles_of
from wirsung.inference.predictor import Predictor
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sifting import Sifted

_COUNTS = (1, 2, 4, 8)
_MOST_TRIED = 5
"""Cases of which one must be readable."""


@dataclass(frozen=True)
class Size:
    """Of a case that is to be predicted."""

    case: str
    voxels: int
    tiles: int


class PredictPlan(list[Outcome[Predicted]]):
    """What a call would do; a list of no outcomes, as nothing was done."""

    is_saved = False
    """Its settings are not those of predictions."""

    def __init__(
        self, settings: PredictSettings, model: str, sizes: Sequence[Size], rates: Rates | None
    ) -> None:
        super().__init__()
        self.settings, self.model, self.sizes, self.rates = settings, model, list(sizes), rates
        self.done = self.quarantined = self.unreadable = 0

    def wall_s(self, workers: int, devices: int) -> float:
        """Seconds from begin to end with so many processes on so many GPUs, or on this CPU.

        One process reads and writes while it computes. Several take turns on a GPU or on the cores, so there
        it is the network that none can share.
        """
        if self.rates is None:
            return 0.0
        rates, millions = self.rates, sum(size.voxels for size in self.sizes) / 1e6
        network_s = rates.tile_s * sum(size.tiles for size in self.sizes)
        parts = [rates.reading_s * millions, rates.computing_s * millions, rates.writing_s * millions]
        if workers == 1 and not self.settings.is_fleet:
            once_s = (parts[0] + parts[2]) / max(1, len(self.sizes))  # the first is read, the last written
            return max(parts[0], parts[1] + network_s, parts[2]) + once_s
        if self.settings.gpus is None and self.settings.cluster is None:
            return network_s + sum(parts) / workers
        return max((network_s + sum(parts)) / workers, network_s / devices)

    @property
    def written_bytes(self) -> float:
        """Of all files that would be written."""
        return self.rates.written_bytes * sum(size.voxels for size in self.sizes) if self.rates else 0.0

    @property
    def free_bytes(self) -> int:
        """On the disk where they would lie."""
        place = self.settings.out.resolve()
        return shutil.disk_usage(next(path for path in (place, *place.parents) if path.exists())).free

    @property
    def peak_bytes(self) -> tuple[float, float]:
        """Of one process with the largest case: of the machine, and of its GPU."""
        if self.rates is None:
            return 0.0, 0.0
        largest = max((size.voxels for size in self.sizes), default=0)
        (base, slope), (gpu_base, gpu_slope) = self.rates.memory_bytes, self.rates.gpu_bytes
        return base + slope * largest, gpu_base + gpu_slope * largest

    def lines(self) -> list[str]:
        """For the terminal."""
        rows = [("cases", self._told_cases()), ("model", self.model)]
        if self.rates is not None:
            rows.append(("tiles", self._told_tiles()))
            rows += [("time", line) for line in self._told_times()]
            memory, gpu = self.peak_bytes
            on_gpu = f", and {_size(gpu)} of its GPU" if gpu else ""
            rows.append(("memory", f"{_size(memory)} a process at most{on_gpu}, for the largest case"))
            rows.append(("disk", f"{_size(self.written_bytes)} to write, {_size(self.free_bytes)} free"))
            rows.append(("measured on", f"pieces of case {self.rates.case}, with this model on this device"))
        lines = [f"{name:<13}{text}" for name, text in rows]
        if self.written_bytes > self.free_bytes:
            lines.append(f"There is not enough space at {self.settings.out}. Choose a larger disk.")
        return lines

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        memory, gpu = self.peak_bytes
        workers, devices = self._fleet()
        return {
            "to_predict": len(self.sizes),
            "done": self.done,
            "quarantined": self.quarantined,
            "unreadable": self.unreadable,
            "model": self.model,
            "tiles": sum(size.tiles for size in self.sizes),
            "voxels": sum(size.voxels for size in self.sizes),
            "seconds_a_tile": round(self.rates.tile_s, 5) if self.rates else None,
            "wall_s": round(self.wall_s(workers, devices), 1),
            "workers": workers,
            "memory_gb": round(memory / 1e9, 2),
            "gpu_memory_gb": round(gpu / 1e9, 2),
            "write_mb": round(self.written_bytes / 1e6, 1),
            "free_mb": round(self.free_bytes / 1e6, 1),
            "measured_on": self.rates.case if self.rates else None,
        }

    def _told_cases(self) -> str:
        found = [
            (self.done, "done"),
            (self.quarantined, "set aside, see --retry"),
            (self.unreadable, "unreadable"),
        ]
        others = "".join(f", {count:,} {what}" for count, what in found if count)
        return f"{len(self.sizes):,} to predict{others}"

    def _told_tiles(self) -> str:
        tiles = sorted(size.tiles for size in self.sizes)
        if tiles[0] == tiles[-1]:
            return f"{tiles[0]:,} a case"
        return f"{tiles[0]:,} to {tiles[-1]:,} a case, {tiles[len(tiles) // 2]:,} in the middle"

    def _told_times(self) -> list[str]:
        workers, devices = self._fleet()
        here = _told(self.wall_s(workers, devices))
        if self.settings.cluster is not None:
            return [f"{here} of one worker as fast as this process; the cluster's share it"]
        here = f"{here} by this call"
        if self.settings.gpus is None:
            return [here]
        each = workers // devices
        others = [count for count in _COUNTS if count != devices]
        times = {count: _told(self.wall_s(each * count, count)) for count in others}
        return [here, *(f"{told} with {counted(n, 'such GPU', 'such GPUs')}" for n, told in times.items())]

    def _fleet(self) -> tuple[int, int]:
        """Processes and devices."""
        devices = self.settings.gpus or 1
        return max(self.settings.workers, devices), devices


def plan_of(work: CaseWork, found: Sifted) -> PredictPlan:
    """The plan for the cases that are to be predicted; nothing is written but to a temporary folder.

    Raises:
        ImageError: None of the first cases can be read.
    """
    extents = _extents(found.tasks)
    sizes = [Size(case, extent.voxels, tiles_of(work.predictor, extent)) for case, extent in extents.items()]
    rates = _rates(work, found.tasks, sizes) if sizes else None
    plan = PredictPlan(work.settings, told_model(work.settings, work.predictor), sizes, rates)
    plan.done = sum(outcome.status == "skipped" for outcome in found.outcomes)
    plan.quarantined = sum(outcome.is_quarantined for outcome in found.outcomes)
    plan.unreadable = len(found.outcomes) - plan.done - plan.quarantined + len(found.tasks) - len(sizes)
    return plan


def told_model(settings: PredictSettings, predictor: Predictor) -> str:
    """In one line: name, network, folds, patch and spacing in mm along z, y and x, tile step, device."""
    stages = [part.loaded.stage for part in predictor.parts]
    parts = []
    for stage in stages:
        configuration = stage.configuration
        network = configuration.architecture.class_name.rsplit(".", 1)[-1]
        folds = counted(len(stage.networks), "fold", "folds")
        parts.append(
            f"{network} ({configuration.name}), {folds}, patch {_by(configuration.patch_size)} of "
            f"{_by(configuration.spacing_mm)} mm"
        )
    name = settings.model.resolve().name if settings.model else ""
    return f"{name}: {'; '.join(parts)}, preset {settings.preset}, on {predictor.device}"


def _extents(tasks: Mapping[str, CaseTask]) -> dict[str, Extent]:
    outcomes = [attempt(extent_of, case, task.source) for case, task in tasks.items()]
    return {item.case: item.value for item in outcomes if item.value is not None}


def _rates(work: CaseWork, tasks: Mapping[str, CaseTask], sizes: Sequence[Size]) -> Rates:
    """Of the case in the middle, or of another where that is damaged."""
    order = sorted(sizes, key=lambda size: size.voxels)
    middle = len(order) // 2
    message = ""
    for size in (order[middle:] + order[:middle])[:_MOST_TRIED]:
        outcome = attempt(lambda source: measured(work, source), size.case, tasks[size.case].source)
        if outcome.value is not None:
            return outcome.value
        message = outcome.message
    msg = f"The time can't be measured, as none of some cases can be predicted. The last of them: {message}"
    raise ImageError(msg)


def _by(numbers: Sequence[float]) -> str:
    return " x ".join(f"{number:.3g}" for number in numbers)


def _told(seconds: float) -> str:
    return "under a minute" if seconds < 60 else duration(seconds)


def _size(size: float) -> str:
    """In the unit that suits it."""
    factor, unit = (1e12, "TB") if size >= 1e12 else (1e9, "GB") if size >= 1e9 else (1e6, "MB")
    return f"{size / factor:,.{1 if size < 10 * factor else 0}f} {unit}"
