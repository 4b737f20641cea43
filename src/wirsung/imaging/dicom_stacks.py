"""From slices to stacks: which slices make one volume, on which grid, or why they make none.

Every stack gets a verdict with a stable code before a pixel is read. A grid comes from all positions by least
squares, never from SliceThickness, InstanceNumber or the first gap.
"""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, field, replace
from itertools import pairwise
from pathlib import Path

import numpy as np

from wirsung.imaging.arrays import Affine
from wirsung.imaging.dicom_headers import SliceHeader
from wirsung.imaging.dicom_tilt import Shear

LEAST_SLICES = 3
"""Of two slices nothing shows that the one between is missing."""
_SAME_PLACE_MM = 0.01
_RESIDUAL_FRACTION = 0.05
RESIDUAL_MM = 0.1
"""How far a slice may lie beside its place on the grid."""
_SAME_DIRECTION = 1e-4
_OTHER_PLANE_DEGREES = 20
_STEEPEST_DEGREES = 35
"""No gantry tilts further than 30 degrees; beyond, a header is wrong."""
_KINDS = ("CT", "MR")
_LPS_TO_RAS = np.diag([-1.0, -1.0, 1.0, 1.0])


@dataclass(frozen=True)
class Problem:
    """Why a stack makes no volume."""

    code: str
    sentence: str
    """Of a single file it says {file}."""
    file: Path | None = field(default=None, repr=False)
    """The one it is about, if it is about one."""

    def told(self, name_of: Callable[[Path], str]) -> str:
        """The sentence with the file's name, or with what stands for it.

        Example:
            >>> Problem("UNREADABLE", "{file} is cut", Path("a/b.dcm")).told(lambda path: path.name)
            'b.dcm is cut'
        """
        return self.sentence.replace("{file}", name_of(self.file)) if self.file else self.sentence


@dataclass(frozen=True, eq=False)
class Stack:
    """Slices that belong together, in order along their normal."""

    slices: tuple[SliceHeader, ...]
    affine: Affine | None = None
    """Column, row and slice index to RAS+ mm; None where there is a problem."""
    problem: Problem | None = None
    twins: tuple[tuple[SliceHeader, SliceHeader], ...] = ()
    """Slices at one place, of which the second is left out if, and only if, its pixels equal the first's."""

    shear: Shear | None = None
    """Where the gantry was tilted; the grid is then the one that the middle slice stands right on."""
    taken_at: tuple[float, ...] = ()
    """Where distances are uneven and evened out: for each slice of the grid its place among the slices."""
    is_split: bool = False
    """Whether its series holds other stacks too."""

    @property
    def is_usable(self) -> bool:
        """Whether its geometry makes a volume."""
        return self.problem is None

    @property
    def repairs(self) -> tuple[str, ...]:
        """What has to be done to make a volume of it, as far as headers tell, by code."""
        found = {
            "STACK_SPLIT": self.is_split,
            "TILT_DESHEARED": self.shear is not None,
            "SPACING_RESAMPLED": bool(self.taken_at),
        }
        return tuple(code for code, applies in found.items() if applies and self.is_usable)


def find_stacks(slices: Iterable[SliceHeader]) -> tuple[list[Stack], dict[str, int]]:
    """The stacks, those with a problem included, and how many slices were set aside, by code."""
    by_series: dict[str, list[SliceHeader]] = {}
    localizers = 0
    for item in slices:
        if item.is_localizer:
            localizers += 1
        else:
            by_series.setdefault(item.series, []).append(item)
    stacks: list[Stack] = []
    for members in by_series.values():
        found, scouts = _stacks_of_series(members)
        is_split = sum(len(stack.slices) >= LEAST_SLICES for stack in found) > 1
        stacks += [replace(stack, is_split=is_split) for stack in found]
        localizers += scouts
    return stacks, {"LOCALIZER": localizers} if localizers else {}


def _stacks_of_series(members: list[SliceHeader]) -> tuple[list[Stack], int]:
    unplaced = _unplaced(members)
    if unplaced:
        return [Stack(tuple(members), problem=unplaced)], 0
    groups = _planes(members)
    main = max(groups, key=len)
    small = [group for group in groups if len(group) < LEAST_SLICES and group is not main]
    scouts = [group for group in small if not _belongs(group[0], main[0])]
    strays = [group for group in small if _belongs(group[0], main[0])]
    left = [group for group in groups if group not in scouts and group not in strays]
    if strays:
        problem = _mixed(strays[0][0], main[0])
        return [Stack(tuple(group), problem=problem) for group in left], sum(map(len, scouts))
    stacks = [stack for group in left for stack in _stacks_of_group(group)]
    return [_of_known_kind(stack) for stack in stacks], sum(map(len, scouts))


