"""DICOM RTSTRUCT as masks on the grid of the image that its contours were drawn on.

A contour is filled on the slice that it lies in, and nowhere else: nothing is made up between slices. See
`scan_conversion` for what is inside.

Source:
    DICOM PS3.3 A.19 and C.8.8.6 (ROI contour module).
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
import pydicom
from numpy.typing import NDArray
from pydicom.dataset import Dataset

from wirsung.errors import GeometryError, ImageError, LabelError, WirsungError
from wirsung.imaging.arrays import Mask
from wirsung.imaging.dicom_headers import numbers, quietly, text
from wirsung.imaging.dicom_regions import STRUCTURE_SET, Region, coded, damaged
from wirsung.imaging.scan_conversion import fill_contours
from wirsung.imaging.volume import Volume

_LPS_TO_RAS = np.array([-1.0, -1.0, 1.0])
_CLOSED = ("CLOSED_PLANAR", "CLOSEDPLANAR_XOR")
_OFF_PLANE_MM = 0.11
"""A slice may lie 0.1 mm beside its place on the grid; the rest is what 16 characters a number round off."""

Contour = NDArray[np.float64]
"""Vertices in RAS+ mm, shape (n, 3)."""


@dataclass(frozen=True)
class StructureSet:
    """An RTSTRUCT that was read."""

    where: str
    """For messages."""
    regions: tuple[Region, ...]
    contours: dict[int, tuple[Contour, ...]] = field(repr=False)
    """Of each region by its number: the closed ones of three points and more; no other encloses anything."""
    left_out: dict[int, int]
    """How many points, open lines and contours of fewer than three points a region has beside these."""


def read_structure_set(path: Path, *, where: str = "") -> StructureSet:
    """The regions of an RTSTRUCT and their contours.

    Args:
        path: The file.
        where: For messages; the file's name by default.

    Raises:
        ImageError: It is cut or damaged, or a contour has not the points that it says.
    """
    where = where or path.name
    try:
        with quietly():
            header = pydicom.dcmread(path, force=True)
            if text(header.get("SOPClassUID")) != STRUCTURE_SET:
                msg = f"{where} is no DICOM RTSTRUCT. Name a structure set."
                raise ImageError(msg)
            return _parsed(header, where)
    except WirsungError:
        raise
    except Exception:  # pydicom's own texts quote the header
        raise damaged(where, "it is cut or damaged") from None


def region_mask(found: StructureSet, regions: Sequence[int], image: Volume) -> Mask:
    """The voxels of one or more regions on the image's grid, together.

    Args:
        found: From `read_structure_set`.
        regions: Their numbers.
        image: In any order of axes, oblique or not.

    Raises:
        GeometryError: A contour lies beside the image's slices, or beyond the image; with the distance in mm.
        LabelError: A region has contours on every second slice only, or fewer.
    """
    mask = np.zeros(image.shape, dtype=bool)
    to_index = np.linalg.inv(image.affine)
    for number in regions:
        contours = [
            points @ to_index[:3, :3].T + to_index[:3, 3] for points in found.contours.get(number, ())
        ]
        if contours:
            _fill(contours, image, mask, f"region {number} of {found.where}")
    return mask


def _fill(contours: list[Contour], image: Volume, mask: Mask, where: str) -> None:
    """Add one region, whose vertices are given in voxels, to the mask."""
    spreads_mm = np.array([np.ptp(points, axis=0) for points in contours]) * image.spacing_mm
    axis = int(spreads_mm.max(axis=0).argmin())
    across = [other for other in range(3) if other != axis]
    planes: dict[int, list[Contour]] = {}
    for points in contours:
        plane = _checked_plane(points, axis, image, where)
        planes.setdefault(plane, []).append(points[:, across])
    _check_gaps(sorted(planes), where)
    for plane, flat in planes.items():
        place: list[slice | int] = [slice(None)] * 3
        place[axis] = plane
        mask[tuple(place)] |= fill_contours(flat, (image.shape[across[0]], image.shape[across[1]]))


def _checked_plane(points: Contour, axis: int, image: Volume, where: str) -> int:
    """The slice that a contour lies in."""
    plane = int(np.rint(np.median(points[:, axis])))
    # Along the slices' own normal, so that a sheared grid is measured right as well.
    between_mm = 1 / np.linalg.norm(np.linalg.inv(image.affine)[axis, :3])
    off_mm = float(np.abs(points[:, axis] - plane).max() * between_mm)
    if off_mm > _OFF_PLANE_MM:
        msg = (
            f"A contour of {where} lies {off_mm:.3g} mm beside the image's nearest slice, but "
            f"{_OFF_PLANE_MM} mm is allowed. Take the one that was drawn on this series."
        )
        raise GeometryError(msg)
    edges = np.array(image.shape) - 0.5
    beyond = np.maximum(points - edges, -0.5 - points).max(axis=0)
    beyond[axis] = max(-plane, plane - image.shape[axis] + 1)
    far_mm = float((beyond * image.spacing_mm).max())
    if far_mm > _OFF_PLANE_MM:
        msg = f"A contour of {where} lies {far_mm:.3g} mm beyond the image. Take the one of this series."
        raise GeometryError(msg)
    return plane


def _check_gaps(planes: list[int], where: str) -> None:
    """Refuse what was drawn on some slices to be filled in between by another program."""
    gap = float(np.median(np.diff(planes))) if len(planes) > 1 else 1.0
    if gap > 1:
        msg = (
            f"The contours of {where} lie on about every {gap:.0f}. slice only. Have them filled in "
            "between by the program that drew them."
        )
        raise LabelError(msg)


def _parsed(header: Dataset, where: str) -> StructureSet:
    if "RTROIObservationsSequence" not in header:  # the last that every structure set has
        raise damaged(where, "it ends before its observations")
    codes = {
        int(item.ReferencedROINumber): coded(item, "RTROIIdentificationCodeSequence", "")
        for item in header.RTROIObservationsSequence or ()
    }
    regions = [
        Region(int(item.ROINumber), text(item.get("ROIName")), *codes.get(int(item.ROINumber), ("", "")))
        for item in header.StructureSetROISequence
    ]
    if len({region.number for region in regions}) != len(regions):
        raise damaged(where, "two of its regions have one number")
    contours: dict[int, tuple[Contour, ...]] = {}
    left_out: dict[int, int] = {}
    known = {region.number for region in regions}
    for item in header.ROIContourSequence:
        number = int(item.ReferencedROINumber)
        if number not in known or number in contours:
            raise damaged(where, "its contours belong to no region, or twice to one")
        every = [_contour(part, where) for part in item.get("ContourSequence") or ()]
        contours[number] = tuple(points for points in every if points is not None)
        left_out[number] = len(every) - len(contours[number])
    return StructureSet(where, tuple(regions), contours, left_out)


def _contour(item: Dataset, where: str) -> Contour | None:
    """The vertices, or None where it encloses nothing."""
    kind, count = text(item.get("ContourGeometricType")).upper(), int(item.NumberOfContourPoints)
    data = numbers(item.get("ContourData"), 3 * count)
    if data is None or not np.isfinite(data).all():
        raise damaged(where, "a contour has other points than it says")
    if kind not in _CLOSED or count < 3:
        return None
    points: Contour = np.array(data).reshape(-1, 3) * _LPS_TO_RAS
    return points
