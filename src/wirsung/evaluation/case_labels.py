"""What one side says of one case: a volume, and which of its values make a structure."""

from collections.abc import Collection, Sequence
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np

from wirsung.anatomy.schemes import Scheme
from wirsung.datasets.layout import Case
from wirsung.errors import LabelError
from wirsung.evaluation.mask_folders import MASKS, MaskFolder
from wirsung.imaging.code_volume import CodeVolume
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.volume import Volume

Place = Case | MaskFolder | Path


@dataclass(frozen=True)
class Source:
    """Where the labels of one case lie, and how they are to be read."""

    place: Place
    """A label map's file, or masks."""
    scheme: Scheme
    """Of the label map, or into which masks are painted; masks keep their overlaps where it is theirs."""
    drawn: frozenset[str] | None = None
    """What was drawn, where a dataset says so; a mask that is missing although it was drawn is empty."""

    @property
    def is_there(self) -> bool:
        """Whether anything can be read."""
        return self.place.is_file() if isinstance(self.place, Path) else bool(self.place.structure_names())

    @property
    def files(self) -> list[Path]:
        """Every file that is read."""
        if isinstance(self.place, Path):
            return [self.place]
        if isinstance(self.place, MaskFolder):
            return [self.place.mask_path(name) for name in self.place.structure_names()]
        # Labels that lie where their image does hang on its header too.
        image = [self.place.image_path] if self.place.style.grid == "image" else []
        return [*self.place.label_files, *image]

    @property
    def name(self) -> str:
        """Folder and file, for messages."""
        path = self.place if isinstance(self.place, Path) else self.place.mask_path("").parent
        if isinstance(self.place, Case) and _is_foreign(self.place):
            path = self.place.label_map_path if self.place.label_map_path.is_file() else path
        return f"{path.parent.name}/{path.name}"

    @property
    def present(self) -> tuple[str, ...] | None:
        """The structures that the case tells; None for a label map, which tells all of its scheme."""
        if isinstance(self.place, Path):
            return None
        return self.place.structure_names() if self.drawn is None else tuple(sorted(self.drawn))

    def read(self, values: Collection[int] | None = None) -> "CaseLabels":
        """The labels.

        Args:
            values: Of the scheme; of masks that keep their overlaps, the others are not read.

        Raises:
            WirsungError: A file can't be read, is no mask or label map, or holds a value the scheme has not.
        """
        if isinstance(self.place, Path):
            return CaseLabels(read_labels(self.place, self.scheme), self.scheme)
        if self.scheme.name != MASKS:
            return CaseLabels(self.place.label_map(self.scheme), self.scheme)
        if isinstance(self.place, Case) and _is_foreign(self.place):
            codes = self.place.codes()
            return CaseLabels(codes.volume, self.scheme, codes)
        folder = self.place
        if isinstance(folder, Case):
            folder = MaskFolder(folder.id, folder.mask_path("").parent)
        wanted = [item.name for item in self.scheme.classes if values is None or item.value in values]
        codes = folder.codes(wanted)
        return CaseLabels(codes.volume, self.scheme, codes)


@dataclass(frozen=True, eq=False)
class CaseLabels:
    """A label map, or a volume of codes where masks overlap."""

    volume: Volume
    scheme: Scheme
    codes: CodeVolume | None = None

    def moved_to(self, volume: Volume) -> "CaseLabels":
        """The same labels on another grid."""
        return replace(self, volume=volume)

    def values_of(self, values: Sequence[int]) -> tuple[int, ...]:
        """The volume's values where any of these values of the scheme is."""
        if self.codes is None:
            return tuple(values)
        names = [item.name for item in self.scheme.classes if item.value in values]
        members = [self.codes.members(name) for name in names if name in self.codes.structures]
        if not members:
            return ()
        return tuple(np.flatnonzero(np.logical_or.reduce(members)).tolist())

    def fused(self, groups: Sequence[Sequence[int]]) -> tuple[Volume, list[tuple[int, ...]]]:
        """A volume with as few values as the groups need, and the values of each group.

        Args:
            groups: Values of this volume.
        """
        largest = int(self.volume.voxels.max())
        held = np.array([np.isin(np.arange(largest + 1), group) for group in groups])
        # Sorted columns: value 0, which is in no group, comes first and stays 0.
        patterns, table = np.unique(held, axis=1, return_inverse=True)
        small = table.reshape(-1).astype(np.uint8 if patterns.shape[1] <= 256 else np.uint16)
        values = [tuple(np.flatnonzero(row).tolist()) for row in patterns]
        return self.volume.with_voxels(small[self.volume.voxels]), values


def _is_foreign(case: Case) -> bool:
    """Whether masks are made of something else than one file each: a label map, or several masks."""
    return bool(case.style.scheme_name or case.style.unions)


def read_labels(path: Path, scheme: Scheme) -> Volume:
    """A label map, of which every value is one of the scheme's.

    Raises:
        WirsungError: It can't be read, or holds another value.
    """
    volume = read_label_map(path)
    # Values far beyond the scheme's are refused at once: the joint histogram grows with their square.
    if int(volume.voxels.max()) > max(scheme.values):
        check_values(np.unique(volume.voxels).tolist(), scheme, path.name)
    return volume


def check_values(values: Sequence[int], scheme: Scheme, file_name: str) -> None:
    """Pass where every value is one of the scheme's.

    Raises:
        LabelError: One is not.
    """
    unknown = [value for value in values if value and value not in scheme.values]
    if unknown:
        few = ", ".join(map(str, unknown[:5])) + (" and more" if len(unknown) > 5 else "")
        msg = (
            f"{file_name} holds the values {few}, which the scheme {scheme.name} does not have. "
            "Name the scheme of the label maps with --scheme or --reference-scheme."
        )
        raise LabelError(msg)
