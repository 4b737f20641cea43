"""Imported datasets as references: label maps by reference, of which each says what was drawn."""

import json

import nibabel
import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.layout import Dataset
from wirsung.evaluation.case_labels import Source
from wirsung.evaluation.mask_folders import mask_scheme
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import read_scores
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.views import views

AFFINE = np.diag([0.8, 0.8, 2.5, 1.0])


def save(path, first, dtype=np.uint8):
    """A volume of 4 x 4 x 4 voxels whose first ones in file order are these."""
    voxels = np.zeros(64, dtype)
    voxels[: len(first)] = first
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels.reshape((4, 4, 4), order="F"), AFFINE)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def flare(label_maps):
    """A function that builds FLARE23 of these label maps, where each case has its own choice of organs."""

    def build(raw):
        for number, first in enumerate(label_maps):
            save(raw / f"imagesTr2200/FLARE23_000{number}_0000.nii.gz", [5, 6, 7], np.int16)
            save(raw / f"labelsTr2200/FLARE23_000{number}.nii.gz", first)

    return build


def predict(folder, label_maps, scheme_name):
    for case, first in label_maps.items():
        save(folder / f"{case}.nii.gz", first)
    content = {"schema": 1, "scheme": scheme_name, "cases": sorted(label_maps)}
    (folder / "predictions.json").write_text(json.dumps(content))
    return folder


def scored(done, structure, metric="dsc"):
    """By case, value and reason."""
    rows = read_scores(done.out).by_case("prediction", structure, metric)
    return {case: (None if np.isnan(row.value) else row.value, row.reason) for case, row in rows.items()}


def statuses(done):
    return [(item.case, item.status) for item in done.outcomes]


def test_a_label_map_is_held_against_label_maps_of_another_scheme(imported, tmp_path):
    folder = predict(tmp_path / "prediction", {"pancreas_001": [17, 17, 14]}, "pants-28")
    done = evaluate(EvaluateSettings(imported("msd-pancreas"), folder, tmp_path / "scores"))
    assert statuses(done) == [("pancreas_001", "done")]
    # The reference is background, pancreas and lesion, the prediction pancreas, pancreas and liver.
    assert scored(done, "pancreas") == {"pancreas_001": (0.5, None)}
    assert scored(done, "pancreatic_lesion") == {"pancreas_001": (0.0, None)}
    assert scored(done, "liver") == {}
    assert "liver" in done.summary["methods"][0]["left_out"]
    assert "<img" in done.report.read_text()


def test_a_label_map_is_held_against_masks(imported, tmp_path):
    folder = tmp_path / "prediction" / "pancreas_001"
    save(folder / "pancreas.nii.gz", [0, 1, 1])
    save(folder / "pancreatic_lesion.nii.gz", [0, 1, 1])
    done = evaluate(EvaluateSettings(imported("msd-pancreas"), folder.parent, tmp_path / "scores"))
    assert statuses(done) == [("pancreas_001", "done")]
    assert scored(done, "pancreas") == {"pancreas_001": (1.0, None)}
    assert scored(done, "pancreatic_lesion") == {"pancreas_001": (pytest.approx(2 / 3), None)}


def test_masks_that_are_one_structure_together_are_held_against_its_mask(imported, tmp_path):
    # TotalSegmentator's left lung is two lobes, the sixth and the seventh voxel of the fake.
    save(tmp_path / "prediction" / "s0000" / "lung_left.nii.gz", [0, 0, 0, 0, 0, 1])
    dataset = imported("totalsegmentator-v2")
    case = Dataset.open(dataset).case("s0000")
    expected = case.mask("lung_left").voxels
    assert expected.sum() == 2
    labels = Source(case, mask_scheme(case.structure_names())).read()
    assert np.array_equal(labels.codes.mask("lung_left").voxels, expected)
    done = evaluate(EvaluateSettings(dataset, tmp_path / "prediction", tmp_path / "scores"))
    assert scored(done, "lung_left") == {"s0000": (pytest.approx(2 / 3), None)}


