import json
from dataclasses import replace
from functools import partial

import numpy as np
import pytest

from wirsung.errors import ConfigError
from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.detection_findings import auc_pairs, lesion_findings, rank
from wirsung.evaluation.lesions import CaseLesions, Lesion
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import Score, Scores
from wirsung.evaluation.settings import EvaluateSettings
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

PANTS = protocol("pants")
LESION = "pancreatic_lesion"
# Most tests look at numbers, not at the page.
Quick = partial(EvaluateSettings, page=False, scheme="pants-2")


def rows(method, cases, *, probabilities=None):
    """Case to reference volume, predicted volume."""
    for case, (reference, predicted) in cases.items():
        yield Score(case, LESION, "reference_volume_ml", reference, "ml", None, "pants", method)
        yield Score(case, LESION, "volume_ml", predicted, "ml", None, "pants", method)
        if case in (probabilities or {}):
            value = probabilities[case]
            yield Score(case, LESION, "lesion_probability_max", value, "1", None, "pants", method)


CASES = {"a": (1.0, 2.0), "b": (1.0, 0.5), "c": (0.0, 1.0), "d": (0.0, 0.0), "e": (1.0, 0.0)}
SURE = {"a": 0.9, "b": 0.8, "c": 0.85, "d": 0.1, "e": 0.3}


def test_the_probability_ranks_where_every_case_has_one():
    ranking = rank(Scores(rows("ours", CASES, probabilities=SURE)), "ours", PANTS)
    assert ranking.scored_by == "max"
    assert [item.score for item in ranking.cases] == list(SURE.values())
    assert ranking.detection().scored_by == "highest lesion probability"
    # Positives at 0.9, 0.8, 0.3 against 0.85 and 0.1: 4 of 6 pairs won.
    assert ranking.detection().auc.value == pytest.approx(4 / 6)
    assert ranking.detection().average_precision == pytest.approx((1 + 2 / 3 + 3 / 4) / 3)


def test_the_volume_ranks_all_where_one_probability_is_lacking():
    some = {case: value for case, value in SURE.items() if case != "d"}
    ranking = rank(Scores(rows("ours", CASES, probabilities=some)), "ours", PANTS)
    assert ranking.scored_by == "volume"
    assert [item.score for item in ranking.cases] == [predicted for _, predicted in CASES.values()]


def test_a_method_without_lesion_scores_has_no_ranking():
    assert rank(Scores([]), "ours", PANTS) is None


def test_a_fixed_threshold_is_left_out_where_another_score_ranks():
    own = replace(PANTS, operating_points=("youden", "threshold:0.5"))
    by_probability = rank(Scores(rows("ours", CASES, probabilities=SURE)), "ours", own)
    assert [point.name for point in by_probability.points(own)] == ["youden", "threshold:0.5"]
    assert by_probability.points(own)[1].sensitivity.value == pytest.approx(2 / 3)
    by_volume = rank(Scores(rows("ours", CASES)), "ours", own)
    assert [point.name for point in by_volume.points(own)] == ["youden"]


def test_aucs_are_compared_on_the_cases_of_both_by_the_same_score():
    some = {case: volumes for case, volumes in CASES.items() if case != "e"}
    scores = Scores(
        [
            *rows("one", CASES, probabilities=SURE),
            *rows("two", some, probabilities=SURE),
            *rows("three", CASES),
        ]
    )
    methods = ("one", "two", "three")
    rankings = {method: rank(scores, method, PANTS) for method in methods}
    (pair,) = auc_pairs(methods, rankings)
    assert (pair.first, pair.second, pair.scored_by, pair.cases) == ("one", "two", "max", 4)
    assert (pair.comparison.difference, pair.comparison.p) == (0.0, 1.0)


def test_lesions_are_told_by_method():
    found = CaseLesions((Lesion(1.0, 15.0, 0.5, 0.9, is_found=True, is_touched=True),))
    scores = Scores([], None, {"ours": {"a": found, "b": CaseLesions()}})
    detection = lesion_findings(scores, "ours", PANTS, Cohort(), 0)
    assert (detection.cases, detection.lesions, detection.min_iou) == (2, 1, 0.1)
    assert lesion_findings(scores, "theirs", PANTS, Cohort(), 0) is None


