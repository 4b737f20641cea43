"""After the network: what anatomy or nnU-Net's own file says is no part of a structure becomes background.

Each step is optional, works on the label map alone, and says what it removed. Pieces are 26-connected, as
nnU-Net's are.
"""

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from scipy import ndimage

from wirsung.anatomy.standard import norm
from wirsung.anatomy.structures import containers
from wirsung.errors import CheckpointError
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.components import components
from wirsung.imaging.volume import Volume
from wirsung.models.folder import ModelClass

NNUNET_FILE = "postprocessing.json"
"""nnU-Net writes it beside `postprocessing.pkl`, with the same content; the pickle is never opened."""

_KEEP_LARGEST = "remove_all_but_largest_component_from_segmentation"
_PANCREAS = "pancreas"
_LESION = "pancreatic_lesion"
_EVERY_NEIGHBOUR = np.ones((3, 3, 3), bool)


@dataclass(frozen=True)
class Removed:
    """What one step took away."""

    step: str
    """largest, lesion-in-pancreas or smallest-lesion."""
    structures: tuple[str, ...]
    """Classes that lost voxels."""
    pieces: int
    volume_ml: float

    def as_json(self) -> dict[str, Any]:
        """For `predictions.json`."""
        return {
            "step": self.step,
            "structures": list(self.structures),
            "pieces": self.pieces,
            "volume_ml": round(self.volume_ml, 4),
        }


@dataclass(frozen=True)
class Postprocessing:
    """The steps, in the order in which they are taken."""

    largest: tuple[tuple[int, ...], ...] = ()
    """Groups of label values, each taken as one mask of which the largest piece stays."""
    one_piece: bool = False
    """Whether structures that a body has in one piece keep their largest; lesions are left alone."""
    lesion_in_pancreas: bool = False
    """Whether pieces of lesion that neither lie in the pancreas nor touch it go."""
    smallest_lesion_ml: float = 0.0
    """Pieces of lesion with a smaller volume go."""

    def __call__(
        self, label_map: Volume, classes: Sequence[ModelClass]
    ) -> tuple[Volume, tuple[Removed, ...]]:
        """The label map without what the steps remove, and what that was.

        Args:
            label_map: Values as the classes have them.
            classes: Of the model, background excluded.

        Example:
            >>> labels = np.zeros((6, 1, 1), np.uint8)
            >>> labels[[0, 1, 5]] = 1
            >>> liver = ModelClass(1, 1, "liver")
            >>> kept, removed = Postprocessing(one_piece=True)(Volume(labels, np.eye(4)), [liver])
            >>> kept.voxels.ravel().tolist(), removed[0].pieces
            ([1, 1, 0, 0, 0, 0], 1)
        """
        labels = label_map.voxels.copy(order="K")
        millilitres = label_map.voxel_volume_mm3 / 1000
        names = {item.value: item.name for item in classes}
        # Pieces are sought around the values of a step only; what a step removes makes no box larger.
        boxes = ndimage.find_objects(labels)
        found = []
        for step, values, choose in self._steps(classes, millilitres):
            box = _around(boxes, values)
            if box is None:
                continue
            pieces, gone = choose(labels[box])
            if pieces:
                lost = np.unique(labels[box][gone]).tolist()
                volume_ml = int(gone.sum()) * millilitres
                found.append(Removed(step, tuple(names.get(v, str(v)) for v in lost), pieces, volume_ml))
                labels[box][gone] = 0
        return label_map.with_voxels(labels), tuple(found)

    def _steps(self, classes: Sequence[ModelClass], millilitres: float) -> Iterator["_Step"]:
        for values in self.largest:
            yield "largest", values, _all_but_largest(values)
        for whole, spared in _one_piece_groups(classes) if self.one_piece else ():
            yield "largest", whole, _all_but_largest(whole, spared)
        lesion = _values(classes, lambda names: _LESION in names)
        organ = _values(classes, lambda names: _PANCREAS in names and _LESION not in names)
        if lesion and self.lesion_in_pancreas:
            yield "lesion-in-pancreas", lesion + organ, _away_from(lesion, organ)
        if lesion and self.smallest_lesion_ml > 0:
            yield "smallest-lesion", lesion, _smaller_than(lesion, self.smallest_lesion_ml / millilitres)


_Choice = Callable[[Voxels], tuple[int, Mask]]
"""A label map to the number of pieces that go, and their voxels."""
_Step = tuple[str, tuple[int, ...], _Choice]
"""Its name, the label values that it looks at, and what it chooses."""


