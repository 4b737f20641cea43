"""A picture of a validation case every few epochs: what the network under training makes of it."""

import base64
import json
import time
from collections.abc import Callable
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import torch
from numpy.typing import NDArray

from wirsung.compute.atomic import write_bytes, write_json
from wirsung.errors import WirsungError
from wirsung.inference.sliding_window import sliding_window
from wirsung.models.plans import Plans
from wirsung.pages.drawing import data_uri
from wirsung.pages.montage import Contour, montage
from wirsung.pages.template import Picture
from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.shown_case import ShownCase, shown_case
from wirsung.training.workspace import CONFIGURATION

if TYPE_CHECKING:
    from wirsung.training.trainer import Trainer

PICTURES_FOLDER = "pictures"
INDEX_FILE = "pictures.json"

_SHARE = 0.1
"""Of the time, at most, goes into pictures; those that would take more are left out, but for the last."""
_COLOURS = {"pancreas": ("#f0e442", "#56b4e9"), "lesion": ("#e69f00", "#ff5fb0")}
"""Of the reference and of the prediction."""
_PERCENTILES = (2.0, 99.5)
"""Of the part that is shown, from black to white: it is normalised, each modality in its own way."""
_JPEG = "image/jpeg"
_MOST = 0.1
"""Of the part, predicted as something that has not a fifth of it: what is more is not outlined."""


@dataclass(frozen=True)
class Shot:
    """One picture, on the disk."""

    epoch: int
    """After which it was made, from 0."""
    file: str
    alternative: str
    caption: str


