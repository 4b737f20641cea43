"""Bad input, one kind a test: a case fails with what to do, or a score says why it is none; others go on."""

import subprocess
import sys
import time
from collections import Counter

import numpy as np
import pytest

from wirsung.evaluation.case import CaseName, score_case
from wirsung.evaluation.case_labels import CaseLabels
from wirsung.evaluation.mask_folders import mask_scheme
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import read_scores
from wirsung.evaluation.scoring import pairs
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.evaluation.surface import surface_distances
from wirsung.evaluation.views import views
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume


@pytest.fixture
def scored(references, predictions, tmp_path):
    def score(**changed):
        """Most tests look at numbers, not at the page."""
        chosen = {"scheme": "pants-2", "page": False, **changed}
        return evaluate(EvaluateSettings(references, predictions, tmp_path / "scores", **chosen))

    return score


def check_only_a_failed(done, message):
    assert [outcome.status for outcome in done.outcomes] == ["failed", "done", "done", "done"]
    assert message in done.outcomes[0].message
    found = read_scores(done.out).by_case("prediction", "pancreas", "dsc")
    assert found["a"].reason == "case_failed"
    assert found["c"].value == 1.0
    assert message in done.summary["failed"]["a"]


def test_a_truncated_file_fails_its_case(predictions, scored):
    path = predictions / "a.nii.gz"
    path.write_bytes(path.read_bytes()[:-40])
    check_only_a_failed(scored(), "a.nii.gz")


def test_an_empty_file_fails_its_case(predictions, scored):
    (predictions / "a.nii.gz").write_bytes(b"")
    check_only_a_failed(scored(), "is empty")


def test_labels_are_rounded_within_a_thousandth(predictions, scored):
    plain = scored()
    volume = read_label_map(predictions / "a.nii.gz")
    write_nifti(predictions / "a.nii.gz", volume.with_voxels(volume.voxels.astype(np.float32) + 9e-4))
    done = scored()
    assert [outcome.status for outcome in done.outcomes] == ["done", "skipped", "skipped", "skipped"]
    assert done.summary["methods"] == plain.summary["methods"]


def test_labels_farther_from_whole_numbers_fail_their_case(predictions, scored):
    volume = read_label_map(predictions / "a.nii.gz")
    write_nifti(predictions / "a.nii.gz", volume.with_voxels(volume.voxels.astype(np.float32) + 2e-3))
    check_only_a_failed(scored(), "a label is a whole number")


def test_a_probability_with_nan_fails_its_case(known, predictions, scored):
    voxels = np.zeros(known.SHAPE, dtype=np.float32)
    voxels[3, 3, 3] = np.nan
    # write_nifti refuses NaN; another program does not.
    nib = pytest.importorskip("nibabel")
    nib.save(nib.Nifti1Image(voxels, known.AFFINE), predictions / "a_lesion.nii.gz")
    check_only_a_failed(scored(), "1 voxel is NaN or infinite")


def test_a_prediction_on_another_grid_is_resampled_on_request_and_that_is_said(known, predictions, scored):
    fine = read_label_map(predictions / "a.nii.gz")
    # Each coarse voxel covers two fine ones, and holds the label of the first.
    steps = np.diag([2.0, 1, 1, 1])
    steps[0, 3] = 0.5
    coarse = Volume(fine.voxels[::2], fine.affine @ steps)
    write_nifti(predictions / "a.nii.gz", coarse)
    check_only_a_failed(scored(), "2 x 1.5 x 2 mm, the reference 14 x 12 x 10 voxels of 1 x 1.5 x 2 mm)")
    done = scored(resample=True, page=True)
    assert [outcome.status for outcome in done.outcomes] == ["done"] * 4  # the setting changed
    assert list(done.summary["methods"][0]["notes"]) == ["a"]
    assert done.summary["methods"][0]["notes"]["a"].startswith("resampled: the prediction lies")
    assert "resampled by the nearest voxel: a." in done.report.read_text()
    assert "  resampled onto the reference's grid: 1 case" in done.lines()
    # Of the box's planes 3 to 8 the second, fourth and sixth are kept, and become 4 to 9.
    found = read_scores(done.out).by_case("prediction", "pancreas", "dsc")["a"].value
    assert found == pytest.approx(5 / 6, rel=1e-12)


