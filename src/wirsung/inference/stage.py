"""One trained network of nnU-Net's making, ready on a device: from an image to its own labels."""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from time import perf_counter
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import nn

from wirsung.errors import CheckpointError
from wirsung.inference.body import body_of
from wirsung.inference.export import Export, Exported, Meaning, export_slabs
from wirsung.inference.focus import Focus, cube
from wirsung.inference.presets import PRESETS, Preset, Region, Steps
from wirsung.inference.region import Chosen, Grid, choose, coarser, not_worth_it, seen_in, wanted_outputs
from wirsung.inference.sliding_window import Network, Slab, Tiling, mirrored, slabs, sliding_window
from wirsung.models.labels import Labels
from wirsung.models.plans import Configuration, Plans, Shape, Spacing
from wirsung.models.preprocessing import Placement, preprocess
from wirsung.models.stages import at_slices_of

_SURE = 10.0
"""The logit of what is known without the network."""
_BATCH_VOXELS = 96**3
"""Small patches are computed several at a time, up to so many voxels."""


@dataclass(frozen=True)
class Image:
    """What a network is given, before it is prepared."""

    voxels: NDArray[Any]
    """(channel, z, y, x), in the image's own unit and in the order that the model learnt from."""
    spacing_mm: Spacing
    """Along z, y and x."""
    modality: str | None = None


@dataclass
class Clock:
    """Seconds of each part of the work."""

    seconds: dict[str, float] = field(default_factory=dict)
    work: list[dict[str, Any]] = field(default_factory=list)
    """What each stage did: its tiles, and the region that it looked at."""

    @contextmanager
    def of(self, part: str) -> Iterator[None]:
        """Count the block's seconds under that name."""
        started = perf_counter()
        try:
            yield
        finally:
            self.seconds[part] = self.seconds.get(part, 0.0) + perf_counter() - started

    def around(self, part: str, network: Network) -> Network:
        """A network whose seconds are counted; those of several threads add up."""

        def timed(batch: torch.Tensor) -> torch.Tensor:
            with self.of(part):
                return network(batch)

        return timed


