"""`wirsung models list`: the catalog as a table, with what is needed and whether it is there."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from wirsung.models.networks.catalog import Entry, catalog
from wirsung.models.settings import ListSettings


@dataclass(frozen=True)
class Listing:
    """Every network of the catalog."""

    entries: tuple[Entry, ...]

    def lines(self) -> list[str]:
        """For the terminal: one row a network, and what to install."""
        head = ("NAME", "PARAMETERS", "LICENCE", "NEEDS", "PAPER", "FROM")
        rows = [head, *(_row(item) for item in self.entries)]
        widths = [max(len(row[column]) for row in rows) for column in range(len(head))]
        told = ["  ".join(map(str.ljust, row, widths)).rstrip() for row in rows]
        extras = sorted({item.extra for item in self.entries if item.missing})
        install = [f"Install what is missing with: pip install 'wirsung[{','.join(extras)}]'"]
        return [
            *told,
            "",
            "Parameters are for a patch of 128^3 at 1 mm, one channel and two classes.",
            "For another patch, and for memory and time: wirsung models cost NAME",
            *(install if extras else []),
        ]

    def as_json(self) -> dict[str, Any]:
        """For programs."""
        return {"networks": [_table(item) for item in self.entries]}


def list_models(_settings: ListSettings) -> Listing:
    """Gather the networks; nothing of them is imported."""
    return Listing(tuple(catalog().values()))


def _row(item: Entry) -> tuple[str, ...]:
    there = "is there" if not item.missing else f"not there: {', '.join(item.missing)}"
    return (
        item.name,
        millions(item.parameters),
        item.licence,
        f"{item.extra}, {there}",
        item.paper,
        item.origin,
    )


def _table(item: Entry) -> dict[str, Any]:
    return {
        "name": item.name,
        "title": item.title,
        "parameters": item.parameters,
        "licence": item.licence,
        "paper": item.paper,
        "origin": item.origin,
        "extra": item.extra,
        "needs": list(item.needs),
        "missing": list(item.missing),
        "deep_supervision": item.deep_supervision,
        "patch": item.patch,
        "class": item.class_path,
        "published": [
            {"parameters": one.parameters, "ours": one.ours, "source": one.source, "why": one.difference}
            for one in item.published
        ],
    }


def millions(count: int | None) -> str:
    """A count of parameters in millions, with three digits; a dash where nobody counted.

    Example:
        >>> millions(31_195_594), millions(5_546_000), millions(None)
        ('31.2 M', '5.55 M', '-')
    """
    return "-" if count is None else f"{count / 1e6:.3g} M"


def markdown() -> str:
    """The two tables of docs/concepts/networks.md: the networks, and their parameters against the papers'."""
    heads = ("network", "parameters", "paper", "where it is from", "needs", "deep supervision", "patch")
    rows = [
        (
            f"`{item.name}`",
            millions(item.parameters),
            item.paper,
            item.origin,
            item.extra,
            "yes" if item.deep_supervision else "no",
            item.patch,
        )
        for item in catalog().values()
    ]
    heads_published = ("network", "patch", "published", "ours", "published where", "why they differ")
    rows_published = [
        (
            f"`{item.name}`",
            " x ".join(map(str, one.patch_size)),
            f"{one.parameters:,}",
            f"{one.ours:,}",
            one.source,
            one.difference or "they do not",
        )
        for item in catalog().values()
        for one in item.published
    ]
    return f"{_markdown(heads, rows)}\n\n{_markdown(heads_published, rows_published)}\n"


def _markdown(heads: Sequence[str], rows: Sequence[Sequence[str]]) -> str:
    lines = [heads, ["---"] * len(heads), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)