def with_probabilities(known, root):
    """The four known cases, and a probability of each: 0.9, 0.2, 0.1 and 0.6 at one voxel of the lesion."""
    references = known.write_references(root / "reference")
    predictions = known.write_predictions(root / "prediction")
    for case, value in zip("abcd", (0.9, 0.2, 0.1, 0.6), strict=True):
        voxels = np.zeros(known.SHAPE, dtype=np.float32)
        voxels[4, 4, 4] = value
        voxels[0, 0, 0] = value / 2
        write_nifti(predictions / f"{case}_lesion.nii.gz", Volume(voxels, known.AFFINE))
    return references, predictions


def test_an_evaluation_tells_lesions_points_and_scores(known, tmp_path):
    references, predictions = with_probabilities(known, tmp_path)
    settings = Quick(references, predictions, tmp_path / "scores")
    (method,) = evaluate(settings).summary["methods"]
    lesions = method["lesions"]
    # Case a's lesion is found at 0.9, case b's is missed, and case d has a false one at 0.6.
    assert (lesions["cases"], lesions["lesions"]) == (4, 2)
    assert (lesions["sensitivity"]["value"], lesions["t_sen"]["value"]) == (0.5, 0.5)
    assert lesions["false_positives_per_scan"]["value"] == 0.25
    assert lesions["average_precision"]["value"] == 0.5
    assert lesions["froc"]["thresholds"] == pytest.approx([0.9, 0.6])
    assert method["detection"]["auc"]["value"] == 0.75
    youden = method["operating_points"][0]
    assert youden["threshold"] == pytest.approx(0.9)
    assert (youden["sensitivity"]["value"], youden["specificity"]["value"]) == (0.5, 1.0)


def test_a_run_again_finds_the_lesions_in_its_records(known, tmp_path):
    references, predictions = with_probabilities(known, tmp_path)
    settings = Quick(references, predictions, tmp_path / "scores")
    first = evaluate(settings)
    (tmp_path / "scores" / "summary.json").unlink()
    again = evaluate(settings)
    assert {outcome.status for outcome in again.outcomes} == {"skipped"}
    assert json.dumps(again.summary) == json.dumps(first.summary)


@pytest.mark.parametrize(
    ("name", "words", "first"),
    [
        ("topk:2", "mean lesion probability of the 2 highest voxels", 0.675),
        ("volume", "predicted lesion volume", None),
    ],
)
def test_the_case_score_can_be_named(known, tmp_path, name, words, first):
    references, predictions = with_probabilities(known, tmp_path)
    found = evaluate(Quick(references, predictions, tmp_path / "scores", lesion_score=name))
    (method,) = found.summary["methods"]
    assert method["detection"]["scored_by"] == words
    assert found.summary["protocol"]["case_score"] == name
    if first:
        assert method["operating_points"][0]["threshold"] == pytest.approx(first)


def test_an_unknown_case_score_is_an_error(references, predictions, tmp_path):
    with pytest.raises(ConfigError, match="no case score named 'mean'"):
        evaluate(Quick(references, predictions, tmp_path / "scores", lesion_score="mean"))


def test_without_probabilities_every_candidate_is_sure(references, predictions, tmp_path):
    (method,) = evaluate(Quick(references, predictions, tmp_path / "scores")).summary["methods"]
    assert method["lesions"]["froc"]["thresholds"] == [1.0]
    assert method["detection"]["scored_by"] == "predicted lesion volume"


def test_a_probability_on_another_grid_is_an_error_of_its_case(known, tmp_path):
    references, predictions = with_probabilities(known, tmp_path)
    smaller = Volume(np.zeros((5, 5, 5), dtype=np.float32), known.AFFINE)
    write_nifti(predictions / "b_lesion.nii.gz", smaller)
    found = evaluate(Quick(references, predictions, tmp_path / "scores"))
    failed = {outcome.case: outcome.message for outcome in found.outcomes if outcome.status == "failed"}
    assert list(failed) == ["b"]
    assert "Case b: the lesion probability lies" in failed["b"]
    (method,) = found.summary["methods"]
    assert method["lesions"]["cases"] == 3