@dataclass(frozen=True)
class Stage:
    """The folds of one configuration, and the stage before it in a cascade."""

    plans: Plans
    configuration: Configuration
    """In three dimensions, even where the network is of two."""
    labels: Labels
    networks: tuple[nn.Module, ...]
    """One a fold, on the device."""
    mirror_axes: tuple[int, ...]
    """Of the network's own axes; averaged over."""
    device: torch.device
    is_flat: bool = False
    """Whether the network takes slices."""
    previous: "Stage | None" = None
    preset: Preset = PRESETS["exact"]
    workers: int = 1
    """Tiles computed at the same time on a CPU, one a thread."""
    is_frugal: bool = False
    """Whether as little memory as can be is taken: one tile at a time, and of a GPU no more than it needs."""

    @property
    def meaning(self) -> Meaning:
        """Of the outputs, in the label values of the model's own `dataset.json`."""
        values = (0, *self.labels.region_order) if self.labels.has_regions else self._class_values
        kind = np.uint8 if max(values) < 256 else np.uint16
        return Meaning(np.array(values, kind), self.labels.has_regions)

    @property
    def _class_values(self) -> tuple[int, ...]:
        return tuple(self.labels.values[name][0] for name in self.labels.outputs)

    def segment(
        self,
        image: Image,
        *,
        meaning: Meaning | None = None,
        wanted: int | None = None,
        clock: Clock | None = None,
    ) -> Exported:
        """The labels of an image on its own grid, (z, y, x).

        Args:
            image: Not changed.
            meaning: Of the outputs; None for the model's own labels.
            wanted: The output whose probability is wanted too.
            clock: Counts the seconds.

        Raises:
            CheckpointError: The image has another number of channels than the model takes.
        """
        clock = clock or Clock()
        configuration = self.configuration_for(image.spacing_mm)
        prepared, placement = self.prepared(image, clock)
        shape = prepared.shape[1], prepared.shape[2], prepared.shape[3]
        whole = Export(placement, configuration, shape, meaning or self.meaning, wanted)
        with torch.inference_mode():
            with clock.of("locating"):
                focus = self._focus(prepared, whole, image.modality)
            made = self._exported(prepared, focus, clock)
            if focus.is_part and focus.cuts(made.indices.transpose(self.plans.transpose_forward)):
                focus = focus.widened()
                made = self._exported(prepared, focus, clock)
        clock.work.append({"configuration": configuration.name, **focus.as_json(self.plans)})
        return made

    def _exported(self, prepared: torch.Tensor, focus: Focus, clock: Clock) -> Exported:
        """The labels of what is in focus."""
        part = prepared if focus.part is None else prepared[:, *(slice(*bounds) for bounds in focus.part)]
        found = _timed(self.slabs(part, focus), clock, "network")
        with clock.of("labels"):
            made = export_slabs(found, focus.how, self.plans, threads=self.workers)
        clock.seconds["labels"] -= clock.seconds.pop("inside", 0.0)
        return made

    def _focus(self, prepared: torch.Tensor, whole: Export, modality: str | None) -> Focus:
        """Where the network is to look, as the preset says."""
        focus = Focus(whole, self.steps)
        if self.preset.skips_air:
            ways = self.plans.normalisations(self.configuration, modality)
            focus = replace(focus, body=body_of(prepared, ways))
        rule = self.preset.region
        if rule is None:
            return focus
        grid = Grid(whole.shape, whole.configuration.spacing_mm, self.configuration.patch_size, self.steps)
        return focus.narrowed(self._chosen(prepared, whole, grid, rule))

    def _chosen(self, prepared: torch.Tensor, whole: Export, grid: Grid, rule: Region) -> Chosen:
        """The part of the image that a first pass leaves."""
        names = wanted_outputs(whole, self.labels.outputs)
        wanted, channels = list(names), len(self.labels.channels)
        factors = cube(min(rule.factor, size) for size in grid.shape)
        if whole.order > 1:
            return Chosen(None, "logits are resampled by splines, which reach across any border")
        if self.previous is not None:
            seen = self._seen_before(prepared[channels:], wanted, factors)
            return choose(seen, names, rule, grid)
        image = coarser(prepared, factors, is_flat=self.is_flat)
        why = not_worth_it(grid, cube(image.shape[1:]), len(wanted))
        if why is not None:
            return Chosen(None, why)
        return choose(seen_in(self.slabs(image), wanted, regions=whole.meaning.regions), names, rule, grid)

    def configuration_for(self, spacing_mm: Spacing) -> Configuration:
        """The configuration, which in two dimensions depends on the image."""
        if not self.is_flat:
            return self.configuration
        return at_slices_of(self.configuration, spacing_mm, self.plans)

    def prepared(self, image: Image, clock: Clock) -> tuple[torch.Tensor, Placement]:
        """What the network sees (channel, z, y, x), and where it came from."""
        before = None
        if self.previous is not None:
            # As nnU-Net does it: the label map on the image's own grid, not the first stage's logits.
            before = self.previous.segment(image, clock=clock).indices
        configuration = self.configuration_for(image.spacing_mm)
        with clock.of("preparing"):
            made = preprocess(
                image.voxels,
                image.spacing_mm,
                self.plans,
                configuration,
                before,
                modality=image.modality,
                device=None if self.is_frugal else self.device,
            )
            prepared = torch.from_numpy(made.image)
            if made.labels is not None:
                values = torch.tensor(self.labels.foreground, dtype=torch.int16)
                further = torch.from_numpy(made.labels)[None] == values[:, None, None, None]
                prepared = torch.cat((prepared, further.float()))
        return prepared if self.is_frugal else prepared.to(self.device), made.placement

    def slabs(self, prepared: torch.Tensor, focus: Focus | None = None) -> Iterator[Slab]:
        """The logits of a prepared image slab by slab, averaged over folds and mirrored images.

        Args:
            prepared: Or the part of it that is in focus.
            focus: Where the body is, and what counts the tiles.
        """
        patch = self.configuration.patch_size
        voxels = patch[0] * patch[1] * patch[2]
        is_cpu = self.device.type == "cpu"
        tiling = Tiling(
            patch,
            len(self.labels.outputs),
            self.steps,
            tiles_at_once=1 if self.is_frugal else max(1, _BATCH_VOXELS // voxels // (4 if is_cpu else 1)),
            workers=self.workers if is_cpu else 1,
        )
        if focus is None:
            return slabs(self._mean, prepared, tiling)
        background = focus.background(patch, self._nothing.to(prepared.device))
        return slabs(self._mean, prepared, tiling, background=background, count=focus.count)

    def _seen_before(self, labels: torch.Tensor, wanted: list[int], factors: Shape) -> NDArray[np.int16]:
        """What the stage before found, in blocks of voxels: the wanted output of each; -1 for none."""
        values = self.labels.foreground
        seen = np.full(tuple(-(-size // by) for size, by in zip(labels.shape[1:], factors, strict=True)), -1)
        for output in wanted:
            own = [values.index(value) for value in self.labels.values[self.labels.outputs[output]]]
            found = labels[own].amax(dim=0)[None]
            blocks = torch.nn.functional.max_pool3d(found, factors, ceil_mode=True)[0]
            seen[blocks.cpu().numpy() > 0] = output
        return seen.astype(np.int16)

    @property
    def _nothing(self) -> torch.Tensor:
        """What is said of a voxel that is known to be background, (output, 1, 1, 1)."""
        logits = torch.full((len(self.labels.outputs), 1, 1, 1), -_SURE)
        if not self.labels.has_regions:
            logits[0] = _SURE
        return logits

    @torch.inference_mode()
    def logits(self, prepared: torch.Tensor) -> torch.Tensor:
        """All logits (output, z, y, x) of a prepared image at once."""
        return sliding_window(
            self._mean,
            prepared.to(self.device),
            self.configuration.patch_size,
            classes=len(self.labels.outputs),
            step=self.steps,
        )

    def _mean(self, batch: torch.Tensor) -> torch.Tensor:
        """The mean logits of the folds: all weight a tile alike, so that is the mean of whole images."""
        total: torch.Tensor | None = None
        home, batch = batch.device, batch.to(self.device)
        with torch.autocast(self.device.type, enabled=self.device.type == "cuda"):
            for network in self.networks:
                answer = self._answer(network)(batch).float()
                total = answer if total is None else total.add_(answer)
        if total is None:
            msg = "A predictor needs at least one fold."
            raise CheckpointError(msg)
        return (total if len(self.networks) == 1 else total.div_(len(self.networks))).to(home)

    def _answer(self, network: nn.Module) -> Network:
        plain: Network = _of_slices(network) if self.is_flat else network
        axes = tuple(axis + 1 for axis in self.mirror_axes) if self.is_flat else self.mirror_axes
        return mirrored(plain, axes) if axes else plain

    @property
    def steps(self) -> Steps:
        """How far tiles are apart, as fractions of the patch."""
        return self.preset.steps(self.configuration.patch_size, self.configuration.spacing_mm)

    def frugal(self) -> "Stage":
        """The same on less memory: tile by tile, and with the sums of a GPU's logits kept outside it."""
        previous = self.previous.frugal() if self.previous is not None else None
        return replace(self, workers=1, is_frugal=True, previous=previous)

    def after(self, previous: "Stage") -> "Stage":
        """The same as the second stage of a cascade."""
        return replace(self, previous=previous)


def stacked(volumes: Sequence[NDArray[Any]]) -> NDArray[Any]:
    """Volumes (i, j, k) as channels (channel, k, j, i); of one, no voxel is copied."""
    turned = [volume.transpose(2, 1, 0) for volume in volumes]
    return turned[0][None] if len(turned) == 1 else np.stack(turned)


def _of_slices(network: nn.Module) -> Network:
    """A network of slices, given tiles that are one slice thick."""

    def answer(batch: torch.Tensor) -> torch.Tensor:
        made: torch.Tensor = network(batch[:, :, 0])
        return made[:, :, None]

    return answer


def _timed(found: Iterator[Slab], clock: Clock, part: str) -> Iterator[Slab]:
    """The same slabs; the seconds that they took count under the part and, to be taken off, under inside."""
    while True:
        started = perf_counter()
        slab = next(found, None)
        for name in (part, "inside"):
            clock.seconds[name] = clock.seconds.get(name, 0.0) + perf_counter() - started
        if slab is None:
            return
        yield slab
