from functools import partial

import numpy as np
import pytest

from wirsung.errors import ConfigError
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import read_scores
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.surface import surface_distances
from wirsung.imaging.nifti import read_mask
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

# Most tests look at numbers, not at the page.
Quick = partial(EvaluateSettings, page=False)
LIVER, DUCT = np.s_[10:13, 3:6, 2:5], np.s_[5:12, 5:6, 5:6]


def write_masks(folder, known, boxes):
    for name, box in boxes.items():
        mask = np.zeros(known.SHAPE, dtype=bool)
        if box is not None:
            mask[box] = True
        write_nifti(folder / f"{name}.nii.gz", Volume(mask, known.AFFINE))


def moved(box):
    return (slice(box[0].start + 1, box[0].stop + 1), *box[1:])


@pytest.fixture
def truth(known):
    """Masks that overlap: the pancreas holds lesion and duct, and the duct runs into the liver."""
    pancreas = {"pancreas": known.PANCREAS, "pancreatic_lesion": known.LESION}
    return {**pancreas, "liver": LIVER, "pancreatic_duct": DUCT}


@pytest.fixture
def mask_folders(known, tmp_path, truth):
    """Two cases of reference (in segmentations/) and prediction (directly): perfect, and moved by one."""
    for case, change in (("a", lambda box: box), ("b", moved)):
        write_masks(tmp_path / "reference" / case / "segmentations", known, truth)
        write_masks(tmp_path / "prediction" / case, known, {name: change(box) for name, box in truth.items()})
    return tmp_path / "reference", tmp_path / "prediction"


def statuses(done):
    return [outcome.status for outcome in done.outcomes]


def value(done, case, structure, metric):
    return read_scores(done.out).by_case("prediction", structure, metric)[case].value


def reason(done, case, structure, metric):
    return read_scores(done.out).by_case("prediction", structure, metric)[case].reason


def test_overlapping_masks_are_each_scored_whole(mask_folders, truth, tmp_path):
    done = evaluate(Quick(*mask_folders, tmp_path / "scores"))
    assert statuses(done) == ["done", "done"]
    assert done.summary["methods"][0]["scheme"] == "masks"
    for structure in truth:
        one, other = (read_mask(next(folder.glob(f"b/**/{structure}.nii.gz"))) for folder in mask_folders)
        if structure == "pancreas":
            # The duct sticks out of the gland into the liver, and is its part.
            duct = [read_mask(next(folder.glob("b/**/pancreatic_duct.nii.gz"))) for folder in mask_folders]
            one, other = (
                mask.with_voxels(mask.voxels | part.voxels)
                for mask, part in zip((one, other), duct, strict=True)
            )
        shared = 2 * (one.voxels & other.voxels).sum()
        assert value(done, "a", structure, "dsc") == 1.0
        assert value(done, "b", structure, "dsc") == shared / (one.voxels.sum() + other.voxels.sum())
        expected = surface_distances(one.voxels, other.voxels, one.spacing_mm)
        assert value(done, "b", structure, "hd") == expected.hd
        assert value(done, "b", structure, "nsd_2mm") == expected.nsd(2.0, strict=True)


def test_a_dataset_is_scored_against_masks_mask_by_mask(known, dataset, tmp_path):
    for case, lesion in (("one", known.LESION), ("two", None)):
        write_masks(
            tmp_path / "prediction" / case,
            known,
            {"pancreas": known.PANCREAS, "pancreatic_lesion": lesion, "liver": LIVER},
        )
    done = evaluate(EvaluateSettings(dataset, tmp_path / "prediction", tmp_path / "scores"))
    assert statuses(done) == ["done", "done"]
    assert value(done, "one", "liver", "dsc") == 1.0
    assert done.summary["methods"][0]["detection"]["auc"]["value"] == 1.0
    assert done.report.read_text().count("<img") >= 4


def test_masks_as_reference_are_painted_for_label_maps(known, mask_folders, folders, tmp_path):
    label_map = known.label_map((known.PANCREAS, 1), (DUCT, 1), (known.LESION, 2))
    predictions = folders("prediction_maps", {"a": label_map, "b": label_map})
    done = evaluate(Quick(mask_folders[0], predictions, tmp_path / "scores", scheme="pants-2"))
    assert [row.value for row in read_scores(done.out) if row.metric == "dsc"] == [1.0] * 4
    with pytest.raises(ConfigError, match="Leave out --reference-scheme"):
        evaluate(
            Quick(mask_folders[0], predictions, scheme="pants-2", reference_scheme="pants-2", out=tmp_path)
        )


