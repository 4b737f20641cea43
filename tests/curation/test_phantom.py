"""A phantom cohort, whose truth is known, on the way from raw to dataset."""

import json

import pytest

from wirsung.curation.check import check
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.datasets.manifest import read_manifest, read_structures
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings


def _curated(tmp_path, kind):
    phantom(PhantomSettings(tmp_path / kind, cases=1, format=kind, tumours=1.0))
    out = tmp_path / f"{kind}-dataset"
    outcomes = curate(CurateSettings(tmp_path / kind, out))
    assert [item.status for item in outcomes] == ["done"]
    return out


def test_one_patient_as_nifti_and_as_dicom_becomes_the_same_case_with_the_true_volumes(tmp_path):
    first, second = (_curated(tmp_path, kind) for kind in ("nifti", "dicom"))
    structures = [read_structures(out) for out in (first, second)]
    # NIfTI keeps the grid in float32, so volumes agree to seven digits and everything else exactly.
    exact = [table.drop_columns(["volume_ml"]).to_pylist() for table in structures]
    assert exact[0] == exact[1]
    volumes_ml = [table.column("volume_ml").to_pylist() for table in structures]
    assert volumes_ml[0] == pytest.approx(volumes_ml[1], rel=1e-6)
    rows = [read_manifest(out).to_pylist()[0] for out in (first, second)]
    assert rows[0]["image_sha256"] == rows[1]["image_sha256"]
    truth = json.loads((tmp_path / "nifti" / rows[0]["case"] / "truth.json").read_text())
    told = {row["structure"]: row["volume_ml"] for row in read_structures(first).to_pylist()}
    assert told == pytest.approx(truth["volumes_ml"], rel=1e-4)
    assert (rows[0]["patient"], rows[0]["centre"], rows[0]["tumour"]) == (
        truth["patient"],
        truth["centre"],
        True,
    )
    assert [item.status for item in check(CheckSettings(first))] == ["done"]