def test_an_oblique_grid_changes_no_score(known, references, predictions, scored, tmp_path):
    plain = {(row.case, row.metric, row.structure): row.value for row in read_scores(scored().out)}
    turn, _ = np.linalg.qr(np.random.default_rng(0).standard_normal((3, 3)))
    turned = np.eye(4)
    turned[:3, :3] = turn
    folders = {}
    for folder in (references, predictions):
        folders[folder.name] = tmp_path / "oblique" / folder.name
        for path in folder.glob("*.nii.gz"):
            volume = read_label_map(path)
            write_nifti(folders[folder.name] / path.name, Volume(volume.voxels, turned @ volume.affine))
    done = evaluate(
        EvaluateSettings(
            folders["reference"], folders["prediction"], tmp_path / "again", scheme="pants-2", page=False
        )
    )
    for row in read_scores(done.out):
        expected = plain[row.case, row.metric, row.structure]
        # A header holds float32, so distances agree to its seven digits.
        assert row.value == pytest.approx(expected, rel=1e-6, abs=1e-6, nan_ok=True)


def test_where_all_patients_are_positive_no_auc_is_defined_and_the_page_says_so(
    known, references, predictions, scored
):
    for case in "cd":
        write_nifti(references / f"{case}.nii.gz", known.label_map((known.PANCREAS, 1), (known.LESION, 2)))
    done = scored(page=True)
    area = done.summary["methods"][0]["detection"]["auc"]
    assert (area["value"], area["interval"]) == (None, "undefined: no negative case")
    assert (area["positives"], area["negatives"]) == (4, 0)
    assert "undefined: no negative case" in done.report.read_text()


def test_one_case_has_scores_but_no_interval_and_the_page_says_so(references, predictions, scored):
    for folder in (references, predictions):
        for case in "acd":
            (folder / f"{case}.nii.gz").unlink()
    done = scored(page=True)
    found = done.summary["methods"][0]["structures"]["pancreas"]["dsc"]
    assert (found["n"], found["low"], found["high"], found["sd"]) == (1, None, None, None)
    assert found["mean"] == pytest.approx(5 / 6)
    assert "one case" in done.report.read_text()


@pytest.mark.slow
def test_a_killed_run_goes_on_where_it_stopped(known, folders, tmp_path):
    label_map = known.label_map((known.PANCREAS, 1), (known.LESION, 2))
    cases = {f"case_{number:03}": label_map for number in range(150)}
    both = folders("reference", cases), folders("prediction", cases)
    out = tmp_path / "scores"
    command = ["evaluate", *map(str, both), "--scheme", "pants-2", "--out", str(out)]
    run = subprocess.Popen([sys.executable, "-m", "wirsung", *command], stderr=subprocess.DEVNULL)
    while run.poll() is None and len(list(out.glob("cases/*/case_*.json"))) < 6:
        time.sleep(0.01)
    run.kill()
    run.wait()
    assert not (out / "summary.json").exists()
    done = evaluate(EvaluateSettings(*both, out, scheme="pants-2", page=False))
    counts = Counter(outcome.status for outcome in done.outcomes)
    assert counts["skipped"] >= 5
    assert counts["skipped"] + counts["done"] == 150
    whole = evaluate(EvaluateSettings(*both, tmp_path / "whole", scheme="pants-2", page=False))
    assert done.summary["methods"] == whole.summary["methods"]


def test_noise_of_many_masks_is_scored_in_groups_as_each_mask_is_alone():
    generator = np.random.default_rng(0)
    names = [f"structure_{number:02}" for number in range(12)]
    masks = [{name: generator.random((14, 15, 16)) < 0.4 for name in names} for _ in range(2)]
    chosen = mask_scheme(names)
    sides = []
    for side in masks:
        codes = merge_masks((name, Volume(mask, np.eye(4))) for name, mask in side.items())
        assert len(codes.patterns) > 256
        sides.append(CaseLabels(codes.volume, chosen, codes))
    rows = {}
    for pair, found in pairs(*sides, views(chosen, chosen, by_class=True)):
        for row in score_case(CaseName("a", "noise", protocol("pants")), pair, found):
            rows[row.structure, row.metric] = row.value
    for name in names:
        one, other = (side[name] for side in masks)
        distances = surface_distances(one, other, (1.0, 1.0, 1.0))
        assert rows[name, "dsc"] == 2 * (one & other).sum() / (one.sum() + other.sum())
        assert rows[name, "nsd_2mm"] == distances.nsd(2.0, strict=True)
        assert rows[name, "hd"] == distances.hd
