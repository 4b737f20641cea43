from pathlib import Path

from wirsung.cli.doctor import DoctorSettings, doctor


def test_this_machine_has_what_the_tests_need():
    found = {item.case: item for item in doctor(DoctorSettings(Path())).outcomes}
    assert found["nibabel"].status == "done"
    assert "cores" in (found["machine"].value or found["machine"].message)


def test_a_folder_to_be_made_is_judged_by_the_disk_it_will_lie_on(tmp_path):
    found = {item.case: item for item in doctor(DoctorSettings(tmp_path / "a" / "b")).outcomes}
    assert "GB free" in (found["disk"].value or "")


def test_a_missing_package_names_its_extra(monkeypatch):
    monkeypatch.setattr("wirsung.cli.doctor.find_spec", lambda name: None if name == "torch" else object())
    outcome = next(item for item in doctor(DoctorSettings()).outcomes if item.case == "torch")
    assert outcome.status == "failed"
    assert "wirsung[train]" in outcome.message
