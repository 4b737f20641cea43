"""The page as data, and the one template that turns it into a self-contained HTML file.

A page holds sections, a section holds blocks. Every text is escaped by the template. The file loads nothing
from elsewhere: style, script and pictures are inside, and its content security policy forbids the rest.
"""

import base64
import hashlib
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from pathlib import Path
from typing import ClassVar, Literal

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from wirsung import __version__
from wirsung.compute.atomic import write_text


@dataclass(frozen=True)
class Picture:
    """A picture inside the page; `alternative` tells its content to whoever can't see it."""

    kind: ClassVar[str] = "picture"
    data_uri: str
    alternative: str
    caption: str = ""
    width_px: int = 0
    """Width at which it is shown where the screen allows; 0 for as wide as the column."""


@dataclass(frozen=True)
class Cell:
    """One cell of a table.

    Example:
        >>> Cell.number(0.83456, 3).text
        '0.835'
        >>> Cell.number(float("nan"), 3).text
        '–'
    """

    text: str
    order: float | None = None
    """What the column is sorted by; a cell with a number is set flush right."""
    note: str = ""
    """A second, smaller line."""
    picture: Picture | None = None
    """A thumbnail; a click enlarges it."""

    @classmethod
    def number(cls, value: float, digits: int, note: str = "") -> "Cell":
        """A number with fixed digits; NaN is shown as a dash and sorted last."""
        undefined = value != value
        text = "–" if undefined else f"{value:.{digits}f}".replace("-", "−")
        return cls(text, float("inf") if undefined else value, note)


@dataclass(frozen=True)
class Table:
    """A table that the reader can sort by any column."""

    kind: ClassVar[str] = "table"
    columns: tuple[str, ...]
    rows: tuple[tuple[Cell | str, ...], ...]
    caption: str = ""
    searched: str = ""
    """What a field above the table asks for, such as "Find a case"; none where empty."""


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side, as many as the screen is wide."""

    kind: ClassVar[str] = "gallery"
    pictures: tuple[Picture, ...]


@dataclass(frozen=True)
class Code:
    """What a reader may copy, such as a command."""

    kind: ClassVar[str] = "code"
    text: str
    caption: str = ""


@dataclass(frozen=True)
class Paragraph:
    """Running text."""

    kind: ClassVar[str] = "paragraph"
    text: str


@dataclass(frozen=True)
class Notice:
    """Text that must not be overlooked."""

    kind: ClassVar[str] = "notice"
    text: str
    level: Literal["note", "warning"] = "note"


@dataclass(frozen=True)
class Facts:
    """Names and values: what was run, with what, when."""

    kind: ClassVar[str] = "facts"
    rows: tuple[tuple[str, str], ...]


@dataclass(frozen=True)
class Tile:
    """One number that matters, with its unit or interval below."""

    label: str
    value: str
    note: str = ""


@dataclass(frozen=True)
class Tiles:
    """The few numbers that a reader wants first."""

    kind: ClassVar[str] = "tiles"
    tiles: tuple[Tile, ...]


Block = Table | Picture | Gallery | Paragraph | Code | Notice | Facts | Tiles


@dataclass(frozen=True)
class Section:
    """A heading and what stands under it."""

    title: str
    blocks: tuple[Block, ...]


@dataclass(frozen=True)
class Page:
    """A whole page."""

    title: str
    lead: str
    """One or two sentences: what this is."""
    sections: tuple[Section, ...]
    overline: str = ""
    """The stage, in small letters above the title."""
    definitions: tuple[tuple[str, str], ...] = ()
    """Terms and their definitions, at the foot."""
    refresh_s: int = 0
    """Seconds after which a browser reads the file anew; 0 for a page that is done."""


def render(page: Page) -> str:
    """The page as HTML.

    Example:
        >>> html = render(Page("Scores", "", (Section("Cases", (Paragraph("3 < 4"),)),)))
        >>> "3 &lt; 4" in html
        True
    """
    style, script = _resource("page.css"), _resource("page.js")
    policy = (
        f"default-src 'none'; img-src data:; style-src '{_digest(style)}'; script-src '{_digest(script)}'"
    )
    # Both are our own files; everything else goes through the template's escaping.
    return (
        _environment()
        .get_template("page.html")
        .render(
            page=page,
            style=Markup(style),
            script=Markup(script),
            policy=policy,
            version=__version__,
        )
    )


def write_page(path: Path, page: Page) -> None:
    """Write the page, whole or not at all.

    Raises:
        StorageError: The file can't be written.
    """
    write_text(path, render(page))


@cache
def _environment() -> Environment:
    return Environment(
        loader=PackageLoader("wirsung.pages"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )


@cache
def _resource(name: str) -> str:
    return files("wirsung.pages").joinpath("templates", name).read_text(encoding="utf-8").strip()


def _digest(text: str) -> str:
    """The hash by which the content security policy knows an inline block."""
    return "sha256-" + base64.b64encode(hashlib.sha256(text.encode()).digest()).decode()