def nnunet_steps(model: Path, values: Mapping[int, int]) -> tuple[tuple[int, ...], ...]:
    """The groups of label values whose largest piece nnU-Net's own postprocessing keeps, in its order.

    Args:
        model: The folder with `postprocessing.json`.
        values: nnU-Net's label, as the file has it, to its value in the label map.

    Raises:
        CheckpointError: The file is missing or damaged, or asks for what is unknown here.

    Source:
        `determine_postprocessing` of nnU-Net 2.8, which writes the file.
    """
    path = model / NNUNET_FILE
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        names = [str(name) for name in content["postprocessing_fns"]]
        asked = [_numbers(item["labels_or_regions"]) for item in content["postprocessing_kwargs"]]
    except OSError as error:
        pickled = (model / "postprocessing.pkl").is_file()
        why = " Its postprocessing.pkl is a pickle, which is never opened here." if pickled else ""
        msg = f"{path} is not there.{why} Leave nnU-Net's postprocessing out, or put the file there."
        raise CheckpointError(msg) from error
    except (ValueError, KeyError, TypeError) as error:
        msg = f"{path} is damaged. Get it anew, or leave nnU-Net's postprocessing out."
        raise CheckpointError(msg) from error
    unknown = sorted(set(names) - {_KEEP_LARGEST})
    if unknown or len(names) != len(asked):
        msg = f"{path} asks for {', '.join(unknown) or 'another number of steps'}; known is {_KEEP_LARGEST}."
        raise CheckpointError(msg)
    return _translated(asked, values, path)


def _translated(
    asked: Sequence[tuple[int, ...]], values: Mapping[int, int], path: Path
) -> tuple[tuple[int, ...], ...]:
    strange = sorted({number for group in asked for number in group} - set(values))
    if strange:
        msg = f"{path} names label {strange[0]}, which the model does not have. Get both of one training."
        raise CheckpointError(msg)
    return tuple(tuple(values[number] for number in group) for group in asked)


def _numbers(value: Any) -> tuple[int, ...]:  # noqa: ANN401 - whatever JSON holds
    """A label, a list of labels, or a list of regions, as one set of labels."""
    if isinstance(value, list):
        return tuple(sorted({number for item in value for number in _numbers(item)}))
    return (int(value),)


def _one_piece_groups(classes: Sequence[ModelClass]) -> Iterator[tuple[tuple[int, ...], tuple[int, ...]]]:
    """Of each structure in one piece: its values with those of its parts, and those of lesions in it."""
    for name in dict.fromkeys(outer for item in classes for outer in containers(item.name)):
        facts = norm(name)
        if facts is None or not facts.one_piece or name == _LESION:
            continue
        whole = _values(classes, lambda names, name=name: name in names)  # type: ignore[misc]
        spared = _values(classes, lambda names, name=name: name in names and _LESION in names)  # type: ignore[misc]
        yield whole, spared


def _values(classes: Sequence[ModelClass], belongs: Callable[[Sequence[str]], bool]) -> tuple[int, ...]:
    return tuple(item.value for item in classes if belongs(containers(item.name)))


def _all_but_largest(values: Sequence[int], spared: Sequence[int] = ()) -> _Choice:
    def choose(labels: Voxels) -> tuple[int, Mask]:
        found = components(_mask(labels, values))
        sizes = found.sizes_voxels
        small = sizes < sizes.max(initial=0)
        gone = _painted(found.kept(small).label_map() if small.any() else None, labels)
        kept = _mask(labels, spared) & gone
        return int(small.sum()) if (gone & ~kept).any() else 0, gone & ~kept

    return choose


def _away_from(lesion: Sequence[int], organ: Sequence[int]) -> _Choice:
    """Without any pancreas there is nothing to lie in, and nothing goes."""

    def choose(labels: Voxels) -> tuple[int, Mask]:
        near = _mask(labels, organ)
        if not near.any():
            return 0, near
        numbered = components(_mask(labels, lesion)).label_map()
        touching = np.unique(numbered[ndimage.binary_dilation(near, _EVERY_NEIGHBOUR)])
        away = (numbered > 0) & ~np.isin(numbered, touching)
        return len(np.unique(numbered[away])), away

    return choose


def _smaller_than(lesion: Sequence[int], voxels: float) -> _Choice:
    def choose(labels: Voxels) -> tuple[int, Mask]:
        found = components(_mask(labels, lesion))
        # A volume of exactly the limit stays, whatever the last bit of the division says.
        small = found.sizes_voxels < voxels * (1 - 1e-9)
        return int(small.sum()), _painted(found.kept(small).label_map() if small.any() else None, labels)

    return choose


def _painted(numbered: Voxels | None, labels: Voxels) -> Mask:
    return np.zeros(labels.shape, bool) if numbered is None else numbered > 0


def _mask(labels: Voxels, values: Sequence[int]) -> Mask:
    table = np.zeros(int(labels.max()) + 1, bool)
    table[[value for value in values if value < len(table)]] = True
    found: Mask = table[labels]
    return found


def _around(
    boxes: Sequence[tuple[slice, ...] | None], values: Sequence[int]
) -> tuple[slice, slice, slice] | None:
    """The box around all of the values; None where there are none."""
    own = [box for value in values if value <= len(boxes) and (box := boxes[value - 1]) is not None]
    if not own:
        return None
    first, second, third = (
        slice(min(box[axis].start for box in own), max(box[axis].stop for box in own)) for axis in range(3)
    )
    return first, second, third
