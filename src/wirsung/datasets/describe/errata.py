"""What is known to be wrong with a dataset: by its source, and by what was repaired in its table."""

from collections import Counter
from collections.abc import Sequence

from wirsung.datasets.contents import Contents
from wirsung.datasets.release_metadata import COLUMNS, Repair

_MOST_CASES = 12


def errata_rows(contents: Contents) -> list[tuple[str, str, str]]:
    """Each known error: the cases, what is wrong, and who says so.

    Of cases that the dataset does not have, nothing is told.
    """
    if contents.source is None:
        return []
    here = set(contents.manifest["case"].to_pylist())
    rows = []
    for item in contents.source.errata:
        cases = [case for case in item.cases if case in here]
        if cases or not item.cases:
            rows.append((_listed(cases) or "not listed", item.what, item.source))
    return rows


def repair_counts(contents: Contents) -> list[tuple[str, str, str, int]]:
    """Each kind of repair: the table's column, what was found, what became of it, in how many cases."""
    found = Counter((item.column, item.found, item.made) for item in _repairs(contents))
    return [
        (COLUMNS[column][0] if column in COLUMNS else column, _seen(old), _seen(new) or "unknown", count)
        for (column, old, new), count in sorted(
            found.items(), key=lambda item: (item[0][0], -item[1], item[0])
        )
    ]


def repair_rows(contents: Contents) -> list[list[str]]:
    """Every repair, a row a case and value, the head first."""
    rows = [[item.case, item.column, item.found, item.made] for item in _repairs(contents)]
    return [["case", "column", "found", "made"], *rows]


def _repairs(contents: Contents) -> Sequence[Repair]:
    return contents.release.repairs if contents.release is not None else ()


def _listed(cases: Sequence[str]) -> str:
    shown = ", ".join(cases[:_MOST_CASES])
    return shown if len(cases) <= _MOST_CASES else f"{shown} and {len(cases) - _MOST_CASES} more"


def _seen(text: str) -> str:
    """With spaces at the ends, doubled or no-break ones made visible.

    Example:
        >>> _seen("M "), _seen("ct  abdomen")
        ('M␣', 'ct␣␣abdomen')
    """
    bare = text.strip()
    ends = text[: len(text) - len(text.lstrip())], text[len(text.rstrip()) :]
    inner = bare.replace("\N{NO-BREAK SPACE}", "⍽").replace("  ", "␣␣")
    marked = ["".join("⍽" if sign == "\N{NO-BREAK SPACE}" else "␣" for sign in end) for end in ends]
    return f"{marked[0]}{inner}{marked[1]}" if bare else "␣" * len(text)
