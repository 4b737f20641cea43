import csv
import json

import numpy as np
import pytest

from wirsung.datasets.exports.bids import labels_of


def table(path):
    with path.open(newline="") as file:
        return list(csv.DictReader(file, delimiter="\t"))


@pytest.fixture
def made(small_dataset, exported):
    return exported("bids", small_dataset(cases=5), scheme="msd-pancreas").root


def test_a_patient_with_several_cases_has_sessions_and_one_with_one_has_none(made):
    # Patient p0 has cases 0 and 1, p1 cases 2 and 3, p2 case 4 alone.
    assert (made / "sub-p0/ses-small00/ct/sub-p0_ses-small00_ct.nii.gz").is_file()
    assert (made / "sub-p0/ses-small01/ct/sub-p0_ses-small01_ct.nii.gz").is_file()
    assert (made / "sub-p2/ct/sub-p2_ct.nii.gz").is_file()
    sidecar = json.loads((made / "sub-p2/ct/sub-p2_ct.json").read_text())
    assert sidecar == {
        "Modality": "CT",
        "Manufacturer": "Siemens",
        "ContrastPhase": "arterial",
        "SourceCase": "small-04",
    }


def test_label_maps_are_derivatives_with_a_table_of_their_values(made, read):
    labels = made / "derivatives/wirsung/sub-p0/ses-small00/ct"
    (path,) = labels.glob("*.nii.gz")
    assert path.name == "sub-p0_ses-small00_space-orig_desc-msdpancreas_dseg.nii.gz"
    assert np.bincount(read(path).ravel())[1:].tolist() == [10, 2]
    rows = table(made / "derivatives/wirsung/desc-msdpancreas_dseg.tsv")
    assert [(row["index"], row["name"]) for row in rows] == [
        ("0", "background"), ("1", "pancreas"), ("2", "cancer"),
    ]  # fmt: skip
    derived = json.loads((made / "derivatives/wirsung/dataset_description.json").read_text())
    assert derived["DatasetType"] == "derivative"


def test_patients_are_told_once_and_scans_each(made):
    rows = {row["participant_id"]: row for row in table(made / "participants.tsv")}
    # Cases 0 and 1 are F (number % 3 == 0) and M: contradictory, so not told; ages None and 51.
    assert rows["sub-p0"] == {"participant_id": "sub-p0", "sex": "n/a", "age": "51"}
    assert rows["sub-p2"] == {"participant_id": "sub-p2", "sex": "M", "age": "54"}
    (scan,) = table(made / "sub-p0/ses-small00/sub-p0_ses-small00_scans.tsv")
    assert scan == {
        "filename": "ct/sub-p0_ses-small00_ct.nii.gz",
        "centre": "centre-1",
        "phase": "arterial",
        "tumour": "true",
        "subset": "train",
    }
    assert set(json.loads((made / "participants.json").read_text())) == {"sex", "age"}


def test_the_dataset_describes_itself_and_hides_what_bids_does_not_know(made):
    content = json.loads((made / "dataset_description.json").read_text())
    assert content["DatasetType"] == "raw"
    assert content["BIDSVersion"] == "1.10.0"
    assert (made / "README").read_text().startswith("small")
    assert (made / ".bidsignore").read_text().splitlines()[0] == "**/ct/"


def test_mri_lies_in_anat_by_its_weighting(small_dataset, exported):
    root = small_dataset(cases=2)
    for number, kind in enumerate(("t1", "t2")):
        folder = root / f"ImageTr/small-0{number}"
        (folder / "ct.nii.gz").rename(folder / f"{kind}.nii.gz")
    made = exported("bids", root).root
    assert (made / "sub-p0/ses-small00/anat/sub-p0_ses-small00_T1w.nii.gz").is_file()
    assert (made / "sub-p0/ses-small01/anat/sub-p0_ses-small01_T2w.nii.gz").is_file()


def test_a_case_where_a_class_was_not_drawn_has_an_image_alone(small_dataset, exported):
    root = small_dataset(cases=3)
    (root / "LabelTr/small-02/segmentations/liver.nii.gz").unlink()
    result = exported("bids", root)
    assert not any(item.status == "failed" for item in result.outcomes)
    assert (result.root / "sub-p1/ct/sub-p1_ct.nii.gz").is_file()
    assert not (result.root / "derivatives/wirsung/sub-p1").exists()
    assert any(line.startswith("1 case has no label map") for line in result.lines())


def test_images_alone_are_a_bids_dataset_too(small_dataset, exported):
    root = small_dataset(cases=2)
    (root / "LabelTr").rename(root / "elsewhere")
    result = exported("bids", root)
    assert (result.root / "sub-p0/ses-small00/ct/sub-p0_ses-small00_ct.nii.gz").is_file()
    assert not (result.root / "derivatives").exists()
    assert "No case has labels, so there are images alone." in result.lines()


def test_labels_that_would_be_one_are_told_apart():
    made = labels_of(["a-b", "A.B", "c_1", "--"])
    assert len({label.casefold() for label in made.values()}) == 4
    assert made["c_1"] == "c1"
    assert all(label.isalnum() for label in made.values())
