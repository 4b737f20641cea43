"""The networks that plans may name, and no others. Importing this imports no torch; building one does."""

from wirsung.models.networks.building import architecture_of, build_architecture, build_network
from wirsung.models.networks.catalog import Entry, catalog, entry, entry_of_class

__all__ = [
    "Entry",
    "architecture_of",
    "build_architecture",
    "build_network",
    "catalog",
    "entry",
    "entry_of_class",
]
