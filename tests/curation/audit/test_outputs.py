"""The page, its pictures and the lists, made from a release with defects."""

import base64
import csv
import json
import re

import numpy as np
import pyarrow.parquet as pq
import pytest
from matplotlib.image import imread

from wirsung.anatomy.standard import rules
from wirsung.curation.audit.evidence import choose
from wirsung.curation.audit.lists import COLUMNS, write_findings
from wirsung.curation.check import check
from wirsung.curation.findings import Finding, Findings
from wirsung.curation.settings import CheckSettings
from wirsung.errors import ConfigError

TWO = "PanTS_00000002"


@pytest.fixture
def audited(release, tmp_path):
    """Both cases have a hole in the liver, the first has no readable spleen."""
    for case in ("PanTS_00000001", TWO):
        liver = release.array("liver", case)
        middle = int(np.flatnonzero(liver.any(axis=(0, 1))).mean())
        liver[..., middle : middle + 2] = 0
        release.write(release.mask("liver", case), liver, release.affine(case))
    release.mask("spleen").write_bytes(b"")
    out = tmp_path / "audit"
    return check(CheckSettings(release.root, out, pictures=1)), out


def test_every_list_holds_the_same_findings(audited):
    audit, out = audited
    assert sorted(path.name for path in out.iterdir()) == [
        "check.html",
        "findings.csv",
        "findings.json",
        "findings.parquet",
    ]
    told = [{name: getattr(item, name) for name in COLUMNS} for item in audit.findings]
    assert len(told) == 3
    assert json.loads((out / "findings.json").read_text())["findings"] == told
    assert pq.read_table(out / "findings.parquet").to_pylist() == told
    with (out / "findings.csv").open(newline="") as file:
        rows = list(csv.DictReader(file))
    assert rows == [{name: "" if row[name] is None else str(row[name]) for name in COLUMNS} for row in told]


def test_the_page_has_every_finding_and_as_many_pictures_as_were_asked_for(audited):
    audit, out = audited
    page = (out / "check.html").read_text()
    for item in audit.findings:
        assert item.rule in page
        assert item.case in page
    pictures = re.findall(r'src="data:image/(?:png|jpeg);base64,([^"]+)"', page)
    # Of several_pieces one of two; of mask_unreadable one, which is the image alone.
    assert len(pictures) == 2
    assert [bool(item.picture) for item in audit.findings].count(True) == 2
    assert "http" not in re.sub(r"Content-Security-Policy", "", page).replace("http-equiv", "")


def test_the_picture_shows_the_outline_of_the_structure(audited, tmp_path):
    _, out = audited
    page = (out / "check.html").read_text()
    ((kind, uri),) = re.findall(r'src="data:image/(\w+);base64,([^"]+)" alt="2 axial slices', page)
    (tmp_path / f"picture.{kind}").write_bytes(base64.b64decode(uri))
    seen = imread(tmp_path / f"picture.{kind}")[..., :3].astype(float)
    red, _, blue = np.moveaxis(seen / seen.max(), -1, 0)
    assert np.count_nonzero(red - blue > 0.3) > 200  # all else is grey


def test_the_outcome_of_a_case_with_an_error_is_failed_and_says_which(audited):
    audit, _ = audited
    assert [item.status for item in audit] == ["failed", "done"]
    assert "spleen" in audit[0].message
    assert audit.lines() == ["error mask_unreadable: 1", "warning several_pieces: 2"]


@pytest.mark.parametrize("name", ["findings.parquet", "findings.csv", "findings.json", "page.html"])
def test_one_file_can_be_asked_for(release, tmp_path, name):
    check(CheckSettings(release.root, tmp_path / "out" / name))
    assert [path.name for path in (tmp_path / "out").iterdir()] == [name]


def test_a_page_of_a_clean_dataset_says_so(release, tmp_path):
    check(CheckSettings(release.root, tmp_path / "check.html"))
    assert "No rule is broken." in (tmp_path / "check.html").read_text()


def test_an_audit_can_be_made_with_several_workers(release):
    release.table(sex="F")
    one, two = (check(CheckSettings(release.root, workers=workers)).findings for workers in (1, 2))
    assert one == two
    assert [item.rule for item in one] == ["sex_prostate"]


def test_an_unknown_rule_to_ignore_is_refused_with_the_near_ones(release):
    with pytest.raises(ConfigError, match="sex_prostate"):
        check(CheckSettings(release.root, ignore=("sex_prostat",)))


def test_pictures_go_to_different_cases_first():
    made = [Finding("specks", "note", case, "f", "s") for case in "aaabb"]
    assert choose(made, 3) == {0, 1, 3}
    assert choose(made, 99) == set(range(5))


def test_a_finding_takes_severity_and_threshold_from_its_rule():
    found = Findings("a")
    found.add("lesion_tiny", "f", "s", value=4)
    found.add("combined_differs", "f", "s", severity="warning")
    assert (found[0].severity, found[0].threshold, found[0].unit, found[0].value) == (
        "warning",
        50,
        "voxels",
        4,
    )
    assert found[1].severity == "warning"
    assert rules()["combined_differs"].severity == "error"


def test_a_list_of_nothing_has_its_columns(tmp_path):
    write_findings(tmp_path / "none.parquet", [])
    assert pq.read_table(tmp_path / "none.parquet").column_names == list(COLUMNS)
