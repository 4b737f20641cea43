"""A cohort without defect gives no error and no warning: a false alarm is a defect of the audit."""

import pytest

from wirsung.curation.check import check
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

PHASES = ("non-contrast", "arterial", "venous", "delayed")


def alarms(tmp_path, **settings):
    raw, out = tmp_path / "raw", tmp_path / "dataset"
    phantom(PhantomSettings(raw, **settings))
    curate(CurateSettings(raw, out, modality=settings.get("modality", "ct")))
    audit = check(CheckSettings(out))
    assert len(audit) == settings["cases"]
    return [(item.rule, item.case, item.sentence) for item in audit.findings if item.severity != "note"]


@pytest.mark.parametrize("phase", PHASES)
def test_ct_of_each_phase_raises_no_alarm(tmp_path, phase):
    assert alarms(tmp_path, cases=3, seed=PHASES.index(phase), phases=(phase,)) == []


@pytest.mark.parametrize("modality", ["t1", "t2"])
def test_mr_raises_no_alarm(tmp_path, modality):
    assert alarms(tmp_path, cases=2, seed=7, modality=modality) == []


def test_an_oblique_scan_raises_no_alarm(tmp_path):
    assert alarms(tmp_path, cases=2, seed=8, oblique_deg=12.0) == []


@pytest.mark.slow
@pytest.mark.parametrize("seed", range(20, 26))
def test_larger_cohorts_raise_no_alarm(tmp_path, seed):
    assert alarms(tmp_path, cases=20, seed=seed, centres=5) == []


@pytest.mark.slow
def test_finer_scans_raise_no_alarm(tmp_path):
    assert alarms(tmp_path, cases=6, seed=3, preset="small") == []
