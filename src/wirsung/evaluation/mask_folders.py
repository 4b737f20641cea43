"""Folders of binary masks: <case>/<structure>.nii.gz or <case>/segmentations/<structure>.nii.gz.

Masks may overlap: the pancreas's holds its parts. They are read one by one into a volume of codes (see
`imaging.code_volume`), each file once, and every structure is scored as it was drawn.
"""

from collections.abc import Collection, Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path

from wirsung.anatomy.schemes import LabelClass, Scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.layout import COMBINED_FILE, MASK_FOLDER, MODALITIES, SUFFIX
from wirsung.datasets.painting import painting_order
from wirsung.errors import LabelError
from wirsung.imaging.code_volume import CodeVolume, merge_masks
from wirsung.imaging.geometry import same_grid_as
from wirsung.imaging.nifti import read_mask
from wirsung.imaging.volume import Volume

MASKS = "masks"
"""Stands for the scheme's name where each structure has a mask of its own."""

_NO_MASKS = frozenset({COMBINED_FILE, *(f"{modality}{SUFFIX}" for modality in MODALITIES)})


@dataclass(frozen=True)
class MaskFolder:
    """The masks of one case."""

    case: str
    folder: Path
    """Holds <structure>.nii.gz."""

    def structure_names(self) -> tuple[str, ...]:
        """The structures with a mask file, in official order, others after them by name."""
        return _in_order(path.name.removesuffix(SUFFIX) for path in _mask_files(self.folder))

    def mask_path(self, structure: str) -> Path:
        """Where the mask of that structure lies, or would lie."""
        return self.folder / f"{structure}{SUFFIX}"

    def codes(self, known: Collection[str]) -> CodeVolume:
        """All masks of the structures that are known, in one volume; each file is read once.

        Raises:
            LabelError: There is none, or a file is no mask.
            GeometryError: Two masks lie on different grids.
        """
        names = [name for name in self.structure_names() if name in known]
        if not names:
            few = ", ".join(self.structure_names()[:5]) or "none"
            msg = (
                f"case {self.case} has no mask of a structure that is scored; it has {few}. A mask is named "
                "<structure>.nii.gz, as pancreas.nii.gz."
            )
            raise LabelError(msg)
        return merge_masks(self._masks(names))

    def label_map(self, scheme: Scheme) -> Volume:
        """The masks painted into one label map of that scheme, outer structures first and the lesion last.

        Raises:
            LabelError: The scheme has no class for any of them, or a file is no mask.
            GeometryError: Two masks lie on different grids.
        """
        held = {name: scheme.class_of(name) for name in self.structure_names()}
        values = {name: held[name].value for name in painting_order(held) if held[name]}  # type: ignore[union-attr]
        return self.codes(values).label_map(values)

    def _masks(self, names: Iterable[str]) -> Iterator[tuple[str, Volume]]:
        """Each mask on exactly the grid of the first."""
        first: tuple[str, Volume] | None = None
        for name in names:
            mask = read_mask(self.mask_path(name))
            if first is None:
                first = name, mask
            yield name, same_grid_as(mask, first[1], case=self.case, names=(first[0], name))


def find_mask_folders(root: Path) -> dict[str, MaskFolder]:
    """Case to masks, sorted; a subfolder without any mask is none."""
    found = {}
    for folder in sorted(root.glob("[!.]*/")) if root.is_dir() else ():
        for place in (folder / MASK_FOLDER, folder):
            if any(True for _ in _mask_files(place)):
                found[folder.name] = MaskFolder(folder.name, place)
                break
    return found


def mask_scheme(names: Iterable[str]) -> Scheme:
    """A class for each structure, so that masks can be spoken of as a label map can.

    Example:
        >>> mask_scheme(["pancreas", "pancreatic_lesion"]).values_within("pancreas")
        (1, 2)
    """
    classes = (LabelClass(value, name, (name,)) for value, name in enumerate(_in_order(names), 1))
    return Scheme(MASKS, tuple(classes))


def _mask_files(folder: Path) -> Iterator[Path]:
    return (path for path in folder.glob(f"[!.]*{SUFFIX}") if path.name not in _NO_MASKS)


def _in_order(names: Iterable[str]) -> tuple[str, ...]:
    there = set(names)
    official = [name for name in structures() if name in there]
    return (*official, *sorted(there.difference(official)))
