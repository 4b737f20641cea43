"""What a training was given, in words: network, patch, batch and why, classes, cases."""

from collections.abc import Iterator
from typing import TYPE_CHECKING

from wirsung.errors import CheckpointError
from wirsung.models.networks import entry_of_class
from wirsung.models.plans import Plans
from wirsung.training.batch_size import batch_size_of, lesion_patches_of
from wirsung.training.workspace import CONFIGURATION

if TYPE_CHECKING:
    from wirsung.training.job import Job
    from wirsung.training.trainer import Trainer


def title_of(trainer: "Trainer") -> str:
    """The network and the fold."""
    fold = trainer.job.fold
    return f"{network_title(trainer.job.plans)}, {'all cases' if fold == 'all' else f'fold {fold}'}"


def facts_of(trainer: "Trainer") -> tuple[tuple[str, str], ...]:
    """Names and values."""
    job = trainer.job
    configuration = job.plans.configuration(CONFIGURATION)
    spacing = " x ".join(f"{value:.2f}" for value in configuration.spacing_mm)
    return (
        ("Network", network_title(job.plans)),
        ("Patch", f"{_by(configuration.patch_size)} voxels of {spacing} mm"),
        *_batch(job.plans),
        ("Classes", _classes(job)),
        ("Cases", f"{len(job.cases.train)} to learn from, {len(job.cases.validation)} to validate on"),
        ("Schedule", f"{trainer.num_epochs} epochs of {trainer.num_iterations_per_epoch} batches"),
        (
            "Optimiser",
            f"{type(trainer.optimizer).__name__}, learning rate {job.preset.learning_rate:g} at the start",
        ),
        ("Augmentation", f"on the {job.preset.augmentation.upper()}"),
        ("Device", f"{trainer.device.type}{f', {job.gpus} processes' if job.gpus > 1 else ''}"),
        ("Seed", str(job.seed)),
    )


def network_title(plans: Plans) -> str:
    """As the catalog calls it; the name of its class where it is not in the catalog."""
    class_name = plans.configuration(CONFIGURATION).architecture.class_name
    try:
        return entry_of_class(class_name).title
    except CheckpointError:
        return class_name.rpartition(".")[2]


def _batch(plans: Plans) -> Iterator[tuple[str, str]]:
    size, lesion = batch_size_of(plans), lesion_patches_of(plans)
    patches = plans.configuration(CONFIGURATION).batch_size
    yield "Batch", f"{patches} patches. {size.reason}" if size else f"{patches} patches."
    if lesion is not None:
        yield "Centred on the lesion", lesion.reason


def _classes(job: "Job") -> str:
    names = [name for name, index in job.label_table["labels"].items() if index]
    scheme = f", scheme {job.label_table['scheme']}" if "scheme" in job.label_table else ""
    return f"{len(names)}{scheme}"


def _by(values: tuple[int, ...]) -> str:
    return " x ".join(map(str, values))
