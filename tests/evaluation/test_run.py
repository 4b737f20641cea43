import json
import math
import re
from dataclasses import replace
from functools import partial
from pathlib import Path

import nibabel as nib
import numpy as np
import pytest

from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import read_scores
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

# Most tests look at numbers, not at the page.
Quick = partial(EvaluateSettings, page=False)


def value(out: Path, case: str, structure: str, metric: str, method: str = "prediction") -> float:
    return read_scores(out).by_case(method, structure, metric)[case].value


def reason(out: Path, case: str, structure: str, metric: str, method: str = "prediction") -> str | None:
    return read_scores(out).by_case(method, structure, metric)[case].reason


@pytest.fixture(scope="module")
def done(known, tmp_path_factory):
    """The four cases evaluated; read only."""
    root = tmp_path_factory.mktemp("done")
    references = known.write_references(root / "reference")
    predictions = known.write_predictions(root / "prediction")
    return evaluate(Quick(references, predictions, root / "scores", scheme="pants-2"))


@pytest.fixture
def fresh(references, predictions, tmp_path):
    """The same, to be changed."""
    settings = EvaluateSettings(references, predictions, tmp_path / "scores", scheme="pants-2")
    return settings, evaluate(settings)


def test_scores_are_those_computed_by_hand(done):
    assert [outcome.status for outcome in done.outcomes] == ["done"] * 4
    assert value(done.out, "a", "pancreas", "dsc") == 1.0
    # A 6-cube moved by one voxel shares 5/6 of itself; the lesion inside counts as pancreas.
    assert value(done.out, "b", "pancreas", "dsc") == pytest.approx(5 / 6, abs=1e-15)
    assert value(done.out, "b", "pancreas", "hd") == 1.0
    assert value(done.out, "b", "pancreas", "nsd_2mm") == 1.0
    assert value(done.out, "a", "pancreas", "reference_volume_ml") == pytest.approx(216 * 3 / 1000)
    assert value(done.out, "a", "pancreatic_lesion", "volume_ml") == pytest.approx(8 * 3 / 1000)


def test_undefined_scores_keep_their_row_and_say_why(done):
    assert value(done.out, "b", "pancreatic_lesion", "dsc") == 0.0
    assert reason(done.out, "b", "pancreatic_lesion", "hd95") == "prediction_empty"
    assert reason(done.out, "c", "pancreatic_lesion", "dsc") == "both_empty"
    assert reason(done.out, "d", "pancreatic_lesion", "nsd_2mm") == "reference_empty"
    assert math.isnan(value(done.out, "d", "pancreatic_lesion", "dsc"))
    summary = done.summary["methods"][0]["structures"]["pancreatic_lesion"]["dsc"]
    assert (summary["n"], summary["mean"]) == (2, 0.5)
    assert summary["undefined"] == {"both_empty": 1, "reference_empty": 1}


def test_detection_ranks_by_volume_where_no_probability_is_there(done):
    found = done.summary["methods"][0]["detection"]
    assert found["scored_by"] == "predicted lesion volume"
    assert (found["sensitivity"]["value"], found["specificity"]["value"]) == (0.5, 0.5)
    # Volumes: a 8 voxels, b 0 (positives); c 0, d 8 (negatives): 1 win, 2 ties, 1 loss of 4 pairs.
    assert found["auc"]["value"] == 0.5


def test_detection_ranks_by_the_highest_probability_where_all_cases_have_one(
    known, references, predictions, tmp_path
):
    for case, peak in {"a": 0.9, "b": 0.6, "c": 0.1, "d": 0.7}.items():
        voxels = np.zeros(known.SHAPE, dtype=np.float32)
        voxels[5, 5, 5] = peak
        write_nifti(predictions / f"{case}_lesion.nii.gz", Volume(voxels, known.AFFINE))
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    found = done.summary["methods"][0]["detection"]
    assert found["scored_by"] == "highest lesion probability"
    assert found["auc"]["value"] == 0.75
    by_volume = evaluate(
        Quick(references, predictions, tmp_path / "by", scheme="pants-2", lesion_score="volume")
    )
    assert by_volume.summary["methods"][0]["detection"]["auc"]["value"] == 0.5


