"""A cohort is complete, true to its truth, the same however it is made, and never half there."""

import csv
import json
import shutil
from dataclasses import replace

import nibabel as nib
import numpy as np
import pytest

from wirsung.anatomy.structures import structures
from wirsung.errors import ConfigError, StorageError
from wirsung.imaging.dicom import read_series
from wirsung.phantom import cohort
from wirsung.phantom.cohort import phantom
from wirsung.phantom.mr import bias_field
from wirsung.phantom.settings import PhantomSettings


def _contents(folder):
    return {
        path.relative_to(folder): path.read_bytes() for path in sorted(folder.rglob("*")) if path.is_file()
    }


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    settings = PhantomSettings(tmp_path_factory.mktemp("cohort") / "raw", cases=4, readers=2, seed=11)
    return settings, phantom(settings)


def test_every_case_is_done_with_all_its_files(made):
    settings, outcomes = made
    assert [(item.case, item.status) for item in outcomes] == [
        (f"phantom_{n:04d}", "done") for n in range(1, 5)
    ]
    for item in outcomes:
        names = {path.name for path in (settings.out / item.case).iterdir()}
        assert names == {"ct.nii.gz", "segmentations", "reader-2", "truth.json"}
        for folder in ("segmentations", "reader-2"):
            masks = {path.name for path in (settings.out / item.case / folder).iterdir()}
            assert masks == {f"{name}.nii.gz" for name in structures()}
    assert {path.name for path in settings.out.iterdir()} == {
        "metadata.csv", "truth.json", *(item.case for item in outcomes),
    }  # fmt: skip


def test_the_truth_holds_for_the_masks_as_written(made):
    settings, _ = made
    truth = json.loads((settings.out / "truth.json").read_text())
    assert (truth["schema"], truth["seed"], len(truth["cases"])) == (1, 11, 4)
    for case, record in truth["cases"].items():
        image = nib.load(settings.out / case / "ct.nii.gz")
        assert list(image.shape) == record["grid"]["shape"]
        np.testing.assert_allclose(image.affine, record["grid"]["affine"], atol=1e-4)
        assert set(record["volumes_ml"]) == set(structures())
        for name, volume_ml in record["volumes_ml"].items():
            mask = nib.load(settings.out / case / "segmentations" / f"{name}.nii.gz")
            np.testing.assert_array_equal(mask.affine, image.affine)
            voxels = np.asarray(mask.dataobj)
            assert set(np.unique(voxels)) <= {0, 1}
            expected = voxels.sum() * abs(np.linalg.det(image.affine[:3, :3])) / 1000
            assert volume_ml == pytest.approx(expected, rel=1e-5, abs=1e-6)
        tumour = record["tumour"]
        assert (tumour is None) == (record["volumes_ml"]["pancreatic_lesion"] == 0)
        if tumour:
            assert tumour["volume_ml"] == record["volumes_ml"]["pancreatic_lesion"]
            assert 12 <= tumour["designed_diameter_mm"] <= 50
            assert tumour["site"] in ("head", "body", "tail")
            # Voxels of up to 6 mm make it no more exact.
            assert tumour["measured_diameter_mm"] == pytest.approx(tumour["designed_diameter_mm"], abs=9)
            for told in (tumour["designed_contact_deg"], tumour["measured_contact_deg"]):
                assert set(told) == {"superior_mesenteric_artery", "celiac_artery", "veins"}
                assert all(0 <= angle <= 360 for angle in told.values())
            assert record["hu"]["lesion"] == pytest.approx(record["hu"]["pancreas"], abs=70)
        assert record["phase"] in ("non-contrast", "arterial", "venous", "delayed")
        assert 20 <= record["age_years"] <= 90


def test_metadata_and_truth_agree(made):
    settings, _ = made
    truth = json.loads((settings.out / "truth.json").read_text())["cases"]
    with (settings.out / "metadata.csv").open() as file:
        rows = {row["case"]: row for row in csv.DictReader(file)}
    assert list(rows) == list(truth)
    for case, row in rows.items():
        for column in ("patient", "centre", "modality", "phase", "sex"):
            assert row[column] == truth[case][column]
        assert row["tumour"] == str(int(truth[case]["tumour"] is not None))
    assert sum(int(row["tumour"]) for row in rows.values()) == 2


def test_the_readers_dice_is_that_of_the_masks(made):
    settings, outcomes = made
    for item in outcomes:
        for name, told in item.value["readers"]["reader-2"].items():
            first, second = (
                np.asarray(nib.load(settings.out / item.case / folder / f"{name}.nii.gz").dataobj) > 0
                for folder in ("segmentations", "reader-2")
            )
            size = first.sum() + second.sum()
            assert told == (None if size == 0 else pytest.approx(2 * (first & second).sum() / size, abs=1e-6))


def test_two_workers_and_fewer_cases_give_the_same_files(made, tmp_path):
    settings, _ = made
    other = replace(settings, out=tmp_path / "raw", cases=2, workers=2)
    assert [item.status for item in phantom(other)] == ["done", "done"]
    for case in ("phantom_0001", "phantom_0002"):
        assert _contents(settings.out / case) == _contents(other.out / case)


def test_dicom_has_the_voxels_the_geometry_and_the_masks_of_the_nifti_format(made, tmp_path):
    settings, _ = made
    other = replace(settings, out=tmp_path / "raw", cases=1, format="dicom", readers=1)
    phantom(other)
    case = other.out / "phantom_0001"
    assert {path.name for path in case.iterdir()} == {"dicom", "segmentations", "truth.json"}
    series = read_series(case / "dicom")
    image = nib.load(settings.out / "phantom_0001" / "ct.nii.gz")
    assert np.array_equal(series.volume.voxels, np.asarray(image.dataobj))
    np.testing.assert_allclose(series.volume.affine, image.affine, atol=1e-4)
    masks = settings.out / "phantom_0001" / "segmentations"
    assert _contents(case / "segmentations") == _contents(masks)


