"""training.html: how a training goes, on one page that reads itself anew while it runs."""

import math
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING

from wirsung.errors import WirsungError
from wirsung.pages.figures import line_plot
from wirsung.pages.template import (
    Block,
    Cell,
    Facts,
    Gallery,
    Notice,
    Page,
    Paragraph,
    Picture,
    Section,
    Table,
    Tile,
    Tiles,
    write_page,
)
from wirsung.training.watching.best import MEAN, BestSoFar, leading_classes
from wirsung.training.watching.course import FEWEST, Course, words_of
from wirsung.training.watching.events import Epoch, Step
from wirsung.training.watching.given import facts_of, title_of
from wirsung.training.watching.journal import JOURNAL_FILE, read_journal
from wirsung.training.watching.pictures import Pictures

if TYPE_CHECKING:
    from wirsung.training.trainer import Trainer

PAGE_FILE = "training.html"

_EVERY_S = 20.0
"""Between two writings; drawing takes under a second."""
_REFRESH_S = 20
_PICTURES = 7
_ENDS = {
    "finished": "The training is finished.",
    "max-hours": "Its hours were over, so it stopped; the same command goes on from here.",
    "interrupted": "It was interrupted; the same command goes on from here.",
    "failed": "It failed; what it said stands in the terminal. The same command goes on from its checkpoint.",
}
_DEFINITIONS = (
    (
        "Pseudo-Dice",
        "2 TP / (2 TP + FP + FN) of a class, 0 to 1, over the voxels of all validation patches of the epoch. "
        "Patches are drawn around the classes, so it is higher than the DSC of whole cases. A dash: no patch "
        "held the class.",
    ),
    (
        "Best weights",
        "Those of the epoch with the highest moving average (nine parts of the last, one of the new) of the "
        "lesion's pseudo-Dice; of the pancreas's where no validation patch ever held a lesion, of the mean "
        "where the classes have neither.",
    ),
)


class LivePage:
    """Writes `training.html` after every epoch and within long ones, at most every 20 seconds.

    Args:
        folder: Of the fold.
        pictures: Whose pictures are shown.
        now: A clock in seconds.
    """

    def __init__(self, folder: Path, pictures: Pictures, now: Callable[[], float] = time.monotonic) -> None:
        self._folder = folder
        self._pictures = pictures
        self._now = now
        self._trainer: Trainer | None = None
        self._course = Course(0, 0)
        self._figures: tuple[Picture, ...] = ()
        self._figures_of = (-1, -1)
        self._written_s = -math.inf
        self._epoch_began_s = now()

    def started(self, trainer: "Trainer") -> None:
        """Begin, with what the journal knows of earlier calls."""
        self._trainer = trainer
        entries = read_journal(self._folder / JOURNAL_FILE)
        self._course = Course.of(entries, trainer.num_epochs, trainer.num_iterations_per_epoch)
        self._epoch_began_s = self._now() - sum(step.duration_s for step in self._course.steps)
        self._write("")

    def step(self, event: Step) -> None:
        """Write, where the page is old."""
        self._course.add(event)
        if self._is_old():
            self._write("")

    def epoch(self, trainer: "Trainer", event: Epoch) -> None:
        """Write, where the page is not quite new."""
        del trainer
        self._course.add(event)
        self._epoch_began_s = self._now()
        if self._is_old() or self._course.done == 1:
            self._write("")

    def ended(self, trainer: "Trainer", reason: str) -> None:
        """Write for the last time, without reading anew."""
        if self._trainer is trainer:  # else it failed before it started
            self._write(reason)

    def _is_old(self) -> bool:
        return self._now() - self._written_s >= _EVERY_S

    def _write(self, reason: str) -> None:
        if self._trainer is None:
            return
        drawn_of = (len(self._course.rows), len(self._course.first_losses))
        if self._figures_of != drawn_of:
            self._figures = tuple(_figures(self._course, leading_classes(self._trainer.job.label_table)))
            self._figures_of = drawn_of
        try:
            write_page(self._folder / PAGE_FILE, self._page(self._trainer, reason))
        except WirsungError:
            # The page is a view; the journal and the checkpoints are what must be written, and say so.
            return
        finally:
            self._written_s = self._now()

    def _page(self, trainer: "Trainer", reason: str) -> Page:
        course, job = self._course, trainer.job
        leading = leading_classes(job.label_table)
        left = "" if reason else f"; {words_of(self._left_s())} left"
        state = _ENDS.get(reason, "It is running, and this page reads itself anew.")
        sections = (
            Section("", tuple(self._overview(trainer.best, leading, reason))),
            Section("Course", (Gallery(self._figures),) if self._figures else ()),
            Section("A validation case", tuple(self._picture_blocks())),
            Section("Classes", (_class_table(course, leading),) if course.rows else ()),
            Section("What it was given", (Facts(facts_of(trainer)),)),
        )
        return Page(
            title=title_of(trainer),
            lead=f"{course.done} of {course.epochs} epochs{left}. {state}",
            sections=tuple(section for section in sections if section.blocks),
            overline="Training",
            definitions=_DEFINITIONS,
            refresh_s=0 if reason else _REFRESH_S,
        )

    def _left_s(self) -> float:
        return self._course.left_s(self._now() - self._epoch_began_s)

    def _overview(self, best: BestSoFar, leading: Sequence[str], reason: str) -> Iterator[Block]:
        yield Tiles(tuple(_tiles(self._course, best, leading)))
        if reason == "failed":
            yield Notice(_ENDS[reason], "warning")
        if self._pictures.obstacle:
            yield Notice(self._pictures.obstacle)

    def _picture_blocks(self) -> Iterator[Block]:
        shown = self._pictures.latest(_PICTURES)
        yield from shown[-1:]
        if shown[:-1]:
            yield Paragraph("Before, in the order of the epochs:")
            yield Gallery(shown[:-1])