class Pictures:
    """Draws a validation case every few epochs; an epoch that was learnt again is drawn again.

    Args:
        folder: Of the fold; the pictures lie in its `pictures/`.
        every: Epochs between pictures.
        now: A clock in seconds.
    """

    def __init__(self, folder: Path, every: int, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder / PICTURES_FOLDER
        self._every = every
        self._now = now
        self._started_s = now()
        self._spent_s = 0.0
        self._case: ShownCase | None = None
        self.shots: tuple[Shot, ...] = ()
        self.obstacle = ""
        """Why the last picture could not be made."""

    def started(self, trainer: "Trainer") -> None:
        """Choose the case, and forget the pictures of epochs that will be learnt again."""
        self.shots = tuple(shot for shot in _read_index(self._folder) if shot.epoch < trainer.current_epoch)
        patch = trainer.job.plans.configuration(CONFIGURATION).patch_size
        folder = Path(trainer.preprocessed_dataset_folder)
        try:
            self._case = shown_case(folder, trainer.job.cases.validation, trainer.job.label_table, patch)
        except (WirsungError, OSError, RuntimeError) as error:
            self.obstacle = f"No pictures: {error}"

    def step(self, event: Step) -> None:
        """Nothing."""

    def epoch(self, trainer: "Trainer", event: Epoch) -> None:
        """Draw, where one is due."""
        done = event.epoch + 1
        is_last = done == trainer.num_epochs
        if self._case is None or not (is_last or done % self._every == 0):
            return
        began = self._now()
        if not is_last and self._spent_s > _SHARE * (began - self._started_s):
            return
        try:
            self._draw(trainer, self._case, event.epoch)
            self.obstacle = ""
        # A picture is worth no training: also a GPU without memory for it must not end one.
        except (WirsungError, OSError, RuntimeError) as error:
            self.obstacle = f"No picture of epoch {done}: {error}"
        self._spent_s += self._now() - began

    def ended(self, trainer: "Trainer", reason: str) -> None:
        """Nothing."""

    def latest(self, count: int) -> tuple[Picture, ...]:
        """The last pictures, in the order of their epochs."""
        return tuple(
            Picture(data_uri((self._folder / shot.file).read_bytes(), _JPEG), shot.alternative, shot.caption)
            for shot in self.shots[-count:]
            if (self._folder / shot.file).is_file()
        )

    def _draw(self, trainer: "Trainer", case: ShownCase, epoch: int) -> None:
        prediction = predicted(trainer, case.image)
        picture = drawn(case, prediction, trainer.job.plans, epoch)
        file = f"epoch-{epoch + 1:04d}.jpg"
        write_bytes(self._folder / file, base64.b64decode(picture.data_uri.partition(",")[2]))
        others = tuple(shot for shot in self.shots if shot.epoch != epoch)
        self.shots = (*others, Shot(epoch, file, picture.alternative, picture.caption))
        rows = [asdict(shot) for shot in self.shots]
        write_json(self._folder / INDEX_FILE, {"schema": 1, "pictures": rows})


def predicted(trainer: "Trainer", image: NDArray[np.float32]) -> NDArray[np.uint8]:
    """What the network under training makes of an image (channel, z, y, x), which is left as it was.

    The tiles alone go to the GPU, one by one, so that it takes less of its memory than a step does.
    """
    network, device = trainer.network_core, trainer.device
    was_training = network.training

    def of_tiles(tiles: torch.Tensor) -> torch.Tensor:
        with torch.autocast(device.type, enabled=device.type == "cuda"):
            answer = network(tiles.to(device))
        # Deep supervision answers at several resolutions, the full one first.
        finest: torch.Tensor = answer[0] if isinstance(answer, list | tuple) else answer
        return finest.float().cpu()

    configuration = trainer.job.plans.configuration(CONFIGURATION)
    classes = trainer.label_manager.num_segmentation_heads
    network.eval()
    try:
        with torch.no_grad():
            logits = sliding_window(
                of_tiles, torch.from_numpy(image), configuration.patch_size, classes=classes
            )
    finally:
        network.train(was_training)
    return logits.argmax(0).numpy().astype(np.uint8)


def drawn(case: ShownCase, prediction: NDArray[np.uint8], plans: Plans, epoch: int) -> Picture:
    """The case with the outlines of reference and prediction; through the lesion, where it has one."""
    contours, scores, everywhere = [], [], []
    shown = _slices(case, plans)
    for name, indices in case.drawn.items():
        masks = [np.isin(labels, indices) for labels in (case.labels, prediction)]
        scores.append(f"{name} {_dice(*masks)}")
        colours = _COLOURS.get(name, _COLOURS["pancreas"])
        for kind, mask, colour in zip(("reference", "prediction"), masks, colours, strict=True):
            if kind == "prediction" and _is_noise(*masks):
                everywhere.append(
                    f" The {name} is predicted in {mask.mean():.0%} of it, so without an outline."
                )
                continue
            volume = case.volume(mask, plans)
            kept = volume.with_voxels(volume.voxels & shown)
            contours.append(Contour(f"{name}, {kind}", kept, colour, dashed=kind == "prediction"))
    low, high = np.percentile(case.image[0], _PERCENTILES)
    said = f"DSC in this part: {', '.join(scores)}"
    return montage(
        contours,
        image=case.volume(case.image[0], plans),
        window=(float(low), float(max(high, low + 1e-3))),
        alternative=f"Validation case {case.name} after epoch {epoch + 1}; {said}.",
        caption=f"Epoch {epoch + 1}, case {case.name}. {said}.{''.join(everywhere)}",
    )


def _slices(case: ShownCase, plans: Plans) -> NDArray[np.bool_]:
    """Along k, the slices that may be shown: those of the lesion, where there is one."""
    lesion = case.volume(np.isin(case.labels, case.drawn.get("lesion", ())), plans).voxels
    held = np.asarray(lesion.any(axis=(0, 1)), bool)
    return held if held.any() else np.ones_like(held)


def _is_noise(reference: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> bool:
    """Whether a network that knows nothing yet finds it everywhere: thousands of specks to draw around."""
    return bool(prediction.mean() > _MOST and prediction.sum() > 5 * reference.sum())


def _dice(reference: NDArray[np.bool_], prediction: NDArray[np.bool_]) -> str:
    """Two digits; a dash where both are empty."""
    total = int(reference.sum()) + int(prediction.sum())
    return f"{2 * int((reference & prediction).sum()) / total:.2f}" if total else "–"


def _read_index(folder: Path) -> tuple[Shot, ...]:
    """The pictures of an earlier call; none where the file is missing or damaged, for they are no result."""
    try:
        content: Any = json.loads((folder / INDEX_FILE).read_text(encoding="utf-8"))
        return tuple(Shot(**row) for row in content["pictures"])
    except (OSError, ValueError, KeyError, TypeError):
        return ()
