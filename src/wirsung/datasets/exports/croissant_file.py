"""Croissant: the JSON-LD of a dataset, written to a file."""

from pathlib import Path

from wirsung.compute.atomic import write_json
from wirsung.datasets.contents import Contents
from wirsung.datasets.croissant import CROISSANT_FILE, croissant_of


def write_croissant(contents: Contents, out: Path) -> list[str]:
    """Write OUT/croissant.json, or OUT where it ends in .json; returns lines for the terminal.

    No file of the dataset is changed or passed on, so no licence stands against it.

    Raises:
        ManifestError: A table of the dataset is damaged.
        ConfigError: Its `datacard.toml` is none.
        StorageError: The folder can't be written.
    """
    path = out if out.suffix == ".json" else out / CROISSANT_FILE
    write_json(path, croissant_of(contents))
    told = [f"Written: {path}"]
    if path.parent.resolve() != contents.root.resolve():
        told.append(f"Its addresses are relative to {contents.root}: publish it beside dataset.toml.")
    return told
