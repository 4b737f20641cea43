"""Surface elements: the boundary as a mesh would have it, with an area at each corner between voxels.

A corner is where eight voxels meet. Which of them belong to the mask is a code of eight bits; all but 0 and
255 are surface. The piece of surface in the cube around the corner is that of marching cubes:

1. It cuts each edge of the cube that joins a voxel inside to one outside, at its middle.
2. On each face of the cube it joins two such middles. Where a face has four (two voxels inside, across from
   each other), the voxels that are fewer in the cube are cut off one by one; the code and its complement are
   the same surface.
3. The lines close to polygons of three to six corners. A polygon need not be flat, so its area depends on
   how it is cut into triangles: the cut with the largest area on a cube of edge 1 is taken.

These rules give the table of google-deepmind/surface-distance, to the last digit, for any spacing.
"""

from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.boundary_scan import Boundaries, Bytes, Integers, Layout, collect, with_room
from wirsung.imaging.compiled import compiled

Areas = NDArray[np.float64]
_Corner = tuple[int, ...]
_Edge = frozenset[_Corner]
_Polygon = list[NDArray[np.float64]]
_Triangles = list[tuple[int, int, int]]

_CORNERS = tuple(product((0, 1), repeat=3))
_ROUND = ((0, 0), (0, 1), (1, 1), (1, 0))


def scan_surfels(mask: Bytes, layout: Layout) -> tuple[Boundaries, Bytes]:
    """The corners on the surface of a mask, as label 1, and the code of each.

    Args:
        mask: 1 inside, 0 outside, in C order.
        layout: Of a map that is larger than the mask by one along each axis.
    """
    labels = np.zeros(layout.size, dtype=np.uint8)
    places = mark_corners(mask, layout, labels)
    codes = labels[places]
    labels[places] = 1
    return Boundaries.of_slabs(labels, layout, [places]), codes


@compiled
def mark_corners(mask: Bytes, layout: Layout, labels: Bytes) -> Integers:
    """Write the code of each corner on the surface into the map `labels`, and return their places."""
    planes, rows, columns = mask.shape
    outside = np.zeros(columns, dtype=np.uint8)
    columns_of_four = np.zeros(columns + 2, dtype=np.uint8)
    codes = np.zeros((columns + 8) // 8 * 8, dtype=np.uint8)
    places = np.empty(4096, dtype=np.int64)
    count = 0
    for z in range(planes + 1):
        for y in range(rows + 1):
            _gather_four(mask, z, y, outside, columns_of_four[1:-1])
            _join_fours(columns_of_four, codes[: columns + 1])
            places = with_room(places, count, columns + 1)
            count = collect(codes, layout.origin + z * layout.plane + y * layout.row, labels, places, count)
    return places[:count]


@compiled
def _gather_four(mask: Bytes, z: int, y: int, outside: Bytes, fours: Bytes) -> None:
    """Every second bit: the voxels of the four rows around a row of corners, at one x."""
    planes, rows = mask.shape[0], mask.shape[1]
    above_before = mask[z - 1, y - 1] if z > 0 and y > 0 else outside
    above_behind = mask[z - 1, y] if z > 0 and y < rows else outside
    below_before = mask[z, y - 1] if z < planes and y > 0 else outside
    below_behind = mask[z, y] if z < planes and y < rows else outside
    for x in range(fours.size):
        fours[x] = (above_before[x] << 6) | (above_behind[x] << 4) | (below_before[x] << 2) | below_behind[x]


@compiled
def _join_fours(fours: Bytes, codes: Bytes) -> None:
    """The codes of a row of corners, each between two columns of four; 0 where all eight are inside."""
    left, right = fours[:-1], fours[1:]
    for x in range(codes.size):
        code = np.uint8((left[x] << 1) | right[x])
        codes[x] = 0 if code == 255 else code


@lru_cache(maxsize=64)
def surfel_areas(steps_mm: tuple[float, float, float]) -> Areas:
    """The area of the surface in the cube around a corner, by code, mm².

    Args:
        steps_mm: Edges of the cube along z, y, x. Bit 7 of a code is the voxel before the corner along all
            three, bit 6 the next along x, bits 5 and 4 those behind along y, bits 3 to 0 all behind along z.

    Example:
        A flat face is as large as a voxel's; one voxel's corner cuts an equilateral triangle.

        >>> areas = surfel_areas((2.0, 1.0, 3.0))
        >>> float(areas[0b11110000]), float(areas[0b11001100])
        (3.0, 6.0)
        >>> float(surfel_areas((1.0, 1.0, 1.0))[1]) == 3**0.5 / 8
        True
    """
    areas = np.zeros(256)
    for code in range(1, 255):
        for polygon in _polygons(code):
            areas[code] += _area(polygon, _largest_cut(polygon), np.array(steps_mm))
    return areas


def _polygons(code: int) -> list[_Polygon]:
    """The surface of a code as closed polygons, in units of the cube's edge."""
    fewer = code if code.bit_count() <= 4 else 255 - code
    inside = {corner for bit, corner in enumerate(reversed(_CORNERS)) if fewer >> bit & 1}
    neighbours: dict[_Edge, list[_Edge]] = {}
    for face in _faces():
        for one, other in _lines(face, inside):
            neighbours.setdefault(one, []).append(other)
            neighbours.setdefault(other, []).append(one)
    polygons, seen = [], set[_Edge]()
    for start in neighbours:
        ring: list[_Edge] = []
        edge: _Edge | None = start if start not in seen else None
        while edge is not None:
            ring.append(edge)
            seen.add(edge)
            edge = next((item for item in neighbours[edge] if item not in seen), None)
        if ring:
            polygons.append([np.mean(list(item), axis=0) for item in ring])
    return polygons


def _faces() -> list[list[_Corner]]:
    """The four corners of each face of the cube, in turn."""
    faces = []
    for axis, side in product(range(3), (0, 1)):
        faces.append([(*pair[:axis], side, *pair[axis:]) for pair in _ROUND])
    return faces


def _lines(face: list[_Corner], inside: set[_Corner]) -> list[tuple[_Edge, _Edge]]:
    """The lines of the surface on a face, each from the middle of an edge to that of another."""
    edges = [frozenset((face[turn - 1], face[turn])) for turn in range(4)]
    cut = [edge for edge in edges if len(edge & inside) == 1]
    if len(cut) < 4:
        return [(cut[0], cut[1])] if cut else []
    # Two inside, across from each other: each is cut off by the edges that meet in it.
    return [(edges[turn], edges[(turn + 1) % 4]) for turn in range(4) if face[turn] in inside]


def _largest_cut(polygon: _Polygon) -> _Triangles:
    """The triangles with the largest area on a cube of edge 1."""
    return max(
        _cuts(0, len(polygon) - 1), key=lambda triangles: round(_area(polygon, triangles, np.ones(3)), 9)
    )


def _cuts(first: int, last: int) -> list[_Triangles]:
    """All ways to cut the polygon with corners `first` to `last` into triangles."""
    if last - first < 2:
        return [[]]
    return [
        [*before, (first, middle, last), *behind]
        for middle in range(first + 1, last)
        for before in _cuts(first, middle)
        for behind in _cuts(middle, last)
    ]


def _area(polygon: _Polygon, triangles: _Triangles, scale: NDArray[np.float64]) -> float:
    """Area of the triangles when each axis is scaled."""
    total = 0.0
    for one, two, three in triangles:
        sides = (polygon[two] - polygon[one]) * scale, (polygon[three] - polygon[one]) * scale
        total += float(np.linalg.norm(np.cross(*sides))) / 2
    return total
