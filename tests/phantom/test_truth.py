"""Records of cases are read back, or count as absent."""

import csv
import json
from pathlib import Path

import pytest

from wirsung.phantom.settings import PhantomSettings
from wirsung.phantom.truth import read_record, write_truth

SAID = {"patient": "PHANTOM-0001", "centre": "centre-1", "modality": "ct", "phase": "venous", "sex": "F"}
RECORD = {"schema": 1, **SAID, "age_years": 61, "tumour": None}


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 99}'])
def test_a_damaged_or_foreign_record_counts_as_absent(tmp_path, content):
    (tmp_path / "truth.json").write_text(content)
    assert read_record(tmp_path) is None
    assert read_record(tmp_path / "nowhere") is None


def test_metadata_says_what_curation_reads(tmp_path):
    settings = PhantomSettings(tmp_path, seed=5)
    ill = {**RECORD, "tumour": {"site": "head"}, "centre": "centre-2"}
    write_truth(settings, {"phantom_0001": RECORD, "phantom_0002": ill})
    with Path(tmp_path / "metadata.csv").open() as file:
        rows = list(csv.DictReader(file))
    assert rows[0] == {"case": "phantom_0001", **SAID, "age_years": "61", "tumour": "0"}
    assert (rows[1]["centre"], rows[1]["tumour"]) == ("centre-2", "1")
    truth = json.loads((tmp_path / "truth.json").read_text())
    assert (truth["schema"], truth["seed"], truth["settings"]["preset"]) == (1, 5, "tiny")
    assert truth["cases"]["phantom_0002"]["tumour"] == {"site": "head"}
    assert str(tmp_path) not in json.dumps(truth)
