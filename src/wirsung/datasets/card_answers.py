"""What the data card can say by itself: counted in the tables, or told by the description and the source."""

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import numpy as np

from wirsung.datasets.contents import Contents
from wirsung.datasets.tables.summaries import summarise_numbers

_MOST_NAMED = 8
_COUNTED = {
    "centre": "centre",
    "phase": "contrast phase",
    "sex": "sex",
    "age_years": "age",
    "manufacturer": "manufacturer",
    "tumour": "whether there is a tumour",
}
_LONGEST = 60
_ALLOWS = {True: "allowed", False: "not allowed", None: "not stated"}

Answers = dict[str, tuple[str, str]]
"""A question's id to the answer and its origin; an empty answer is none."""


def known_answers(contents: Contents) -> Answers:
    """All that can be answered without asking anybody."""
    found: Answers = {}
    for told in (_of_description, _of_manifest, _of_labels, _of_provenance, _of_source):
        found |= {name: pair for name, pair in told(contents).items() if pair[0]}
    return found


def counted(values: Iterable[Any], most: int = _MOST_NAMED) -> str:
    """Values with how often each occurs, the commonest first.

    Example:
        >>> counted(["b", "a", "b", None])
        'b 2, a 1, unknown 1'
    """
    found = Counter("unknown" if value is None else _short(str(value)) for value in values)
    ordered = sorted(found.items(), key=lambda item: (item[0] == "unknown", -item[1], item[0]))
    shown = [f"{value} {count:,}" for value, count in ordered[:most]]
    rest = ordered[most:]
    if rest:
        shown.append(f"{len(rest)} more with {sum(count for _, count in rest):,}")
    return ", ".join(shown)


def _of_description(contents: Contents) -> Answers:
    told, origin = contents.description, "dataset.toml"
    made = f", made by {told.created_by}" if told.created_by else ""
    clipped = ""
    if told.clip_hu is not None:
        clipped = f"CT values are clipped to {told.clip_hu[0]} to {told.clip_hu[1]} HU."
    return {
        "versioning.version": (f"Version {told.version}{made}." if told.version else "", origin),
        "distribution.licence": (f"{told.licence}." if told.licence else "", origin),
        "preprocessing.steps": (clipped, origin),
    }


def _of_manifest(contents: Contents) -> Answers:
    column = _columns(contents)
    cases, patients = contents.cases, Counter(column("patient"))
    kinds = counted(column("modality"))
    ages = np.array([np.nan if age is None else age for age in column("age_years")], dtype=np.float64)
    told: dict[str, str] = {
        "general.summary": _summary(contents, patients),
        "composition.instances": f"One instance is one scan with its masks: {cases:,} ({kinds}).",
        "composition.relations": _relations(patients, column("case")),
        "composition.missing": _missing(column, cases),
        "composition.splits": f"By the release itself: {counted(column('subset'))}.",
        "composition.sensitive": "Health data: scans of patients, with sex and age where they are known.",
        "devices.scanners": _if_known("By manufacturer", column("manufacturer")),
        "devices.settings": " ".join(filter(None, (_if_known("Phase", column("phase")), _spacing(contents)))),
        "demographics.recorded": f"Sex: {counted(column('sex'))}. {_ages(ages)}",
        "collection.how": _if_known("Scans by centre", column("centre"), most=4),
    }
    return {name: (text, _manifest_file(contents)) for name, text in told.items()}


def _of_labels(contents: Contents) -> Answers:
    names = contents.annotated or frozenset(
        name for row in _columns(contents)("structures") for name in row or ()
    )
    if not names:
        return {}
    listed = ", ".join(name.replace("_", " ") for name in sorted(names))
    found = {"labelling.structures": (f"{len(names)} structures: {listed}.", _labels_file(contents))}
    if contents.is_described:
        scheme = f"Names and values follow the scheme {contents.description.scheme}."
        found["labelling.protocol"] = (scheme, "dataset.toml")
    return found


def _of_provenance(contents: Contents) -> Answers:
    lines = contents.provenance
    if not lines:
        return {}
    tools = ", ".join(sorted({str(line.get("tool")) for line in lines}))
    clip = contents.description.clip_hu
    steps = (
        f"Curated by {tools}. Read from: {counted(line.get('source') for line in lines)}; labels from: "
        f"{counted(line.get('labels') or 'none' for line in lines)}; turned to the axes RPS."
    )
    if clip is not None:
        steps += f" CT values are clipped to {clip[0]} to {clip[1]} HU."
    found = {"preprocessing.steps": (steps, "provenance.jsonl")}
    if any(line.get("source") == "dicom" for line in lines):
        text = (
            "Of each DICOM header only a closed list of attributes was kept, with patients as pseudonyms and "
            "dates moved. Whether the images themselves tell who somebody is, nobody has certified."
        )
        found["preprocessing.deidentification"] = (text, "provenance.jsonl")
    return found


