"""The public sources: one TOML file each, with its licence, files, labels, layout and known errata."""

from wirsung.datasets.sources.reading import all_sources, read_source, source_named, source_names
from wirsung.datasets.sources.source import Download, Erratum, Layout, Licence, Overlap, Part, Source, Table

__all__ = [
    "Download",
    "Erratum",
    "Layout",
    "Licence",
    "Overlap",
    "Part",
    "Source",
    "Table",
    "all_sources",
    "read_source",
    "source_named",
    "source_names",
]