def _tiles(course: Course, best: BestSoFar, leading: Sequence[str]) -> Iterator[Tile]:
    last = course.rows[-1] if course.rows else None
    running = f"batch {len(course.steps)} of {course.iterations}" if course.steps else ""
    yield Tile("Epochs", f"{course.done} of {course.epochs}", running)
    for name in leading[:1]:
        value = course.dice(name)[-1] if last else math.nan
        yield Tile(f"{_words(name)}, pseudo-Dice", Cell.number(value, 3).text, "of the last epoch")
    if last:
        yield Tile("mean pseudo-Dice", Cell.number(course.mean_dice()[-1], 3).text, "over the classes")
        yield Tile("Loss", Cell.number(last.loss, 3).text, f"{last.validation_loss:.3f} in validation")
    elif course.steps:
        yield Tile("Loss", Cell.number(course.steps[-1].loss, 3).text, "of the last batch")
    if best.best is not None:
        of = "the mean" if best.best.of == MEAN else _words(best.best.of)
        yield Tile("Best epoch", str(best.best.epoch + 1), f"{of} {best.best.score:.3f}, smoothed")
    duration_s = course.step_s[-1] if course.step_s else math.nan
    if not math.isnan(duration_s):
        yield Tile("A step", f"{duration_s:.2f} s", "the median of the last epoch")


def _figures(course: Course, leading: Sequence[str]) -> Iterator[Picture]:
    if len(course.rows) < FEWEST:
        if len(course.first_losses) > 1:
            steps = {"": (list(range(1, len(course.first_losses) + 1)), course.first_losses)}
            yield line_plot(
                steps,
                labels=("batch", "loss"),
                alternative="The loss by batch.",
                caption="Loss, batch by batch.",
            )
        return
    across = course.across()
    losses = {
        "training": (across, [row.loss for row in course.rows]),
        "validation": (across, [row.validation_loss for row in course.rows]),
    }
    yield line_plot(losses, labels=("epoch", "loss"), alternative="The losses by epoch.", caption="Loss.")
    scores = {_words(name): (across, course.dice(name)) for name in leading}
    scores["mean of the classes"] = (across, course.mean_dice())
    words = ", ".join(f"{name} {values[-1]:.2f}" for name, (_, values) in scores.items())
    yield line_plot(
        scores,
        labels=("epoch", "pseudo-Dice"),
        alternative=f"The pseudo-Dice by epoch; at last {words}.",
        caption="Pseudo-Dice of validation patches, the lesion first.",
    )
    rates = {"": (across, [row.learning_rate for row in course.rows])}
    yield line_plot(
        rates, labels=("epoch", "learning rate"), alternative="The learning rate.", caption="Learning rate."
    )
    durations = {"": (across, course.step_s)}
    yield line_plot(
        durations,
        labels=("epoch", "seconds a step"),
        alternative="The median duration of a step by epoch.",
        caption="Seconds a step, the epoch's median.",
    )


def _class_table(course: Course, leading: Sequence[str]) -> Table:
    """A row a class, the lesion first."""
    names = [*leading, *(name for name in course.rows[-1].pseudo_dice if name not in leading)]
    rows = []
    for name in names:
        values = course.dice(name)
        defined = [value for value in values if not math.isnan(value)]
        best = max(defined, default=math.nan)
        recent = [value for value in values[-10:] if not math.isnan(value)]
        mean = sum(recent) / len(recent) if recent else math.nan
        last, around, highest = (Cell.number(value, 3) for value in (values[-1], mean, best))
        rows.append((_words(name), last, around, highest))
    caption = "Pseudo-Dice of the validation patches."
    return Table(("class", "last epoch", "mean of the last 10", "highest"), tuple(rows), caption)


def _words(name: str) -> str:
    return name.replace("_", " ")