def _of_source(contents: Contents) -> Answers:
    source = contents.source
    if source is None:
        return {}
    errata = " ".join(f"{_who(item.cases)}{item.what} ({item.source})." for item in source.errata)
    others = "; ".join(f"{item.other}: {item.what} ({item.source})" for item in source.overlaps)
    if contents.release is not None and contents.release.repairs:
        errata += f" {len(contents.release.repairs):,} values of its table were repaired when it was read."
    told = {
        "composition.errors": errata.strip(),
        "composition.external": f"{others}." if others else "",
        "distribution.licence": _licence(contents),
        "distribution.citation": " ".join(filter(None, (source.citation, source.doi_url))),
        "distribution.url": source.homepage,
        "distribution.access": source.access,
    }
    return {name: (text, f"source {source.name}") for name, text in told.items()}


def _licence(contents: Contents) -> str:
    licence = contents.source.licence if contents.source is not None else None
    if licence is None or not licence.name:
        return ""
    note = f" {licence.note}" if licence.note else ""
    return (
        f"{licence.name}: passing on {_ALLOWS[licence.redistribution]}, passing on changed files "
        f"{_ALLOWS[licence.derivatives]}, commercial use {_ALLOWS[licence.commercial]}.{note}"
    )


def _who(cases: Sequence[str]) -> str:
    if len(cases) > _MOST_NAMED:
        return f"{len(cases)} cases: "
    return f"{', '.join(cases)}: " if cases else ""


def _columns(contents: Contents) -> Callable[[str], list[Any]]:
    def column(name: str) -> list[Any]:
        found = contents.manifest
        return list(found[name].to_pylist()) if name in found.column_names else [None] * contents.cases

    return column


def _summary(contents: Contents, patients: Counter[Any]) -> str:
    title = contents.source.title if contents.source is not None else ""
    named = title if title.startswith(contents.name) else " ".join(filter(None, (contents.name, title)))
    known = set(patients) != set(contents.manifest["case"].to_pylist())
    people = f" of {_plural(len(patients), 'patient')}" if known else ""
    masks = f" with masks of up to {len(contents.annotated)} structures" if contents.annotated else ""
    return f"{named} holds {_plural(contents.cases, 'scan')}{people}{masks}."


def _relations(patients: Counter[Any], cases: Sequence[Any]) -> str:
    if set(patients) == set(cases):
        return "No table says which scans are of one patient; each counts as a patient of its own."
    several = sum(count > 1 for count in patients.values())
    return f"{_plural(len(patients), 'patient')}, of whom {several:,} with more than one scan."


def _plural(count: int, noun: str) -> str:
    return f"{count:,} {noun}{'s' * (count != 1)}"


def _manifest_file(contents: Contents) -> str:
    """Where what is counted by case comes from."""
    if contents.has_manifest:
        return "manifest.parquet"
    return "metadata.xlsx" if contents.release is not None else "folders"


def _labels_file(contents: Contents) -> str:
    if not contents.annotated:
        return _manifest_file(contents)
    if contents.description.annotated:
        return "dataset.toml"
    return f"source {contents.source.name}" if contents.source is not None else ""


def _short(text: str) -> str:
    return text if len(text) <= _LONGEST else f"{text[: _LONGEST - 1].rstrip(' ,;')}…"


def _missing(column: Callable[[str], list[Any]], cases: int) -> str:
    gaps = {title: sum(value is None for value in column(name)) for name, title in _COUNTED.items()}
    told = [f"{title} of {count:,} ({100 * count / cases:.1f} %)" for title, count in gaps.items() if count]
    if not cases or not told:
        return "Nothing of " + ", ".join(_COUNTED.values()) + "." if cases else ""
    return f"Of {cases:,} scans: {', '.join(told)}."


def _if_known(title: str, values: Sequence[Any], most: int = _MOST_NAMED) -> str:
    return "" if all(value is None for value in values) else f"{title}: {counted(values, most)}."


def _ages(ages: np.ndarray[Any, np.dtype[np.float64]]) -> str:
    found = summarise_numbers(ages)
    if not found.n:
        return "Age is not told."
    return (
        f"Age: median {found.median:.0f} years (quartiles {found.q1:.0f} and {found.q3:.0f}, from "
        f"{np.nanmin(ages):.0f} to {np.nanmax(ages):.0f}), unknown of {found.missing:,}."
    )


def _spacing(contents: Contents) -> str:
    numbers = contents.cohort().numbers
    told = []
    for column, title in (
        ("in_plane_spacing_mm", "In-plane spacing"),
        ("slice_thickness_mm", "slice thickness"),
    ):
        found = summarise_numbers(numbers[column])
        if found.n:
            told.append(f"{title}: median {found.median:.2f} mm ({found.q1:.2f} to {found.q3:.2f})")
    return f"{'; '.join(told)}." if told else ""
