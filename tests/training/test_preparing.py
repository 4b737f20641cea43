"""Preprocessing the training cases."""

import blosc2
import nibabel
import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.layout import Dataset
from wirsung.errors import WirsungError
from wirsung.training import preparing
from wirsung.training.classes import choose_classes
from wirsung.training.planning import fingerprint, label_table, plan
from wirsung.training.preparing import prepare
from wirsung.training.presets import PRESETS
from wirsung.training.workspace import Workspace


@pytest.fixture(scope="module")
def plans(shared_dataset, tmp_path_factory):
    cases = Dataset.open(shared_dataset).cases
    classes = choose_classes(scheme("demo-7"), cases)
    facts, table = fingerprint(cases, classes, workers=1), label_table(cases, classes)
    workspace = Workspace(tmp_path_factory.mktemp("plan"))
    images = {case.id: case.image_path for case in cases}
    return plan(workspace, facts, table, images, PRESETS["demo"], "nnunet")


def _times(workspace):
    return {path.name: path.stat().st_mtime_ns for path in workspace.preprocessed.rglob("*.b2nd")}


def test_only_new_and_changed_cases_are_preprocessed(dataset, tmp_path, plans, patient):
    workspace = Workspace(tmp_path / "m")

    def run():
        cases = Dataset.open(dataset).cases
        prepare(cases, choose_classes(scheme("demo-7"), cases), plans, workspace, workers=1)
        return _times(workspace)

    first = run()
    assert len(first) == 10
    assert run() == first
    patient(dataset, "p2", 77)
    second = run()
    assert {name for name in first if first[name] != second[name]} == {"p2.b2nd", "p2_seg.b2nd"}


def test_a_damaged_case_is_named_and_the_others_are_kept(dataset, tmp_path, plans):
    workspace = Workspace(tmp_path / "m")
    cases = Dataset.open(dataset).cases
    classes = choose_classes(scheme("demo-7"), cases)
    (dataset / "ImageTr" / "p1" / "ct.nii.gz").write_bytes(b"damaged")
    with pytest.raises(WirsungError, match="case p1"):
        prepare(cases, classes, plans, workspace, workers=1)
    assert len(_times(workspace)) == 8


@pytest.mark.slow
def test_processes_write_what_one_process_writes(dataset, tmp_path, plans, monkeypatch):
    cases = Dataset.open(dataset).cases
    classes = choose_classes(scheme("demo-7"), cases)
    found = {}
    for few, name in ((0, "several"), (1 << 40, "one")):
        monkeypatch.setattr(preparing, "_FEW_BYTES", few)
        workspace = Workspace(tmp_path / name)
        prepare(cases, classes, plans, workspace, workers=2)
        files = sorted(workspace.preprocessed.rglob("*.b2nd"))
        found[name] = [(path.name, blosc2.open(str(path))[:]) for path in files]
    assert len(found["one"]) == 10
    for (name, own), (other, theirs) in zip(found["one"], found["several"], strict=True):
        assert name == other
        np.testing.assert_array_equal(own, theirs)


def test_a_case_of_nan_is_named(dataset, tmp_path, plans):
    cases = Dataset.open(dataset).cases
    image = nibabel.load(dataset / "ImageTr" / "p1" / "ct.nii.gz")
    voxels = image.get_fdata(dtype=np.float32)
    voxels[3, 4, 5] = np.nan
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine), dataset / "ImageTr" / "p1" / "ct.nii.gz")
    with pytest.raises(WirsungError, match=r"case p1: .*1 voxel is NaN or infinite"):
        prepare(cases, choose_classes(scheme("demo-7"), cases), plans, Workspace(tmp_path / "m"), workers=1)
