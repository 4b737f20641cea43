"""What is known of a cohort because it was made so: truth.json and metadata.csv.

truth.json, schema 1: `seed`, `settings` and, by case id, `cases`. Each case's record also lies in its own
folder, from where a run that was interrupted takes it up again.
"""

import csv
import io
import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any, get_args

from wirsung.compute.atomic import write_json, write_text
from wirsung.phantom.body import Body
from wirsung.phantom.plans import CasePlan
from wirsung.phantom.settings import PhantomSettings
from wirsung.phantom.tumour import ContactVessel

SCHEMA = 1
TRUTH_FILE = "truth.json"
METADATA_FILE = "metadata.csv"

Record = dict[str, Any]
"""What is known of one case, as JSON holds it."""

_COLUMNS = ("case", "patient", "centre", "modality", "phase", "sex", "age_years", "tumour")


def case_record(
    settings: PhantomSettings, plan: CasePlan, body: Body, volumes_ml: Mapping[str, float]
) -> Record:
    """What is known of a case, but for the image.

    Args:
        settings: Of the cohort.
        plan: Of the case.
        body: The anatomy on the image's grid; what is measured of the tumour, is measured there.
        volumes_ml: Volume of each mask as written.
    """
    return {
        "schema": SCHEMA,
        "fingerprint": settings.fingerprint(),
        "patient": plan.patient_id,
        "centre": plan.centre.name,
        "modality": settings.image_name,
        "phase": plan.phase,
        "sex": plan.patient.sex,
        "age_years": plan.patient.age_years,
        "tumour": _tumour(plan, body, volumes_ml),
        "duct_upstream_mm": body.truth.duct_upstream_mm,
        "duct_downstream_mm": body.truth.duct_downstream_mm,
        "volumes_ml": {name: round(value, 6) for name, value in volumes_ml.items()},
    }


def read_record(folder: Path) -> Record | None:
    """The record of a finished case, None where there is none."""
    try:
        found = json.loads((folder / TRUTH_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return found if isinstance(found, dict) and found.get("schema") == SCHEMA else None


def write_truth(settings: PhantomSettings, records: Mapping[str, Record]) -> None:
    """Write truth.json and metadata.csv of the cohort."""
    content = {
        "schema": SCHEMA,
        "seed": settings.seed,
        "settings": settings.of_a_case(),
        "cases": dict(records),
    }
    write_json(settings.out / TRUTH_FILE, content)
    text = io.StringIO()
    table = csv.writer(text, lineterminator="\n")
    table.writerow(_COLUMNS)
    for case, record in records.items():
        values = {**record, "case": case, "tumour": int(record["tumour"] is not None)}
        table.writerow([values[column] for column in _COLUMNS])
    write_text(settings.out / METADATA_FILE, text.getvalue())


def _tumour(plan: CasePlan, body: Body, volumes_ml: Mapping[str, float]) -> Record | None:
    tumour = plan.patient.tumour
    if tumour is None:
        return None
    return {
        "site": tumour.plan.site,
        "attenuation": tumour.plan.attenuation,
        "dilated_duct": tumour.plan.dilated_duct,
        "designed_diameter_mm": tumour.plan.diameter_mm,
        "measured_diameter_mm": body.truth.lesion_diameter_measured_mm,
        "volume_ml": round(volumes_ml["pancreatic_lesion"], 6),
        "designed_contact_deg": dict(body.truth.contact_deg),
        "measured_contact_deg": {name: round(body.contact_deg(name), 1) for name in get_args(ContactVessel)},
    }
