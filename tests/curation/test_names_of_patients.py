"""What a run says, where folders and files are called after patients: exports do that."""

import importlib.util
from pathlib import Path

import pytest

from wirsung.curation.places import report_folder
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings

_PATH = Path(__file__).with_name("test_stack_sources.py")
_SPEC = importlib.util.spec_from_file_location("stacks", _PATH)
raw = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(raw)

WORDS = ("mustermann", "erika", "0815-4711")


def run(root):
    outcomes = curate(CurateSettings(root, root.parent / "out", clip_hu=None))
    return {item.case: item for item in outcomes}, outcomes.lines()


def cut_a_file(folder):
    first = sorted(path for path in folder.rglob("*") if path.is_file())[2]
    path = first.rename(first.with_name(f"MUSTERMANN_ERIKA_{first.name}"))
    path.write_bytes(path.read_bytes()[:-30])


@pytest.fixture
def root(tmp_path):
    """SRC lies below a folder of that name, too."""
    folder = tmp_path / "MUSTERMANN^ERIKA" / "src"
    folder.mkdir(parents=True)
    return folder


def add_a_slice_beside(folder):
    raw.a_slice(folder, 3.0, ImagePositionPatient=[9, 9, 6.2])


def take_a_slice_away(folder):
    next(path for path in folder.iterdir() if path.name.endswith("-3")).unlink()


@pytest.mark.parametrize("damage", [cut_a_file, add_a_slice_beside, take_a_slice_away])
@pytest.mark.parametrize("place", ["Mustermann_Erika/abdomen", "0815-4711/scans/abdomen", "abdomen"])
def test_no_message_holds_a_folder_or_file_that_is_called_after_a_patient(root, capfd, damage, place):
    folder = root / place
    raw.a_stack(folder, PatientName="Mustermann^Erika")
    damage(folder)
    found, lines = run(root)
    table = "\n".join([*lines[:-1], *(f"{case}: {item.message}" for case, item in found.items())])
    said = "".join(capfd.readouterr()) + table
    assert [item.status for item in found.values()] == ["failed"]
    assert not [word for word in WORDS if word in said.lower()]


def test_the_file_is_told_by_its_number(root):
    raw.a_stack(root / "Mustermann/abdomen", PatientName="Mustermann^Erika")
    cut_a_file(root / "Mustermann/abdomen")
    found, _ = run(root)
    assert found["abdomen"].status == "failed"
    files = sorted((root / "Mustermann/abdomen").iterdir())
    number = next(n for n, path in enumerate(files, start=1) if "MUSTERMANN" in path.name)
    assert f"file {number} of 6" in found["abdomen"].message
    assert found["abdomen"].message.startswith("abdomen: PIXELS_TRUNCATED")


def test_a_case_called_after_its_patient_is_told_by_a_number(root):
    raw.a_stack(root / "MUSTERMANN_ERIKA", PatientName="Mustermann^Erika")
    raw.a_stack(root / "scan-0815-4711", SeriesInstanceUID="1.2.826.5")
    raw.a_stack(root / "scan-3", SeriesInstanceUID="1.2.826.6")
    found, lines = run(root)
    assert {case: item.status for case, item in found.items()} == {
        "scan-3": "done",
        "unnamed-1": "failed",
        "unnamed-2": "failed",
    }
    assert "IDENTITY_LEFT, what its headers say under PatientName was found" in found["unnamed-1"].message
    assert "under PatientID was found in the name of its folder, number 2" in found["unnamed-2"].message
    said = "\n".join([*lines[:-1], *(item.message for item in found.values())]).lower()
    assert not [word for word in WORDS if word in said]
    page = (report_folder(root.parent / "out") / "curation.html").read_text()
    assert not [word for word in WORDS if word in page.lower()]


def test_a_name_that_is_listed_is_a_code(root):
    raw.a_stack(root / "scan-0815-4711")
    (root / "metadata.csv").write_text("case,sex\nscan-0815-4711,F\n")
    found, _ = run(root)
    assert found["scan-0815-4711"].status == "done"


def test_a_source_that_is_called_after_its_patient_is_told_by_a_number(tmp_path):
    raw.a_stack(tmp_path / "ERIKA", PatientName="Mustermann^Erika")
    found, _ = run(tmp_path / "ERIKA")
    assert list(found) == ["unnamed-1"]