def test_an_image_that_is_no_probability_fails_its_case(known, references, predictions, tmp_path):
    voxels = np.full(known.SHAPE, 37.0, dtype=np.float32)
    write_nifti(predictions / "a_lesion.nii.gz", Volume(voxels, known.AFFINE))
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert [outcome.status for outcome in done.outcomes] == ["failed", "done", "done", "done"]
    assert "outside 0 to 1" in done.outcomes[0].message


def test_a_run_again_scores_only_what_changed(known, fresh, predictions):
    settings, done = fresh
    report = done.report.stat().st_mtime_ns
    again = evaluate(settings)
    assert [outcome.status for outcome in again.outcomes] == ["skipped"] * 4
    assert again.summary == done.summary
    assert done.report.stat().st_mtime_ns == report
    write_nifti(predictions / "b.nii.gz", known.label_map((known.PANCREAS, 1), (known.LESION, 2)))
    changed = evaluate(settings)
    assert [outcome.status for outcome in changed.outcomes] == ["skipped", "done", "skipped", "skipped"]
    assert value(done.out, "b", "pancreas", "dsc") == 1.0
    assert value(done.out, "a", "pancreas", "dsc") == 1.0


def test_another_protocol_scores_anew(fresh):
    again = evaluate(replace(fresh[0], protocol="msd"))
    assert [outcome.status for outcome in again.outcomes] == ["done"] * 4
    assert "nsd_5mm" in again.summary["methods"][0]["structures"]["pancreas"]


def test_a_missing_prediction_fails_by_name_and_is_counted(references, predictions, tmp_path):
    (predictions / "b.nii.gz").unlink()
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert [outcome.status for outcome in done.outcomes] == ["done", "failed", "done", "done"]
    assert "no prediction" in done.outcomes[1].message
    assert reason(done.out, "b", "pancreas", "dsc") == "prediction_missing"
    assert done.summary["methods"][0]["structures"]["pancreas"]["dsc"]["undefined"] == {
        "prediction_missing": 1
    }
    assert done.summary["methods"][0]["detection"]["left_out"] == {"prediction_missing": 1}
    assert list(done.summary["failed"]) == ["b"]


def test_a_prediction_elsewhere_fails_with_the_distance(known, references, predictions, tmp_path):
    moved = known.AFFINE.copy()
    moved[0, 3] += 7
    write_nifti(predictions / "a.nii.gz", Volume(read_label_map(predictions / "a.nii.gz").voxels, moved))
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert done.outcomes[0].status == "failed"
    assert "7 mm" in done.outcomes[0].message
    assert reason(done.out, "a", "pancreas", "dsc") == "case_failed"


@pytest.mark.parametrize("codes", ["RAS", "SLP", "AIR"])
def test_turned_axes_change_no_score(done, references, predictions, tmp_path, codes):
    turned = tmp_path / codes / "prediction"
    for path in predictions.glob("*.nii.gz"):
        write_nifti(turned / path.name, reorient(read_label_map(path), codes))
    again = evaluate(Quick(references, turned, tmp_path / codes / "scores", scheme="pants-2"))
    expected = [(row.case, row.metric, row.value) for row in read_scores(done.out) if row.reason is None]
    found = [(row.case, row.metric, row.value) for row in read_scores(again.out) if row.reason is None]
    assert found == expected


def test_a_value_that_the_scheme_does_not_have_fails_its_case(known, references, predictions, tmp_path):
    write_nifti(predictions / "a.nii.gz", known.label_map((known.PANCREAS, 7)))
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert re.search(r"a\.nii\.gz holds the values 7, which the scheme pants-2", done.outcomes[0].message)


