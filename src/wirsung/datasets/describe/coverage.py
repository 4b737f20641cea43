"""Which structures a dataset has: drawn and there, drawn and empty, or not annotated at all."""

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass

import pyarrow.compute as pc

from wirsung.anatomy.structures import structures
from wirsung.datasets.contents import Contents
from wirsung.datasets.foreign_labels import DRAWN_FILE
from wirsung.datasets.layout import Case


@dataclass(frozen=True)
class Coverage:
    """How many cases of a dataset have one structure."""

    present: int
    """With a voxel; where nothing was measured, with a mask."""
    empty: int
    """Annotated and without a voxel: somebody looked, and there was none."""
    not_annotated: int
    """Nobody looked, or nobody said so."""

    @property
    def cases(self) -> int:
        """Of the dataset."""
        return self.present + self.empty + self.not_annotated

    @property
    def fraction(self) -> float:
        """Of the cases that have it; NaN without cases."""
        return self.present / self.cases if self.cases else float("nan")


def coverage(contents: Contents) -> dict[str, Coverage]:
    """Structure to how many cases have it, of every structure that any case has or that was to be annotated.

    Where there is a table of a release alone, nobody knows which masks are there, and nothing is told.
    """
    if contents.dataset is None:
        return {}
    held = [tuple(names or ()) for names in contents.manifest["structures"].to_pylist()]
    drawn = Counter(name for names in held for name in names)
    folders = {case.id: case for case in contents.dataset.cases}
    annotated = Counter(
        name
        for case, names in zip(contents.manifest["case"].to_pylist(), held, strict=True)
        for name in _looked_for(folders.get(case), names, contents)
    )
    empty = _empty(contents)
    return {
        name: Coverage(
            drawn[name] - empty[name],
            annotated[name] - drawn[name] + empty[name],
            contents.cases - annotated[name],
        )
        for name in _ordered({*annotated, *(contents.annotated or ())})
    }


def mostly_annotated(found: dict[str, Coverage]) -> frozenset[str]:
    """The structures that somebody looked for in at least half of the cases."""
    return frozenset(name for name, item in found.items() if 2 * item.not_annotated <= item.cases)


def _looked_for(case: Case | None, held: tuple[str, ...], contents: Contents) -> frozenset[str]:
    """As `datasets.annotated` says, from the manifest in place of the folders."""
    told = contents.description.annotated
    has_own_list = case is not None and (case.label_folder / DRAWN_FILE).is_file() if told else False
    if not held or not told or has_own_list:
        return frozenset(held)
    return frozenset(told) | frozenset(held)


def _empty(contents: Contents) -> Counter[str]:
    """Cases by structure whose mask has no voxel."""
    if contents.structures is None:
        return Counter()
    table = contents.structures
    without = table.filter(
        pc.and_(pc.equal(table["volume_ml"], 0), pc.is_in(table["case"], contents.manifest["case"]))
    )
    return Counter(without["structure"].to_pylist())


def _ordered(names: Iterable[str]) -> tuple[str, ...]:
    """In official order, others after them by name."""
    known, wanted = list(structures()), set(names)
    return (*(name for name in known if name in wanted), *sorted(wanted.difference(known)))