def _of_known_kind(stack: Stack) -> Stack:
    if stack.problem or stack.slices[0].modality in _KINDS:
        return stack
    sentence = "its Modality is neither CT nor MR, or contradicts its SOP class"
    return replace(stack, affine=None, problem=Problem("MODALITY", sentence))


def _unplaced(members: Sequence[SliceHeader]) -> Problem | None:
    """The first thing that a slice needs to have a place and doesn't have."""
    checks = (
        ("NO_POSITION", "ImagePositionPatient", [item.position for item in members]),
        ("NO_ORIENTATION", "ImageOrientationPatient", [item.orientation for item in members]),
        ("NO_SPACING", "PixelSpacing", [item.spacing for item in members]),
    )
    for code, name, values in checks:
        if missing := sum(value is None for value in values):
            return Problem(code, f"{missing} of {len(members)} slices have no {name}")
    for code, name, values in checks:
        known = [value for value in values if value is not None]
        if not np.isfinite(np.array(known)).all():
            return Problem(code.replace("NO_", "BAD_"), f"a slice's {name} is not a finite number")
    if (np.array([item.spacing for item in members]) <= 0).any():
        return Problem("BAD_SPACING", "a slice's PixelSpacing is not positive")
    orientations = np.array([item.orientation for item in members]).reshape(-1, 2, 3)
    products = orientations @ orientations.transpose(0, 2, 1)
    if np.abs(products - np.eye(2)).max() > 1e-3:
        return Problem("BAD_ORIENTATION", "a slice's orientation is not two unit vectors at a right angle")
    return None