def test_a_prediction_without_a_reference_is_reported_not_scored(known, references, predictions, tmp_path):
    write_nifti(predictions / "stray.nii.gz", known.label_map((known.PANCREAS, 1)))
    done = evaluate(EvaluateSettings(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert done.summary["without_reference"] == {"prediction": ["stray"]}
    assert len(done.outcomes) == 4
    assert "stray" in done.report.read_text()


def test_predictions_json_names_scheme_and_cases(known, references, predictions, tmp_path):
    known.write_predictions_json(predictions, "pants-2", ["a", "b"])
    (predictions / "c.nii.gz").unlink()
    done = evaluate(Quick(references, predictions, tmp_path / "scores"))
    assert [outcome.case for outcome in done.outcomes] == ["a", "b"]
    everything = evaluate(Quick(references, predictions, tmp_path / "all", all_cases=True))
    assert [outcome.status for outcome in everything.outcomes] == ["done", "done", "failed", "done"]


def test_nobody_guesses_the_scheme(references, predictions, tmp_path):
    with pytest.raises(ConfigError, match="--scheme"):
        evaluate(Quick(references, predictions, tmp_path / "scores"))


def test_two_schemes_for_one_folder_are_refused(known, references, predictions, tmp_path):
    known.write_predictions_json(predictions, "pants-2", ["a"])
    with pytest.raises(ConfigError, match="says the scheme is pants-2, but --scheme says pancreas"):
        evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pancreas"))


def test_folders_without_a_common_case_are_refused(known, references, folders, tmp_path):
    other = folders("other", {"x": known.label_map((known.PANCREAS, 1))})
    with pytest.raises(ConfigError, match="No case of reference has a prediction"):
        evaluate(Quick(references, other, tmp_path / "scores", scheme="pants-2"))


def test_an_empty_folder_is_refused(references, tmp_path):
    (tmp_path / "empty").mkdir()
    with pytest.raises(ConfigError, match="holds no <case>"):
        evaluate(Quick(references, tmp_path / "empty", tmp_path / "scores", scheme="pants-2"))


def test_a_damaged_predictions_json_is_refused(references, predictions, tmp_path):
    (predictions / "predictions.json").write_text("{")
    with pytest.raises(ManifestError, match="damaged"):
        evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))


def test_methods_are_compared_on_the_same_cases(references, predictions, folders, tmp_path):
    perfect = folders(
        "perfect", {path.name[:1]: read_label_map(path) for path in references.glob("*.nii.gz")}
    )
    settings = Quick(references, predictions, tmp_path / "scores", also=(perfect,), scheme="pants-2")
    done = evaluate(settings)
    assert [outcome.case for outcome in done.outcomes][::4] == ["prediction/a", "perfect/a"]
    pairs = {(item["structure"], item["metric"]): item["comparison"] for item in done.summary["comparisons"]}
    found = pairs["pancreas", "dsc"]
    assert (found["n"], found["second_higher"], found["first_higher"]) == (4, 1, 0)
    assert found["mean_difference"] == pytest.approx(1 / 6 / 4, abs=1e-9)
    assert pairs["pancreatic_lesion", "dsc"]["left_out"] == 2


def test_two_workers_score_as_one(references, predictions, done, tmp_path):
    again = evaluate(Quick(references, predictions, tmp_path / "two", scheme="pants-2", workers=2))
    assert again.summary["methods"] == done.summary["methods"]


def test_a_dataset_is_scored_in_the_predictions_scheme(known, dataset, folders, tmp_path):
    # demo-7: 1 liver, 2 spleen, 6 pancreas, 7 lesion; kidneys and aorta have no reference at all.
    liver, spleen = (np.s_[10:13, 3:6, 2:5], 1), (np.s_[0:2, 3:6, 2:5], 2)
    pancreas, lesion = (known.PANCREAS, 6), (known.LESION, 7)
    predicted = {
        "one": known.label_map(pancreas, lesion, liver, spleen),
        "two": known.label_map(pancreas, liver),
    }
    folder = folders("prediction", predicted)
    known.write_predictions_json(folder, "demo-7", ["one", "two"])
    done = evaluate(EvaluateSettings(dataset, folder, tmp_path / "scores"))
    assert [outcome.status for outcome in done.outcomes] == ["done", "done"]
    for structure in ("pancreas", "liver"):
        assert [value(done.out, case, structure, "dsc") for case in ("one", "two")] == [1.0, 1.0]
    assert reason(done.out, "two", "spleen", "dsc") == "not_annotated"
    assert done.summary["methods"][0]["left_out"] == ["aorta", "kidney_left", "kidney_right"]
    assert done.summary["methods"][0]["detection"]["auc"]["value"] == 1.0
    page = done.report.read_text()
    assert page.count("<img") >= 4
    assert "kidney left" in page


