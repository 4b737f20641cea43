"""BIDS: one folder a patient, images as they are, label maps as derivatives.

CT is not part of BIDS (a proposal, BEP024, is open): it lies in `ct/`, which `.bidsignore` names. MRI lies in
`anat/` as T1w or T2w.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path
from typing import Any

from wirsung import __version__
from wirsung.anatomy.structures import structures
from wirsung.compute.atomic import write_json, write_text
from wirsung.datasets.exports.placing import Placed, Places
from wirsung.datasets.exports.plan import Cohort, Plan, told_classes
from wirsung.datasets.exports.settings import ExportSettings
from wirsung.datasets.layout import SUFFIX, Case

DERIVATIVES = "derivatives/wirsung"
_VERSION = "1.10.0"
_KINDS = {"ct": ("ct", "ct"), "t1": ("anat", "T1w"), "t2": ("anat", "T2w"), "mr": ("mr", "mr")}
"""Modality to folder and suffix."""
_OLDEST = 89
"""BIDS tells ages from here on as 89+."""
_COLUMNS = {
    "sex": {"Description": "Sex of the patient", "Levels": {"F": "female", "M": "male", "O": "other"}},
    "age": {"Description": "Age at the first scan; 89+ stands for 89 and more", "Units": "years"},
}
_IGNORED = "**/ct/\n**/mr/\n.wirsung/\nLICENCE_NOTICE.txt\n"


@dataclass(frozen=True)
class _Name:
    """How BIDS calls a case."""

    patient: str
    session: str
    """Empty where the patient has one case."""

    @property
    def folder(self) -> str:
        return f"{self.patient}/{self.session}" if self.session else self.patient

    @property
    def stem(self) -> str:
        return f"{self.patient}_{self.session}" if self.session else self.patient


def plan_bids(cohort: Cohort, settings: ExportSettings) -> Plan:
    """Plan a BIDS dataset in OUT: a patient's cases are sessions where there are several."""
    rows = cohort.rows()
    names = _names({case.id: str(rows[case.id]["patient"]) for case in cohort.cases})
    places = {case.id: _places(cohort, case, names[case.id], rows[case.id]) for case in cohort.cases}
    return Plan(settings.out, places, partial(_finish, settings.out, cohort, names))


def labels_of(texts: Iterable[str]) -> dict[str, str]:
    """For each text a label of letters and digits; those that would be one on some disk get a checksum.

    Example:
        >>> labels_of(["PanTS_0001", "p-2"])
        {'PanTS_0001': 'PanTS0001', 'p-2': 'p2'}
        >>> [label[:2] for label in labels_of(["a-b", "A.B"]).values()]
        ['ab', 'AB']
        >>> labels_of(["a-b", "A.B"])["a-b"].removeprefix("ab") == hashlib.sha256(b"a-b").hexdigest()[:6]
        True
    """
    plain = {text: re.sub(r"[^A-Za-z0-9]", "", text) for text in texts}
    times = Counter(label.casefold() for label in plain.values())
    return {
        text: label
        if label and times[label.casefold()] == 1
        else label + hashlib.sha256(text.encode()).hexdigest()[:6]
        for text, label in plain.items()
    }


def _names(patients: Mapping[str, str]) -> dict[str, _Name]:
    """Case to its name, from case to patient."""
    patient_label, case_label = labels_of(set(patients.values())), labels_of(patients)
    scans = Counter(patients.values())
    return {
        case: _Name(f"sub-{patient_label[patient]}", f"ses-{case_label[case]}" if scans[patient] > 1 else "")
        for case, patient in patients.items()
    }


def _places(cohort: Cohort, case: Case, name: _Name, row: Mapping[str, Any]) -> Places:
    folder, suffix = _KINDS[case.modality]
    stem = f"{name.folder}/{folder}/{name.stem}"
    told = {
        "Modality": "CT" if case.modality == "ct" else "MR",
        "Manufacturer": row["manufacturer"],
        "ContrastPhase": row["phase"],
        "SourceCase": case.id,
    }
    sidecar = {key: value for key, value in told.items() if value is not None}
    labels = None
    if cohort.classes.kept and not cohort.classes.missing_in(case):
        labels = f"{DERIVATIVES}/{stem}_space-orig_desc-{_scheme_label(cohort)}_dseg{SUFFIX}"
    return Places(f"{stem}_{suffix}{SUFFIX}", labels, {f"{stem}_{suffix}.json": sidecar})


def _scheme_label(cohort: Cohort) -> str:
    return re.sub(r"[^A-Za-z0-9]", "", cohort.classes.scheme.name)


