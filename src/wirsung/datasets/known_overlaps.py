"""What is known of scans that two public sources share, whether or not they were found."""

from collections.abc import Mapping
from dataclasses import dataclass

from wirsung.datasets.sources import source_named, source_names


@dataclass(frozen=True)
class KnownOverlap:
    """Two public sources that share scans."""

    dataset: str
    other: str
    """The other dataset, or the source's name where it was not compared."""
    what: str
    source: str
    """Where this is from."""
    is_compared: bool
    """Whether both were compared."""

    @property
    def sentence(self) -> str:
        """For people."""
        return f"Known: {self.dataset} and {self.other} share scans ({self.what}; {self.source})."


def known_overlaps(sources: Mapping[str, str]) -> tuple[KnownOverlap, ...]:
    """What the public sources say of each other, those of compared datasets first.

    Args:
        sources: Name of the dataset to that of its public source; empty for one's own.

    Example:
        >>> found = known_overlaps({"mine": "", "Task07": "msd-pancreas", "PanTS": "pants"})
        >>> [(item.dataset, item.other) for item in found if item.is_compared]
        [('Task07', 'PanTS')]
    """
    found: dict[frozenset[str], KnownOverlap] = {}
    known = {name: source for name, source in sources.items() if source in source_names()}
    by_source = {source: name for name, source in known.items()}
    for name, source in known.items():
        for item in source_named(source).overlaps:
            told = by_source.get(item.other, item.other)
            found.setdefault(
                frozenset((name, told)),
                KnownOverlap(name, told, item.what, item.source, item.other in by_source),
            )
    return tuple(sorted(found.values(), key=lambda item: not item.is_compared))
