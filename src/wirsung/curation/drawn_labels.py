"""Labels that came as DICOM: the regions of SEG and RTSTRUCT files as masks of structures."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from wirsung.anatomy.schemes import Scheme
from wirsung.curation.region_names import shown_name, structure_of
from wirsung.errors import GeometryError, LabelError
from wirsung.imaging.arrays import Mask, Voxels
from wirsung.imaging.dicom_regions import read_references
from wirsung.imaging.dicom_rtstruct import StructureSet, read_structure_set, region_mask
from wirsung.imaging.dicom_seg import Segmentation, read_segmentation, segment_mask, segment_volume
from wirsung.imaging.nearest import nearest_on
from wirsung.imaging.volume import Volume


@dataclass
class Repairs:
    """What was done to a case's labels to make them masks on the image's grid; filled as they are read."""

    may_resample: bool = False
    """Whether a mask on another grid is put onto the image's, or refused."""
    counts: dict[str, int] = field(default_factory=dict)
    """By code."""
    farthest_mm: float = 0.0
    """From which a resampled mask took a value."""

    def count(self, code: str, number: int = 1) -> None:
        """Note that something was done."""
        if number:
            self.counts[code] = self.counts.get(code, 0) + number

    def resampled(self, volume: Volume, image: Volume, name: str, case: str) -> Voxels:
        """A mask or a label map on the image's grid, noted with its distance.

        Raises:
            GeometryError: It shares no voxel with the image.
        """
        values, far_mm = nearest_on(volume, image)
        if volume.voxels.any() and not values.any():
            msg = f"Case {case}: no voxel of {name} lies in the image. Find the labels of this series."
            raise GeometryError(msg)
        self.count("LABELS_RESAMPLED")
        self.farthest_mm = max(self.farthest_mm, far_mm)
        return values


@dataclass(frozen=True)
class Drawn:
    """One SEG or RTSTRUCT, and which of its regions are which structure."""

    where: str
    content: Segmentation | StructureSet
    regions: dict[str, list[int]]
    """Structure to the numbers of its regions."""


def read_drawn(files: tuple[Path, ...], labels: Scheme, *, case: str) -> tuple[list[Drawn], tuple[str, ...]]:
    """The files' contents, and the regions that are no structure, by name where that tells nobody's.

    Raises:
        ImageError: A file is cut or damaged.
        LabelError: A region's name is nearly a known one, or two files draw one structure.
    """
    found: list[Drawn] = []
    dropped: list[str] = []
    taken: dict[str, str] = {}
    for number, path in enumerate(files, start=1):
        where = f"label file {number} of case {case}"
        references = read_references(path)
        is_segmentation = references is not None and references.kind == "SEG"
        content = (
            read_segmentation(path, where=where) if is_segmentation else read_structure_set(path, where=where)
        )
        regions: dict[str, list[int]] = {}
        for region in content.regions:
            name = structure_of(region, labels, case=case)
            if name is None:
                dropped.append(shown_name(region))
            else:
                regions.setdefault(name, []).append(region.number)
        for name in regions:
            if name in taken:
                msg = f"Case {case}: both {taken[name]} and {where} draw {name}. Keep one of them."
                raise LabelError(msg)
            taken[name] = where
        found.append(Drawn(where, content, regions))
    return found, tuple(dropped)


def drawn_mask(drawn: Drawn, structure: str, image: Volume, repairs: Repairs, *, case: str) -> Mask:
    """The mask of one structure on the image's grid.

    Raises:
        GeometryError: It lies on another grid, and resampling is not allowed or not possible.
        LabelError: It marks what the image does not have.
    """
    numbers = drawn.regions[structure]
    content = drawn.content
    if isinstance(content, StructureSet):
        repairs.count("CONTOURS_LEFT_OUT", sum(content.left_out.get(number, 0) for number in numbers))
        return region_mask(content, numbers, image)
    if content.form == "FRACTIONAL":
        repairs.count("FRACTIONS_CUT")
    try:
        return segment_mask(content, numbers, image)
    except GeometryError:
        if not repairs.may_resample:
            raise
    return repairs.resampled(segment_volume(content, numbers), image, structure, case)


def structures_of(found: list[Drawn]) -> Iterator[tuple[str, Drawn]]:
    """Each structure, and the file that draws it."""
    for drawn in found:
        for name in drawn.regions:
            yield name, drawn