def _planes(members: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Groups of one declared kind and one plane; slightly other directions stay together, to be refused."""
    alike: dict[tuple[object, object], list[SliceHeader]] = {}
    for item in members:
        alike.setdefault((item.declared, item.orientation), []).append(item)
    groups: list[list[SliceHeader]] = []
    for same in alike.values():
        first = same[0]
        for group in groups:
            near = first.declared == group[0].declared
            if near and _angle_degrees(first, group[0]) < _OTHER_PLANE_DEGREES:
                group += same
                break
        else:
            groups.append(same)
    return groups


def _angle_degrees(first: SliceHeader, second: SliceHeader) -> float:
    """The largest angle between their rows or columns."""
    cosines = (directions(first)[:, :2] * directions(second)[:, :2]).sum(axis=0)
    return float(np.degrees(np.arccos(np.clip(cosines.min(), -1, 1))))


def _belongs(item: SliceHeader, main: SliceHeader) -> bool:
    """Whether a lone slice looks like one of the stack with a wrong header, rather than like a scout."""
    same_plane = _angle_degrees(item, main) < _OTHER_PLANE_DEGREES
    return same_plane or (item.declared, item.shape, item.spacing) == (
        main.declared,
        main.shape,
        main.spacing,
    )


def _mixed(item: SliceHeader, main: SliceHeader) -> Problem:
    names = ("MODALITY", "FRAME", "IMAGE_TYPE", "KERNEL")
    words = ("modality", "frame of reference", "image type", "kernel")
    for name, word, own, other in zip(names, words, item.declared, main.declared, strict=True):
        if own != other:
            return Problem(f"{name}_MIXED", f"the {word} of a few slices differs from the others'")
    return Problem("ORIENTATION_MIXED", "the orientation of a few slices differs from the others'")


def _stacks_of_group(group: list[SliceHeader]) -> list[Stack]:
    for code, word, differs in (
        ("MATRIX_MIXED", "matrix", len({item.shape for item in group}) > 1),
        ("SPACING_MIXED", "pixel spacing", _spread([item.spacing for item in group]) > _SAME_DIRECTION),
        ("ORIENTATION_MIXED", "orientation", _spread([item.orientation for item in group]) > _SAME_DIRECTION),
    ):
        if differs:
            return [Stack(tuple(group), problem=Problem(code, f"the slices differ in {word}"))]
    whole = fit_stack(group)
    if group[0].modality == "MR" and whole.is_usable and not whole.twins:
        return [whole]  # MR takes every other slice first, so times that interleave are one stack.
    return [fit_stack(part) for part in _moments(group)]


def _spread(values: Sequence[tuple[float, ...] | None]) -> float:
    return float(np.ptp(np.array(values, dtype=float), axis=0).max())


def _moments(group: list[SliceHeader]) -> list[list[SliceHeader]]:
    """Parts that were taken at different times, echoes and so on, where these cover the same place."""
    for number in range(len(group[0].moments)):
        parts: dict[str, list[SliceHeader]] = {}
        for item in group:
            parts.setdefault(item.moments[number], []).append(item)
        if len(parts) < 2 or min(map(len, parts.values())) < LEAST_SLICES:
            continue
        spans = sorted((min(heights), max(heights)) for heights in map(_heights, parts.values()))
        if any(after[0] <= before[1] for before, after in pairwise(spans)):
            return [deeper for part in parts.values() for deeper in _moments(part)]
    return [group]


def _heights(group: Iterable[SliceHeader]) -> list[float]:
    """Distance of each slice along the normal, mm."""
    members = list(group)
    normal = directions(members[0])[:, 2]
    positions = np.array([item.position for item in members], dtype=float)
    return [float(height) for height in positions @ normal]


def directions(item: SliceHeader) -> np.ndarray:
    """Unit vectors along columns' index, rows' index and the normal, as the columns of a rotation, LPS+."""
    row, column = np.array(item.orientation, dtype=float).reshape(2, 3)
    row = row / np.linalg.norm(row)
    column = column - row * (row @ column)
    column = column / np.linalg.norm(column)
    return np.stack([row, column, np.cross(row, column)], axis=1)


def fit_stack(group: Sequence[SliceHeader]) -> Stack:
    """One stack in order, with its grid or its problem."""
    heights = _heights(group)
    kept: list[int] = []
    twins: list[tuple[SliceHeader, SliceHeader]] = []
    for index in np.argsort(heights, kind="stable"):
        if kept and heights[index] - heights[kept[-1]] < _SAME_PLACE_MM:
            twins.append((group[kept[-1]], group[index]))
        else:
            kept.append(int(index))
    stack = Stack(tuple(group[index] for index in kept), twins=tuple(twins))
    if len(kept) < LEAST_SLICES:
        count = f"{len(kept)} slice{'s' if len(kept) > 1 else ''}"
        return replace(stack, problem=Problem("TOO_FEW_SLICES", f"{count}, but {LEAST_SLICES} are the least"))
    return _fitted(stack)


def _fitted(stack: Stack) -> Stack:
    positions = np.array([item.position for item in stack.slices], dtype=float)
    axes = directions(stack.slices[0])
    count = np.arange(len(positions)) - (len(positions) - 1) / 2
    step = count @ positions / (count @ count)
    spacing_mm = float(step @ axes[:, 2])
    allowed_mm = min(_RESIDUAL_FRACTION * spacing_mm, RESIDUAL_MM)
    free_mm = _residual_mm(positions, count, step)
    along = spacing_mm * axes[:, 2]
    if free_mm > allowed_mm:
        return replace(stack, problem=_uneven(positions @ axes[:, 2], free_mm))
    shear = None
    if _residual_mm(positions, count, along) > allowed_mm:
        along_row_mm, along_column_mm = (float(part) for part in step @ axes[:, :2])
        shear = Shear(along_row_mm, along_column_mm, spacing_mm)
        if abs(shear.degrees) > _STEEPEST_DEGREES:
            sentence = f"its slices are sheared by {abs(shear.degrees):.2f} degrees, which no gantry does"
            return replace(stack, problem=Problem("TILT", sentence))
    affine = grid(stack.slices[0], positions.mean(axis=0) + along * count[0], spacing_mm)
    return replace(stack, affine=affine, shear=shear)


def grid(item: SliceHeader, first_mm: np.ndarray, step_mm: float) -> Affine:
    """The affine of slices like this one, from the first voxel's place in LPS+."""
    affine = np.eye(4)
    between_rows, between_columns = np.array(item.spacing, dtype=float)
    affine[:3, :3] = directions(item) * [between_columns, between_rows, step_mm]
    affine[:3, 3] = first_mm
    return np.asarray(_LPS_TO_RAS @ affine)


def _residual_mm(positions: np.ndarray, count: np.ndarray, step: np.ndarray) -> float:
    fitted = positions.mean(axis=0) + np.outer(count, step)
    return float(np.linalg.norm(positions - fitted, axis=1).max())


def _uneven(heights: np.ndarray, residual_mm: float) -> Problem:
    gaps = np.diff(heights)
    usual = float(np.median(gaps))
    wide = gaps[gaps > 1.5 * usual]
    if (
        0 < len(wide) <= max(1, len(gaps) // 10)
        and np.abs(gaps[gaps <= 1.5 * usual] - usual).max() < usual / 4
    ):
        missing = int(np.rint(wide / usual - 1).sum())
        what = "1 slice is" if missing == 1 else f"{missing} slices are"
        return Problem("SLICE_GAP", f"about {what} missing, for the usual gap is {usual:.3g} mm")
    low, high = float(gaps.min()), float(gaps.max())
    sentence = f"gaps range from {low:.3g} to {high:.3g} mm, up to {residual_mm:.2g} mm off an even grid"
    return Problem("SPACING_UNEVEN", sentence)
