"""The description of a dataset: `dataset.toml`."""

import re
import tomllib
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import tomli_w

from wirsung import __version__
from wirsung.compute.atomic import write_text
from wirsung.datasets.foreign_labels import LabelStyle
from wirsung.errors import ManifestError

DESCRIPTION_FILE = "dataset.toml"
_SCHEMA = 1
_TEXTS = {
    **dict.fromkeys(("name", "version", "licence", "scheme", "created_by", "source", "label_scheme"), ""),
    "label_grid": "own",
}
"""Keys that hold a text, and what they say where they are not there."""
_NAME = re.compile(r"[\w .+-]{1,100}")


@dataclass(frozen=True)
class Description:
    """What a dataset says of itself."""

    name: str
    """For people."""
    version: str = ""
    """Of the data, not of the tool."""
    licence: str = ""
    """An SPDX name where there is one; empty where nobody said."""
    scheme: str = "pants-28"
    """The label scheme of `combined_labels.nii.gz`."""
    clip_hu: tuple[int, int] | None = None
    """Lowest and highest HU that CT images were clipped to; None where they were not."""
    created_by: str = f"wirsung {__version__}"
    """The tool and its version."""
    source: str = ""
    """The public source that it was imported from, see `datasets.sources`; empty for one's own."""
    annotated: tuple[str, ...] = ()
    """What was drawn in every labelled case, so that a missing mask means nobody drew it; empty: not said."""
    label_scheme: str = ""
    """Of the label maps that stand for masks: built in, or a TOML beside this file; empty for masks."""
    label_grid: str = "own"
    """own, or image: labels lie where their image does, whatever their own header says."""
    unions: Mapping[str, tuple[str, ...]] = field(default_factory=dict)
    """Structures that are several masks together."""

    @property
    def is_curated(self) -> bool:
        """Whether our curation wrote the dataset, so that it is neither imported nor as released."""
        return bool(self.created_by) and not self.source

    def label_style(self, root: Path) -> LabelStyle:
        """How the labels of the dataset in `root` are to be read."""
        own = self.label_scheme.endswith(".toml")
        name = str(root / self.label_scheme) if own else self.label_scheme
        return LabelStyle(name, self.label_grid, dict(self.unions))


def read_description(root: Path) -> Description:
    """The description of the dataset in `root`; made from the folder's name where there is no `dataset.toml`.

    Raises:
        ManifestError: `dataset.toml` is no TOML, of another schema, or a value has the wrong type.
    """
    path = root / DESCRIPTION_FILE
    if not path.is_file():
        return Description(root.resolve().name, created_by="")
    try:
        table = tomllib.loads(path.read_text(encoding="utf-8"))
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        msg = f"{path} is not TOML: {error}. Restore the file, or run wirsung curate again."
        raise ManifestError(msg) from error
    if table.get("schema") != _SCHEMA:
        msg = (
            f"{path} has schema {table.get('schema')!r}, but this version of Wirsung reads {_SCHEMA}. "
            "Use the version that wrote it."
        )
        raise ManifestError(msg)
    return _parsed(table, path)


def write_description(root: Path, description: Description) -> None:
    """Write `dataset.toml`.

    Raises:
        ManifestError: The name is empty or holds a control character.
    """
    if not _NAME.fullmatch(description.name):
        msg = (
            f"A dataset can't be named {description.name!r}. Choose 1 to 100 letters, digits, spaces or .+-_"
        )
        raise ManifestError(msg)
    table: dict[str, Any] = {
        "schema": _SCHEMA,
        "name": description.name,
        "version": description.version,
        "licence": description.licence,
        "scheme": description.scheme,
        "created_by": description.created_by,
    }
    if description.clip_hu is not None:
        table["clip_hu"] = list(description.clip_hu)
    if description.source:
        table["source"] = description.source
    if description.annotated:
        table["annotated"] = list(description.annotated)
    if description.label_scheme:
        table["label_scheme"] = description.label_scheme
    if description.label_grid != "own":
        table["label_grid"] = description.label_grid
    if description.unions:
        table["unions"] = {name: list(members) for name, members in description.unions.items()}
    write_text(root / DESCRIPTION_FILE, tomli_w.dumps(table))


def _parsed(table: dict[str, Any], path: Path) -> Description:
    texts = {key: table.get(key, default) for key, default in _TEXTS.items()}
    wrong = [key for key, value in texts.items() if not isinstance(value, str)]
    wrong += [key for key in ("name", "scheme") if texts[key] == ""]
    wrong += ["label_grid"] * (texts["label_grid"] not in ("own", "image"))
    clip, annotated, unions = table.get("clip_hu"), table.get("annotated", []), table.get("unions", {})
    is_range = isinstance(clip, list) and len(clip) == 2 and all(type(bound) is int for bound in clip)
    wrong += ["clip_hu"] * (clip is not None and not is_range)
    wrong += ["annotated"] * (not _are_names(annotated))
    wrong += ["unions"] * (not (isinstance(unions, dict) and all(map(_are_names, unions.values()))))
    if wrong:
        msg = f"{path}: {', '.join(wrong)} is missing or of the wrong type. Restore the file."
        raise ManifestError(msg)
    return Description(
        **texts,
        clip_hu=(clip[0], clip[1]) if clip is not None else None,
        annotated=tuple(annotated),
        unions={name: tuple(members) for name, members in unions.items()},
    )


def _are_names(value: object) -> bool:
    return isinstance(value, list) and all(isinstance(item, str) for item in value)