def test_an_mr_carries_the_bias_field_that_its_truth_tells(tmp_path):
    settings = PhantomSettings(tmp_path / "raw", cases=1, modality="t1", tumours=1.0)
    (outcome,) = phantom(settings)
    record = outcome.value
    assert record["phase"] == "non-contrast"
    image = np.asarray(nib.load(settings.out / "phantom_0001" / "t1.nii.gz").dataobj)
    liver = np.asarray(nib.load(settings.out / "phantom_0001" / "segmentations" / "liver.nii.gz").dataobj) > 0
    field = bias_field(record["bias"], image.shape)
    from scipy.ndimage import binary_erosion

    inside = binary_erosion(liver, iterations=2)
    # Liver vessels, darker, lie in the mask too: the median knows nothing of them.
    assert np.median(image[inside] / field[inside]) == pytest.approx(record["signals"]["liver"], rel=0.04)
    assert image.min() >= 0


def test_run_again_it_skips_what_is_done_and_makes_anew_what_is_missing_or_changed(tmp_path):
    settings = PhantomSettings(tmp_path / "raw", cases=2)
    first = phantom(settings)
    truth = (settings.out / "truth.json").read_bytes()
    shutil.rmtree(settings.out / "phantom_0002")
    again = phantom(settings)
    assert [item.status for item in again] == ["skipped", "done"]
    assert [item.value for item in again] == [item.value for item in first]
    assert (settings.out / "truth.json").read_bytes() == truth
    changed = replace(settings, seed=1, cases=1)
    assert [item.status for item in phantom(changed)] == ["done"]
    assert {path.name for path in settings.out.iterdir()} == {"metadata.csv", "truth.json", "phantom_0001"}
    record = json.loads((settings.out / "phantom_0001" / "truth.json").read_text())
    assert record["fingerprint"] == changed.fingerprint()


def test_an_interrupted_run_leaves_no_half_case(tmp_path, monkeypatch):
    settings = PhantomSettings(tmp_path / "raw", cases=1)

    def interrupt(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr(cohort, "write_series", interrupt)
    monkeypatch.setattr(cohort, "_write_masks", interrupt)
    with pytest.raises(KeyboardInterrupt):
        phantom(settings)
    assert list(settings.out.iterdir()) == []
    # A run that was killed outright can't tidy up: the next one does.
    (settings.out / ".partial-phantom_0001-xyz").mkdir()
    monkeypatch.undo()
    assert [item.status for item in phantom(settings)] == ["done"]
    assert sorted(path.name for path in settings.out.iterdir()) == [
        "metadata.csv",
        "phantom_0001",
        "truth.json",
    ]


def test_a_full_disk_is_said_and_leaves_no_half_case(tmp_path, monkeypatch):
    settings = PhantomSettings(tmp_path / "raw", cases=1, format="dicom")

    def full(*_):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(cohort, "write_series", full)
    (outcome,) = phantom(settings)
    assert outcome.status == "failed"
    assert "No space left on device" in outcome.message
    assert not list(settings.out.glob("*phantom_*"))


def test_a_folder_that_is_not_ours_is_never_replaced(tmp_path):
    settings = PhantomSettings(tmp_path / "raw", cases=1)
    mine = settings.out / "phantom_0001"
    mine.mkdir(parents=True)
    (mine / "notes.txt").write_text("mine")
    (outcome,) = phantom(settings)
    assert outcome.status == "failed"
    assert "is no phantom case" in outcome.message
    assert (mine / "notes.txt").read_text() == "mine"


def test_what_can_not_be_is_said_before_any_case(tmp_path):
    with pytest.raises(ConfigError, match="no tumour of the tail can touch"):
        phantom(PhantomSettings(tmp_path / "raw", contact="celiac_artery:90", sites=("tail",)))
    (tmp_path / "file").write_text("")
    with pytest.raises(StorageError, match="can't be written"):
        phantom(PhantomSettings(tmp_path / "file"))


def test_a_randomised_cohort_is_whole_and_the_same_again(tmp_path):
    kinds = ("contrast", "resolution", "noise", "artefacts", "deformation")
    settings = PhantomSettings(tmp_path / "raw", cases=2, seed=3, randomise=kinds)
    assert [item.status for item in phantom(settings)] == ["done", "done"]
    for case in ("phantom_0001", "phantom_0002"):
        image = nib.load(settings.out / case / "mr.nii.gz")
        record = json.loads((settings.out / case / "truth.json").read_text())
        assert record["modality"] == "mr"
        assert record["randomised"]["style"] in ("ct", "mr", "random")
        for name, volume_ml in record["volumes_ml"].items():
            mask = nib.load(settings.out / case / "segmentations" / f"{name}.nii.gz")
            assert mask.shape == image.shape
            np.testing.assert_array_equal(mask.affine, image.affine)
            voxel_ml = abs(np.linalg.det(image.affine[:3, :3])) / 1000
            found = np.asarray(mask.dataobj).sum() * voxel_ml
            assert volume_ml == pytest.approx(found, rel=1e-5, abs=1e-6)
    with (settings.out / "metadata.csv").open() as file:
        assert {row["modality"] for row in csv.DictReader(file)} == {"mr"}
    assert [item.status for item in phantom(settings)] == ["skipped", "skipped"]
    again = replace(settings, out=tmp_path / "again")
    phantom(again)
    assert _contents(again.out / "phantom_0002") == _contents(settings.out / "phantom_0002")
