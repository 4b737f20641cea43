"""The known sources as a table: in the terminal, and as docs/concepts/sources.md."""

from collections.abc import Sequence
from dataclasses import dataclass, field
from typing import Any

from wirsung.anatomy.structures import structures
from wirsung.datasets.sources import Source, all_sources

_WORDS = {True: "yes", False: "no", None: "?"}
_PANCREAS = ("pancreas", "pancreatic_lesion", "pancreatic_duct")


@dataclass(frozen=True)
class SourceList:
    """Every source that can be imported by name."""

    sources: Sequence[Source] = field(default_factory=all_sources)
    is_saved: bool = False
    """There is no output whose settings would be kept."""

    def lines(self) -> list[str]:
        """For the terminal."""
        width = max(len(source.name) for source in self.sources)
        rows = [
            f"{source.name:<{width}}  {_count(source.scans):>6}  {'+'.join(source.modalities):<5}  "
            f"{len(source.annotated):>3}  {source.licence.name or 'licence unknown'}"
            for source in self.sources
        ]
        heading = f"{'source':<{width}}   scans  what   labels  licence"
        return [heading, *rows, "Import one: wirsung import SOURCE PATH --out DATASET"]

    def as_json(self) -> dict[str, Any]:
        """As `wirsung import list --json` prints."""
        return {"sources": [source.as_json() for source in self.sources]}


def sources_table(sources: Sequence[Source]) -> str:
    """The table of docs/concepts/sources.md, in Markdown."""
    heads = (
        "source",
        "what",
        "scans",
        "labels",
        "of the pancreas",
        "licence",
        "pass on",
        "changed",
        "commercial",
    )
    rows = [
        (
            f"[{source.name}]({source.homepage})",
            ", ".join(source.modalities),
            _count(source.scans),
            str(len(source.annotated)),
            ", ".join(name for name in _PANCREAS if name in source.annotated) or "-",
            source.licence.name or "unknown",
            *(_WORDS[allowed] for allowed in _allowed(source)),
        )
        for source in sources
    ]
    return _markdown(heads, rows)


def overlaps_table(sources: Sequence[Source]) -> str:
    """Which source holds scans of which, for docs/concepts/sources.md, in Markdown."""
    rows = [
        (source.name, item.other, _count(item.scans), item.what, item.source)
        for source in sources
        for item in source.overlaps
    ]
    return _markdown(("source", "and", "scans", "what is known", "where it was read"), rows)


def absent_structures(source: Source) -> tuple[str, ...]:
    """The structures of PanTS that the source's labels don't tell, in official order."""
    return tuple(name for name in structures() if name not in source.annotated)


def _allowed(source: Source) -> tuple[bool | None, ...]:
    return source.licence.redistribution, source.licence.derivatives, source.licence.commercial


def _count(scans: int | None) -> str:
    return "?" if scans is None else f"{scans:,}"


def _markdown(heads: tuple[str, ...], rows: Sequence[tuple[str, ...]]) -> str:
    return "\n".join(f"| {' | '.join(row)} |" for row in (heads, ("---",) * len(heads), *rows)) + "\n"