def test_the_summary_is_json_without_nan(done):
    text = (done.out / "summary.json").read_text()
    assert "NaN" not in text
    assert json.loads(text)["schema"] == 1
    assert "  pancreas                         0.958     1.000       0.2     4" in done.lines()


def test_a_csv_holds_the_same_rows(done):
    lines = (done.out / "scores.csv").read_text().splitlines()
    assert lines[0] == "case,structure,metric,value,unit,reason,protocol,method"
    assert len(lines) - 1 == len(read_scores(done.out).rows)


def independent_dsc(reference: Path, prediction: Path) -> float:
    one, other = (np.asarray(nib.load(path).dataobj) > 0.5 for path in (reference, prediction))
    return 2 * np.count_nonzero(one & other) / (np.count_nonzero(one) + np.count_nonzero(other))


def check_real_masks(root: Path, out: Path, cases: list[str]) -> None:
    settings = EvaluateSettings(
        root / "reference", root / "CE", out, also=(root / "DiceTopK10",), scheme="pancreas"
    )
    done = evaluate(settings)
    assert all(outcome.status == "done" for outcome in done.outcomes)
    for method in ("CE", "DiceTopK10"):
        for case in cases:
            expected = independent_dsc(*(root / name / f"{case}.nii.gz" for name in ("reference", method)))
            assert value(out, case, "pancreas", "dsc", method) == pytest.approx(expected, abs=1e-9)
    assert done.summary["comparisons"][0]["comparison"]["n"] == len(cases)
    assert "DiceTopK10 compared with CE" in done.report.read_text()


def test_real_masks_score_as_plain_numpy_does(shared_data, tmp_path):
    source = shared_data / "pancreas_predictions"
    cases = ["040", "051", "058"]
    for method in ("reference", "CE", "DiceTopK10"):
        (tmp_path / method).mkdir()
        for case in cases:
            (tmp_path / method / f"{case}.nii.gz").symlink_to(source / method / f"{case}.nii.gz")
    check_real_masks(tmp_path, tmp_path / "scores", cases)


@pytest.mark.slow
def test_all_forty_real_masks_score_as_plain_numpy_does(shared_data, tmp_path):
    source = shared_data / "pancreas_predictions"
    cases = sorted(path.name.removesuffix(".nii.gz") for path in (source / "reference").glob("*.nii.gz"))
    assert len(cases) == 40
    check_real_masks(source, tmp_path / "scores", cases)


def test_a_probability_without_its_label_map_is_no_stray(known, references, predictions, tmp_path):
    probability = Volume(np.zeros(known.SHAPE, np.float32), known.AFFINE)
    write_nifti(predictions / "b_lesion.nii.gz", probability)
    (predictions / "b.nii.gz").unlink()
    done = evaluate(Quick(references, predictions, tmp_path / "scores", scheme="pants-2"))
    assert done.summary["without_reference"] == {}
    assert list(done.summary["failed"]) == ["b"]


def test_a_page_is_written_when_it_is_wanted(references, predictions, tmp_path):
    settings = Quick(references, predictions, tmp_path / "scores", scheme="pants-2")
    done = evaluate(settings)
    assert not done.report.exists()
    assert done.lines()[-1] == f"Scores: {tmp_path / 'scores'}"
    later = evaluate(replace(settings, page=True))
    assert [outcome.status for outcome in later.outcomes] == ["skipped"] * 4
    assert later.report.is_file()
    assert later.summary == done.summary
