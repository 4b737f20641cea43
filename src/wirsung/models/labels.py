"""What `dataset.json` says of channels and labels, in the whole of nnU-Net's format.

Regions are sets of labels that overlap, such as the whole pancreas and the lesion inside it; the ignore label
marks voxels that nobody annotated. `plans.read_label_table` is the narrower view that prediction uses.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wirsung.errors import CheckpointError

IGNORE = "ignore"
_BACKGROUND = "background"


@dataclass(frozen=True)
class Labels:
    """Channels, labels, regions and the ignore label."""

    channels: tuple[str, ...]
    """What each input channel is, such as CT."""
    values: Mapping[str, tuple[int, ...]]
    """Name to the label values that it stands for, one for a plain class; without the ignore label."""
    region_order: tuple[int, ...]
    """The value that each region paints into a label map, later ones over earlier; empty without regions."""
    ignore: int | None
    """The value of voxels that nobody annotated."""

    @property
    def has_regions(self) -> bool:
        """Whether outputs overlap, so that each is a sigmoid of its own."""
        return any(len(values) > 1 for values in self.values.values())

    @property
    def foreground(self) -> tuple[int, ...]:
        """Every label value but background and ignore, ascending."""
        return tuple(sorted({value for values in self.values.values() for value in values} - {0}))

    @property
    def outputs(self) -> tuple[str, ...]:
        """What each output of the network stands for: regions, or else classes with background first."""
        if self.has_regions:
            return tuple(name for name, values in self.values.items() if set(values) != {0})
        return tuple(sorted(self.values, key=lambda name: self.values[name]))


def parse_labels(content: Mapping[str, Any], source: str) -> Labels:
    """The labels from the JSON content of a `dataset.json`.

    Args:
        content: Of the file.
        source: Its name, for messages.

    Raises:
        CheckpointError: A key is missing, or nnU-Net itself would refuse the labels.

    Source:
        `LabelManager` of nnU-Net 2.8; values that are not 0, 1, 2 and so on are refused here too.

    Example:
        >>> table = {"channel_names": {"0": "CT"}, "regions_class_order": [1, 2],
        ...          "labels": {"background": 0, "pancreas": [1, 2], "lesion": 2}}
        >>> parse_labels(table, "dataset.json").outputs
        ('pancreas', 'lesion')
    """
    try:
        channels = dict(content.get("channel_names") or content["modality"])
        names = tuple(str(channels[key]) for key in sorted(channels, key=int))
        values = {str(name): _values(value) for name, value in dict(content["labels"]).items()}
        order = tuple(int(value) for value in content.get("regions_class_order") or ())
    except (KeyError, TypeError, ValueError, AttributeError) as error:
        msg = f"{source} lacks {error}. Get the whole model folder anew."
        raise CheckpointError(msg) from error
    ignored = values.pop(IGNORE, None)
    labels = Labels(names, values, order, None if ignored is None else ignored[0])
    _check(labels, ignored, source)
    return labels


def uses_regions_or_ignore(content: Mapping[str, Any]) -> bool:
    """Whether a `dataset.json` goes beyond plain classes, valid or not.

    Example:
        >>> uses_regions_or_ignore({"labels": {"background": 0, "pancreas": [1]}})
        False
        >>> uses_regions_or_ignore({"labels": {"background": 0, "pancreas": [1, 2]}})
        True
    """
    table = content.get("labels")
    if not isinstance(table, Mapping):
        return False
    return IGNORE in table or any(isinstance(value, list) and len(value) > 1 for value in table.values())


def _values(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - whatever JSON holds
    """One label or the labels of a region."""
    found = tuple(value) if isinstance(value, list) else (value,)
    if not found or any(not isinstance(item, int) or isinstance(item, bool) for item in found):
        msg = f"a label that is a whole number or a list of them, not {value!r}"
        raise ValueError(msg)
    return found


def _check(labels: Labels, ignored: tuple[int, ...] | None, source: str) -> None:
    if labels.values.get(_BACKGROUND) != (0,):
        msg = f"{source}: the label background must be there and be 0. Get the model folder anew."
        raise CheckpointError(msg)
    known = sorted({value for values in labels.values.values() for value in values})
    if known != list(range(len(known))) or (not labels.has_regions and len(known) != len(labels.values)):
        msg = f"{source}: labels must be 0, 1, 2 and so on, but are {_listed(labels)}."
        raise CheckpointError(msg)
    if ignored is not None and ignored != (len(known),):
        msg = (
            f"{source}: the ignore label is {list(ignored)}, but must be {len(known)}, one above the others."
        )
        raise CheckpointError(msg)
    if labels.has_regions and len(labels.region_order) != len(labels.outputs):
        count = len(labels.region_order)
        msg = f"{source}: regions_class_order has {count} values for {len(labels.outputs)} regions."
        raise CheckpointError(msg)


def _listed(labels: Labels) -> list[int]:
    return sorted(value for values in labels.values.values() for value in values)
