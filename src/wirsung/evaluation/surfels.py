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

from collections.abc import Sequence
from functools import lru_cache
from itertools import product

import numpy as np
from numpy.typing import NDArray

from wirsung.evaluation.boundary_scan import Boundaries, Bytes, Integers, Layout, member_table, voxel_at
from wirsung.imaging.compiled import compiled

Areas = NDArray[np.float64]
_Corner = tuple[int, ...]
_Edge = frozenset[_Corner]
_Polygon = list[NDArray[np.float64]]
_Triangles = list[tuple[int, int, int]]

_CORNERS = tuple(product((0, 1), repeat=3))
_ROUND = ((0, 0), (0, 1), (1, 1), (1, 0))


def surfels(
    boundaries: Boundaries, codes: Sequence[int], voxels: Bytes, layout: Layout
) -> tuple[Boundaries, Bytes]:
    """The corners on the surface of a structure, as label 1, and the code of each.

    A cube of voxels that the surface passes holds a boundary voxel: only the corners of these are looked at.

    Args:
        boundaries: Of all structures.
        codes: The labels that make the structure.
        voxels: The label map that the boundaries are of.
        layout: Of a map that is larger than the label map by one along each axis.
    """
    labels = np.zeros(layout.size, dtype=np.uint8)
    places = np.concatenate([boundaries.places_of(code) for code in codes])
    corners = mark_corners(places, boundaries.layout, (voxels, member_table(codes)), layout, labels)
    corners.sort()
    found = labels[corners]
    labels[corners] = 1
    return Boundaries.of_slabs(labels, layout, [corners]), found


@compiled
def mark_corners(
    places: Integers, layout: Layout, structure: tuple[Bytes, Bytes], corner_layout: Layout, labels: Bytes
) -> Integers:
    """Write the codes of the surface's corners into the map `labels`, and return their places.

    Args:
        places: Of boundary voxels.
        layout: Of the map that the places are of.
        structure: Label map, and by label whether it belongs to the structure.
        corner_layout: Of `labels`.
        labels: A map of corners; zero before.
    """
    corners = np.empty(8 * places.size, dtype=np.int64)
    count = 0
    for place in places:
        z, y, x = voxel_at(place, layout)
        first = corner_layout.origin + z * corner_layout.plane + y * corner_layout.row + x
        for step in range(8):
            dz, dy, dx = step >> 2, (step >> 1) & 1, step & 1
            corner = first + dz * corner_layout.plane + dy * corner_layout.row + dx
            if labels[corner]:
                continue
            code = _code_at(structure, z + dz, y + dy, x + dx)
            if code != 255:
                labels[corner] = code
                corners[count] = corner
                count += 1
    return corners[:count]


@compiled
def _code_at(structure: tuple[Bytes, Bytes], z: int, y: int, x: int) -> int:
    """A bit for each of the eight voxels around the corner before voxel (z, y, x), the first the highest."""
    voxels, members = structure
    code = 0
    for step in range(8):
        plane, row, column = z - 1 + (step >> 2), y - 1 + ((step >> 1) & 1), x - 1 + (step & 1)
        code <<= 1
        if 0 <= plane < voxels.shape[0] and 0 <= row < voxels.shape[1] and 0 <= column < voxels.shape[2]:
            code |= members[voxels[plane, row, column]]
    return code


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
    codes, normals = _triangles()
    z_mm, y_mm, x_mm = steps_mm
    # Scaling the axes scales a triangle's normal, whose length is the area, by the faces' areas.
    lengths = np.linalg.norm(normals * np.array([y_mm * x_mm, z_mm * x_mm, z_mm * y_mm]), axis=1)
    return np.bincount(codes, lengths, minlength=256).astype(np.float64)


@lru_cache(maxsize=1)
def _triangles() -> tuple[NDArray[np.int64], NDArray[np.float64]]:
    """Code and normal of every triangle on a cube of edge 1; a normal is as long as its triangle is large."""
    found = [
        (code, normal) for code in range(1, 255) for ring in _polygons(code) for normal in _largest_cut(ring)
    ]
    return np.array([code for code, _ in found]), np.array([normal for _, normal in found])


def _polygons(code: int) -> list[_Polygon]:
    """The surface of a code as closed polygons, in units of the cube's edge."""
    fewer = min(code, 255 - code, key=lambda item: (item.bit_count(), item))
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


def _largest_cut(polygon: _Polygon) -> list[NDArray[np.float64]]:
    """The normals of the triangles with the largest area."""

    def normals(triangles: _Triangles) -> list[NDArray[np.float64]]:
        sides = [
            (polygon[two] - polygon[one], polygon[three] - polygon[one]) for one, two, three in triangles
        ]
        return [np.cross(*pair) / 2 for pair in sides]

    def area(triangles: _Triangles) -> float:
        return round(sum(float(np.linalg.norm(normal)) for normal in normals(triangles)), 9)

    return normals(max(_cuts(0, len(polygon) - 1), key=area))


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
