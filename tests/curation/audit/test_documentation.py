"""docs/concepts/annotation-standard.md says what the code does."""

from pathlib import Path

from wirsung.anatomy.standard import norms, phase_norms, rules
from wirsung.curation.audit.case import audit_case
from wirsung.curation.audit.judging import judged_rules

ROOT = Path(__file__).parents[3]
SOURCE = ROOT / "src/wirsung/curation"


def tables():
    """The rows of each table of the page, under its heading."""
    found, heading = {}, ""
    for line in (ROOT / "docs/concepts/annotation-standard.md").read_text().splitlines():
        if line.startswith("## "):
            heading = line.removeprefix("## ")
            found[heading] = []
        elif line.startswith("| ") and heading:
            found[heading].append([cell.strip() for cell in line[1:-1].split("|")])
    return {heading: rows[1:] for heading, rows in found.items()}


def between(pair):
    return f"{pair[0]:g} to {pair[1]:g}"


def test_the_table_of_rules_is_that_of_the_code():
    made = []
    for item in rules().values():
        threshold = f"by structure, {item.unit}" if item.unit else ""
        if item.threshold is not None:
            threshold = f"{item.threshold:g} {item.unit}"
        made.append([f"`{item.id}`", item.severity, threshold, item.what, item.source])
    assert tables()["Rules"] == made


def test_the_tables_of_structures_and_phases_are_those_of_the_code():
    told = tables()
    assert [row[:3] for row in told["Structures"]] == [
        [item.name, between(item.volume_ml), between(item.hu)] for item in norms().values()
    ]
    assert told["Contrast phases"] == [
        [item.name, between(item.aorta), between(item.veins)] for item in phase_norms().values()
    ]


def test_every_rule_is_checked_somewhere():
    """A rule has a function of its own, or is named where files are read and cases compared."""
    assert audit_case  # its import registers the functions
    text = "".join(path.read_text() for path in SOURCE.rglob("*.py"))
    for rule_id in rules():
        assert rule_id in judged_rules() or f'"{rule_id}"' in text, rule_id
