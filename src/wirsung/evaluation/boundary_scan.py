"""One pass over two label maps: how often values meet, and where every structure's boundary is.

**Pairs of values.** Both maps are read eight voxels at a time, as 64-bit words. Inside organs and outside the
body the same two words come again and again, so a run of them is counted once when it ends. Every metric
of overlap follows from the counts.

**Boundaries.** A voxel is boundary where it is labelled and one of its six neighbours has another value.
`a ^ b` is zero only where a equals b, so a row of voxels is compared with the rows before, behind, above and
below it, and with itself moved by one to either side, without a branch: the compiler turns this into vector
instructions. Beyond the volume lies a row of zeros, so a structure that the volume cuts off has its boundary
there. The few voxels that remain go into two places: the *boundary map*, a volume that holds the label at
boundary voxels and 0 elsewhere, padded so that a search around any voxel stays inside it; and the list of
their *places*, which are indices into the flat map.

A boundary map is not cut into structures: a search asks "is the label here mine?", so one map serves all.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from wirsung.imaging.compiled import compiled

Bytes = NDArray[np.uint8]
Integers = NDArray[np.int64]

VALUES = 256


class Layout(NamedTuple):
    """How voxel (z, y, x) becomes a place in the flat, padded map: `origin + z plane + y row + x`."""

    origin: int
    plane: int
    row: int
    size: int


@dataclass(frozen=True, eq=False)
class Boundaries:
    """The boundary voxels of all structures of one label map."""

    labels: Bytes
    """The boundary map, flat."""
    layout: Layout
    """Of the map."""
    places: Integers
    """Indices into the map, by label and, within a label, in the order of memory."""
    starts: Integers
    """By label, where its places start; one more for the end."""

    @classmethod
    def of_slabs(cls, labels: Bytes, layout: Layout, places: Sequence[Integers]) -> "Boundaries":
        """From a map and the places in each slab of it, in their order."""
        return cls(labels, layout, *group_by_label(labels, np.concatenate(places)))

    def places_of(self, label: int) -> Integers:
        """The places of one label."""
        return self.places[self.starts[label] : self.starts[label + 1]]

    def union(self, codes: Sequence[int], voxels: Bytes) -> "Boundaries":
        """The boundary of several labels taken together as label 1.

        Where a union ends, one of its parts ends: only the parts' boundaries need to be looked at.

        Args:
            codes: The labels.
            voxels: The label map that these boundaries are of.
        """
        labels = np.zeros(self.layout.size, dtype=np.uint8)
        places = np.sort(np.concatenate([self.places_of(code) for code in codes]))
        return Boundaries.of_slabs(
            labels, self.layout, [mark_outer(places, member_table(codes), voxels, self.layout, labels)]
        )


def member_table(codes: Sequence[int]) -> Bytes:
    """By label: 1 if it is one of the codes, else 0."""
    table = np.zeros(VALUES, dtype=np.uint8)
    table[list(codes)] = 1
    return table


def count_voxels(reference: Bytes, prediction: Bytes, first: int, stop: int) -> Integers:
    """How often each pair of values occurs among the voxels `first` to `stop` in memory, 256 x 256.

    `first` is rounded up to a multiple of 8, and so is `stop` unless it is the end.
    """
    counts = np.zeros((VALUES, VALUES), dtype=np.int64)
    one, other = reference.reshape(-1), prediction.reshape(-1)
    whole = one.size // 8
    words = (one[: 8 * whole].view(np.uint64), other[: 8 * whole].view(np.uint64))
    count_pairs(*words, -(-first // 8), min(-(-stop // 8), whole), counts)
    if stop == one.size:
        np.add.at(counts, (one[8 * whole :], other[8 * whole :]), 1)
    return counts


@compiled
def count_pairs(
    reference: NDArray[np.uint64], prediction: NDArray[np.uint64], first: int, stop: int, counts: Integers
) -> None:
    """Add to `counts[reference value, prediction value]` what the words from `first` to `stop` hold."""
    if first >= stop:
        return
    one, other = reference[first], prediction[first]
    run = 0
    for index in range(first, stop):
        if reference[index] == one and prediction[index] == other:
            run += 1
        else:
            _count_run(one, other, run, counts)
            one, other, run = reference[index], prediction[index], 1
    _count_run(one, other, run, counts)


@compiled
def _count_run(one: np.uint64, other: np.uint64, run: int, counts: Integers) -> None:
    """The eight pairs of bytes of two words, `run` times."""
    for shift in range(0, 64, 8):
        row = np.uint64(one >> np.uint64(shift)) & np.uint64(255)
        column = np.uint64(other >> np.uint64(shift)) & np.uint64(255)
        counts[row, column] += run


class Row(NamedTuple):
    """What the marking of one row needs; made outside the compiled loops, which then compile faster."""

    outside: Bytes
    """A row of zeros, for what lies beyond the volume."""
    marks: Bytes
    """Label where the row has a boundary voxel, else 0; its length is a multiple of 8."""
    words: NDArray[np.uint64]
    """The same memory, eight marks at a time."""


def mark_planes(voxels: Bytes, first: int, stop: int, layout: Layout, labels: Bytes) -> Integers:
    """Write the boundary voxels of planes `first` to `stop` into the map `labels`, and return their places.

    Args:
        voxels: A label map in C order.
        first: First plane.
        stop: Last plane + 1.
        layout: Of the map.
        labels: The map; zero before.
    """
    rows, columns = voxels.shape[1:]
    marks = np.zeros(-(-columns // 8) * 8, dtype=np.uint8)
    row = Row(np.zeros(columns, dtype=np.uint8), marks, marks.view(np.uint64))
    # Room for all voxels, of which memory gives only what is written.
    places = np.empty((stop - first) * rows * columns, dtype=np.int64)
    count = mark_rows(voxels, (first, stop), row, layout, labels, places)
    return places[:count].copy()


@compiled
def mark_rows(
    voxels: Bytes, planes: tuple[int, int], row: Row, layout: Layout, labels: Bytes, places: Integers
) -> int:
    """As `mark_planes`, into a list of places that is long enough; returns how many there are."""
    rows, columns = voxels.shape[1], voxels.shape[2]
    count = 0
    for z in range(planes[0], planes[1]):
        for y in range(rows):
            _mark_row(voxels, z, y, row.outside, row.marks[:columns])
            base = layout.origin + z * layout.plane + y * layout.row
            for word in range(row.words.size):
                if row.words[word] == 0:
                    continue
                for x in range(8 * word, 8 * word + 8):
                    if row.marks[x]:
                        labels[base + x] = row.marks[x]
                        places[count] = base + x
                        count += 1
    return count


@compiled
def _mark_row(voxels: Bytes, z: int, y: int, outside: Bytes, marks: Bytes) -> None:
    """Label where the row has a neighbour of another value, else 0."""
    planes, rows, columns = voxels.shape
    row = voxels[z, y]
    above = voxels[z - 1, y] if z > 0 else outside
    below = voxels[z + 1, y] if z + 1 < planes else outside
    before = voxels[z, y - 1] if y > 0 else outside
    behind = voxels[z, y + 1] if y + 1 < rows else outside
    for x in range(columns):
        value = row[x]
        marks[x] = (value ^ above[x]) | (value ^ below[x]) | (value ^ before[x]) | (value ^ behind[x])
    left, middle, right, inner = row[:-2], row[1:-1], row[2:], marks[1:-1]
    for x in range(inner.size):
        value = middle[x]
        differs = inner[x] | (value ^ left[x]) | (value ^ right[x])
        inner[x] = value if differs else 0
    # Beside the first and the last voxel of a row the volume ends.
    marks[0] = row[0]
    marks[columns - 1] = row[columns - 1]


@compiled
def mark_outer(places: Integers, members: Bytes, voxels: Bytes, layout: Layout, labels: Bytes) -> Integers:
    """Write 1 into the map `labels` at the places with a neighbour that is no member, and return them."""
    planes, rows, columns = voxels.shape
    outer = np.empty_like(places)
    count = 0
    for place in places:
        z, y, x = voxel_at(place, layout)
        # Short of the volume's end, the neighbour itself decides.
        if (
            z > 0
            and members[voxels[z - 1, y, x]]
            and z + 1 < planes
            and members[voxels[z + 1, y, x]]
            and y > 0
            and members[voxels[z, y - 1, x]]
            and y + 1 < rows
            and members[voxels[z, y + 1, x]]
            and x > 0
            and members[voxels[z, y, x - 1]]
            and x + 1 < columns
            and members[voxels[z, y, x + 1]]
        ):
            continue
        labels[place] = 1
        outer[count] = place
        count += 1
    return outer[:count]


@compiled
def voxel_at(place: int, layout: Layout) -> tuple[int, int, int]:
    """z, y, x of a place."""
    rest = place - layout.origin
    z = rest // layout.plane
    rest -= z * layout.plane
    y = rest // layout.row
    return z, y, rest - y * layout.row


@compiled
def group_by_label(labels: Bytes, places: Integers) -> tuple[Integers, Integers]:
    """The places by label, in their order within a label, and where each label starts (counting sort)."""
    starts = np.zeros(257, dtype=np.int64)
    for place in places:
        starts[np.int64(labels[place]) + 1] += 1
    for label in range(256):
        starts[label + 1] += starts[label]
    following = starts.copy()
    grouped = np.empty_like(places)
    for place in places:
        label = labels[place]
        grouped[following[label]] = place
        following[label] += 1
    return grouped, starts