def test_what_nobody_drew_in_a_case_is_left_out_of_its_scores(imported, tmp_path):
    # Both cases have a pancreas (4); the liver (1) was drawn in the first one alone.
    dataset = imported("flare23", flare([[4, 1], [4]]))
    first, second = "FLARE23_0000", "FLARE23_0001"
    folder = predict(tmp_path / "prediction", {first: [4, 1], second: [4, 1]}, "flare23")
    done = evaluate(EvaluateSettings(dataset, folder, tmp_path / "scores"))
    assert scored(done, "pancreas") == {first: (1.0, None), second: (1.0, None)}
    assert scored(done, "liver") == {first: (1.0, None), second: (None, "not_annotated")}
    # A liver found there is no false positive: neither its volume nor its specificity is told.
    for metric in ("volume_ml", "reference_volume_ml", "hd95", "nsd_2mm"):
        assert scored(done, "liver", metric)[second] == (None, "not_annotated")
    summary = done.summary["methods"][0]["structures"]["liver"]["dsc"]
    assert (summary["n"], summary["mean"]) == (1, 1.0)
    assert summary["undefined"] == {"not_annotated": 1}


def test_a_case_with_nothing_that_is_scored_does_not_fail(imported, tmp_path):
    dataset = imported("flare23", flare([[4], [1]]))
    first, second = "FLARE23_0000", "FLARE23_0001"
    folder = predict(tmp_path / "prediction", {first: [1], second: [1]}, "pancreas")
    done = evaluate(EvaluateSettings(dataset, folder, tmp_path / "scores"))
    assert statuses(done) == [(first, "done"), (second, "done")]
    assert scored(done, "pancreas") == {first: (1.0, None), second: (None, "not_annotated")}
    again = evaluate(EvaluateSettings(dataset, folder, tmp_path / "scores"))
    assert statuses(again) == [(first, "skipped"), (second, "skipped")]


def test_a_case_whose_lesion_nobody_drew_is_no_healthy_one(imported, tmp_path):
    # demo-7 has pancreas 6 and lesion 7; AMOS draws no lesion, so nobody can be told from it.
    folder = predict(tmp_path / "prediction", {"amos_0001": [0] * 9 + [6, 7], "amos_0508": [6, 7]}, "demo-7")
    done = evaluate(EvaluateSettings(imported("amos"), folder, tmp_path / "scores"))
    assert {status for _, status in statuses(done)} == {"done"}
    assert scored(done, "pancreatic_lesion") == {}
    assert "pancreatic_lesion" in done.summary["methods"][0]["left_out"]
    assert done.summary["methods"][0]["detection"] is None


def test_a_class_drawn_only_in_part_is_left_out(imported, tmp_path):
    # panorama-6's arteries are aorta and two more; AMOS has the aorta only.
    folder = predict(tmp_path / "prediction", {"amos_0001": [3, 4]}, "panorama-6")
    done = evaluate(EvaluateSettings(imported("amos"), folder, tmp_path / "scores"))
    assert scored(done, "arteries") == {}
    assert "pancreas" in done.summary["methods"][0]["structures"]


def test_a_class_drawn_as_one_is_scored_as_one(imported, tmp_path):
    folder = predict(tmp_path / "prediction", {"100002_00001": [0, 1, 2, 3]}, "panorama-6")
    done = evaluate(EvaluateSettings(imported("panorama"), folder, tmp_path / "scores"))
    assert scored(done, "arteries") == {"100002_00001": (1.0, None)}


def test_classes_of_the_same_structures_are_told_apart_by_name():
    kits = scheme("kits")
    found = [(view.structure, view.reference_values, view.prediction_values) for view in views(kits, kits)]
    assert found == [
        ("kidneys_without_masses", (1,), (1,)),
        ("kidney_tumours", (2,), (2,)),
        ("kidney_cysts", (3,), (3,)),
    ]


def test_a_changed_label_map_is_scored_again(imported, tmp_path):
    dataset = imported("msd-pancreas")
    folder = predict(tmp_path / "prediction", {"pancreas_001": [0, 17, 28]}, "pants-28")
    settings = EvaluateSettings(dataset, folder, tmp_path / "scores")
    assert scored(evaluate(settings), "pancreas") == {"pancreas_001": (1.0, None)}
    assert statuses(evaluate(settings)) == [("pancreas_001", "skipped")]
    case = Dataset.open(dataset).case("pancreas_001")
    save(case.label_map_path.resolve(), [0, 0, 0, 1])
    again = evaluate(settings)
    assert statuses(again) == [("pancreas_001", "done")]
    assert scored(again, "pancreas") == {"pancreas_001": (0.0, None)}


def test_what_the_dataset_says_was_drawn_is_what_a_source_tells(imported):
    dataset = Dataset.open(imported("msd-pancreas"))
    case = dataset.case("pancreas_001")
    source = Source(case, scheme("pants-28"), annotated_structures(dataset)[case.id])
    assert source.present == ("pancreas", "pancreatic_lesion")
    assert source.files == [case.label_map_path]
    assert source.name == "pancreas_001/label_map.nii.gz"