def test_label_maps_as_reference_of_masks_need_a_scheme(known, mask_folders, folders, tmp_path):
    label_map = known.label_map((known.PANCREAS, 1), (DUCT, 1), (known.LESION, 2))
    references = folders("maps", {"a": label_map, "b": label_map})
    with pytest.raises(ConfigError, match="--reference-scheme pants-28"):
        evaluate(Quick(references, mask_folders[1], tmp_path / "scores"))
    done = evaluate(Quick(references, mask_folders[1], tmp_path / "scores", reference_scheme="pants-2"))
    assert statuses(done) == ["done", "done"]
    assert value(done, "a", "pancreas", "dsc") == value(done, "a", "pancreatic_lesion", "dsc") == 1.0


def test_a_mask_that_one_case_lacks_is_a_missing_prediction_of_that_structure(mask_folders, tmp_path):
    (mask_folders[1] / "b" / "liver.nii.gz").unlink()
    done = evaluate(Quick(*mask_folders, tmp_path / "scores"))
    assert statuses(done) == ["done", "done"]
    assert reason(done, "b", "liver", "dsc") == "prediction_missing"
    assert reason(done, "b", "pancreas", "dsc") is None


def test_a_reference_mask_that_one_case_lacks_is_not_annotated(mask_folders, tmp_path):
    (mask_folders[0] / "b" / "segmentations" / "liver.nii.gz").unlink()
    done = evaluate(Quick(*mask_folders, tmp_path / "scores"))
    assert reason(done, "b", "liver", "dsc") == "not_annotated"


def test_lesion_masks_alone_do_not_make_a_pancreas(known, mask_folders, tmp_path):
    write_masks(tmp_path / "lesions" / "a", known, {"pancreatic_lesion": known.LESION})
    done = evaluate(Quick(mask_folders[0], tmp_path / "lesions", tmp_path / "scores"))
    assert list(done.summary["methods"][0]["structures"]) == ["pancreatic_lesion"]
    assert done.summary["failed"].keys() == {"b"}
    assert "no prediction lesions/b" in done.summary["failed"]["b"]


def test_a_run_again_skips_masks_that_did_not_change(known, mask_folders, tmp_path):
    settings = Quick(*mask_folders, tmp_path / "scores")
    evaluate(settings)
    write_masks(mask_folders[1] / "b", known, {"liver": LIVER})
    again = evaluate(settings)
    assert statuses(again) == ["skipped", "done"]
    assert value(again, "b", "liver", "dsc") == 1.0


def test_masks_of_another_name_are_scored_by_it(known, tmp_path):
    for side in ("reference", "prediction"):
        write_masks(tmp_path / side / "a", known, {"cyst": known.LESION})
    done = evaluate(Quick(tmp_path / "reference", tmp_path / "prediction", tmp_path / "scores"))
    assert list(done.summary["methods"][0]["structures"]) == ["cyst"]


def test_a_folder_of_label_maps_and_masks_is_refused(known, mask_folders, tmp_path):
    write_nifti(mask_folders[1] / "c.nii.gz", known.label_map())
    with pytest.raises(ConfigError, match=r"label maps such as c\.nii\.gz and folders of masks such as a/"):
        evaluate(Quick(*mask_folders, tmp_path / "scores"))


def test_lesion_probabilities_may_lie_beside_folders_of_masks(known, mask_folders, tmp_path):
    for case in "ab":
        probability = Volume(np.full(known.SHAPE, 0.5, np.float32), known.AFFINE)
        write_nifti(mask_folders[1] / f"{case}_lesion.nii.gz", probability)
    done = evaluate(Quick(*mask_folders, tmp_path / "scores"))
    assert value(done, "a", "pancreatic_lesion", "lesion_probability_max") == 0.5


def test_label_maps_and_masks_are_compared_on_one_dataset(known, dataset, folders, tmp_path):
    maps = folders("maps", {"one": known.label_map((known.PANCREAS, 1), (known.LESION, 2))})
    write_masks(tmp_path / "masks" / "one", known, {"pancreas": moved(known.PANCREAS)})
    done = evaluate(Quick(dataset, maps, tmp_path / "scores", also=(tmp_path / "masks",), scheme="pants-2"))
    assert [method["scheme"] for method in done.summary["methods"]] == ["pants-2", "masks"]
    found = {
        (item["structure"], item["metric"]): item["comparison"]["mean_difference"]
        for item in done.summary["comparisons"]
    }
    # The moved 6-cube shares five sixths of itself; the lesion is of the first method alone.
    assert found["pancreas", "dsc"] == pytest.approx(-1 / 6)
    assert "pancreatic_lesion" not in done.summary["methods"][1]["structures"]