def _finish(
    root: Path, cohort: Cohort, names: Mapping[str, _Name], placed: Mapping[str, Placed]
) -> list[str]:
    rows = cohort.rows()
    there = {case: names[case] for case in sorted(placed)}
    _write_descriptions(root, cohort)
    _write_participants(root, there, rows)
    _write_scans(root, cohort, there, rows, placed)
    if cohort.classes.kept:
        _write_derivatives(root / DERIVATIVES, cohort)
    write_text(root / ".bidsignore", _IGNORED)
    unlabelled = sum(made.files[1].endswith(".json") for made in placed.values())
    have = "1 case has" if unlabelled == 1 else f"{unlabelled} cases have"
    told = [f"{have} no label map, because not every class was drawn there."]
    has_ct = any(case.modality == "ct" for case in cohort.cases)
    return [
        *told_classes(cohort),
        *(told if unlabelled and cohort.classes.kept else []),
        *(["CT is not part of BIDS: it lies in ct/, which .bidsignore names."] if has_ct else []),
    ]


def _write_descriptions(root: Path, cohort: Cohort) -> None:
    description, source = cohort.dataset.description, cohort.contents.source
    content: dict[str, Any] = {
        "Name": cohort.dataset.name,
        "BIDSVersion": _VERSION,
        "DatasetType": "raw",
        "License": description.licence or (source.licence.name if source is not None else "") or "not stated",
        "GeneratedBy": [{"Name": "wirsung", "Version": __version__}],
    }
    if source is not None:
        content["HowToAcknowledge"] = source.citation
        content["ReferencesAndLinks"] = [link for link in (source.homepage, source.doi_url) if link]
    write_json(root / "dataset_description.json", content)
    text = f"{cohort.dataset.name}\n\nWritten by wirsung {__version__}. Label maps are in {DERIVATIVES}.\n"
    write_text(root / "README", text)


def _write_derivatives(root: Path, cohort: Cohort) -> None:
    """What tells of the label maps."""
    content: dict[str, Any] = {
        "Name": f"{cohort.dataset.name}: label maps",
        "BIDSVersion": _VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [{"Name": "wirsung", "Version": __version__}],
        "SourceDatasets": [{"URL": "../../"}],
    }
    write_json(root / "dataset_description.json", content)
    _write_table(root / f"desc-{_scheme_label(cohort)}_dseg.tsv", _classes(cohort))


def _write_participants(
    root: Path, there: Mapping[str, _Name], rows: Mapping[str, Mapping[str, Any]]
) -> None:
    scans: dict[str, list[Mapping[str, Any]]] = defaultdict(list)
    for case, name in there.items():
        scans[name.patient].append(rows[case])
    table = [["participant_id", "sex", "age"]]
    for patient, found in sorted(scans.items()):
        ages = [row["age_years"] for row in found if row["age_years"] is not None]
        sexes = {row["sex"] for row in found if row["sex"] is not None}
        age = None if not ages else f"{_OLDEST}+" if min(ages) >= _OLDEST else min(ages)
        table.append([patient, _text(sexes.pop() if len(sexes) == 1 else None), _text(age)])
    _write_table(root / "participants.tsv", table)
    write_json(root / "participants.json", _COLUMNS)


def _write_scans(
    root: Path,
    cohort: Cohort,
    there: Mapping[str, _Name],
    rows: Mapping[str, Mapping[str, Any]],
    placed: Mapping[str, Placed],
) -> None:
    """What differs from scan to scan, one table a folder."""
    tested = {case.id for case in cohort.cases if cohort.is_test(case)}
    for case, name in there.items():
        row = rows[case]
        told = [row["centre"], row["phase"], row["tumour"], "test" if case in tested else "train"]
        file = placed[case].files[0].removeprefix(f"{name.folder}/")
        table = [["filename", "centre", "phase", "tumour", "subset"], [file, *map(_text, told)]]
        _write_table(root / name.folder / f"{name.stem}_scans.tsv", table)


def _classes(cohort: Cohort) -> list[list[str]]:
    known = structures()
    table = [["index", "name", "color"]]
    for name, value in cohort.classes.labels.items():
        table.append([str(value), name, known[name].colour if name in known else "n/a"])
    return table


def _text(value: object) -> str:
    """A cell; n/a where nobody knows."""
    if value is None or value == "":
        return "n/a"
    if isinstance(value, bool):
        return str(value).lower()
    return re.sub(r"\s", " ", str(value))


def _write_table(path: Path, table: Sequence[Sequence[str]]) -> None:
    write_text(path, "".join("\t".join(row) + "\n" for row in table))
