"""The page of an audit: what is wrong, by rule, with pictures."""

from collections import Counter
from collections.abc import Mapping, Sequence

from wirsung.anatomy.standard import SEVERITIES, Rule, Severity, rules
from wirsung.curation.findings import Finding
from wirsung.pages.template import Block, Cell, Notice, Page, Paragraph, Picture, Section, Table, Tile, Tiles

PAGE_FILE = "check.html"
_MOST_ROWS = 3000
"""Of 250 bytes each; the lists beside the page have all."""
_DIGITS = 3
_PLURALS: dict[Severity, str] = {"error": "errors", "warning": "warnings", "note": "notes"}


def audit_page(
    name: str, cases: int, findings: Sequence[Finding], pictures: Mapping[str, Picture], most: int
) -> Page:
    """The page.

    Args:
        name: Of the dataset.
        cases: How many were audited.
        findings: All of them.
        pictures: By the findings' anchors.
        most: How many pictures a rule may have.
    """
    ordered = sorted(findings, key=lambda item: SEVERITIES.index(item.severity))
    sections = [Section("Overview", _overview(cases, findings))]
    if findings:
        sections.append(Section("Findings", _table(ordered, pictures, most)))
    return Page(
        title=f"Audit of {name}",
        lead="Every rule that a case breaks. Nothing of the dataset was changed.",
        sections=tuple(sections),
        overline="wirsung check",
        definitions=tuple((item.id, f"{item.what} Source: {item.source}.") for item in _broken(ordered)),
    )


def _overview(cases: int, findings: Sequence[Finding]) -> tuple[Block, ...]:
    tiles = [Tile("cases", str(cases), "audited")]
    for severity in SEVERITIES:
        of_it = [item for item in findings if item.severity == severity]
        tiles.append(
            Tile(_PLURALS[severity], str(len(of_it)), f"in {len({item.case for item in of_it})} cases")
        )
    if not findings:
        return Tiles(tuple(tiles)), Paragraph("No rule is broken.")
    times = Counter((item.severity, item.rule) for item in findings)
    holders = {key: len({f.case for f in findings if (f.severity, f.rule) == key}) for key in times}
    rows = tuple(
        (
            severity,
            rule_id,
            Cell(str(count), count),
            Cell(str(holders[severity, rule_id]), holders[severity, rule_id]),
            rules()[rule_id].what,
        )
        for (severity, rule_id), count in sorted(times.items(), key=lambda item: _rank(*item[0]))
    )
    columns = ("severity", "rule", "findings", "cases", "what must hold")
    return Tiles(tuple(tiles)), Table(columns, rows, "Rules that are broken.")


def _rank(severity: Severity, rule_id: str) -> tuple[int, int]:
    return SEVERITIES.index(severity), list(rules()).index(rule_id)


def _table(findings: Sequence[Finding], pictures: Mapping[str, Picture], most: int) -> tuple[Block, ...]:
    said = Paragraph(
        f"Each rule has at most {most} pictures, of different cases first. A click enlarges one. "
        "A word in the field keeps the rows that hold it: a rule, a severity, a case, a structure."
    )
    rows = tuple(_row(item, pictures.get(item.picture)) for item in findings[:_MOST_ROWS])
    columns = ("severity", "rule", "case", "structure or file", "value", "threshold", "finding")
    table = Table(columns, rows, searched="Show only")
    if len(findings) <= _MOST_ROWS:
        return said, table
    return said, Notice(f"The first {_MOST_ROWS} of {len(findings)} are shown; the lists have all."), table


def _row(item: Finding, picture: Picture | None) -> tuple[Cell | str, ...]:
    return (
        item.severity,
        item.rule,
        item.case,
        item.structure.replace("_", " ") or item.file,
        _number(item.value, item.unit),
        _number(item.threshold, item.unit),
        Cell(item.sentence, picture=picture),
    )


def _number(value: float | None, unit: str) -> Cell:
    if value is None:
        return Cell("", float("inf"))
    return Cell(f"{value:.{_DIGITS}g}".replace("-", "−"), value, unit)


def _broken(findings: Sequence[Finding]) -> list[Rule]:
    broken = {item.rule for item in findings}
    return [item for item in rules().values() if item.id in broken]
