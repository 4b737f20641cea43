import csv
import json
import math

import numpy as np
import pytest
from scipy import stats

from wirsung.cli import main
from wirsung.errors import ConfigError
from wirsung.evaluation.compare import COMPARISON_FILE, PAGE_FILE, compare
from wirsung.evaluation.compare_settings import CompareSettings
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import Score, write_scores
from wirsung.evaluation.settings import EvaluateSettings


def scored(folder, dsc, *, protocol_name="pants", method=None, volume_ml=80.0):
    """scores.parquet with one DSC of the pancreas a case."""
    stamp, name = protocol(protocol_name).stamp, method or folder.name
    rows = []
    for case, value in dsc.items():
        rows.append(Score(case, "pancreas", "dsc", value, "1", None, protocol_name, name))
        rows.append(
            Score(case, "pancreas", "reference_volume_ml", volume_ml, "ml", None, protocol_name, name)
        )
    write_scores(folder, rows, stamp)
    return folder


@pytest.fixture
def two(tmp_path):
    generator = np.random.default_rng(0)
    first = {f"c{i}": float(value) for i, value in enumerate(generator.uniform(0.6, 0.9, 12))}
    second = {case: value + 0.02 + float(generator.normal(0, 0.01)) for case, value in first.items()}
    return scored(tmp_path / "A", first), scored(tmp_path / "B", second)


def test_two_evaluations_are_compared(two, tmp_path):
    done = compare(CompareSettings(two, tmp_path / "out"))
    pair = done.content["pairs"][0]
    assert (pair["first"], pair["second"], pair["structure"], pair["metric"]) == ("A", "B", "pancreas", "dsc")
    assert pair["comparison"]["mean_difference"] == pytest.approx(0.02, abs=0.01)
    assert pair["p_holm"] == pair["comparison"]["p_wilcoxon"]
    assert {outcome.status for outcome in done.outcomes} == {"done"}
    assert json.loads((tmp_path / "out" / COMPARISON_FILE).read_text())["pairs"] == done.content["pairs"]
    assert "dsc of the pancreas" in done.lines()[0]
    assert any("A / B: +0.0" in line for line in done.lines())


def test_a_method_compared_with_itself_does_not_differ(two, tmp_path):
    twin = scored(tmp_path / "twin", dict(read_dsc(two[0])))
    pair = compare(CompareSettings((two[0], twin), tmp_path / "out")).content["pairs"][0]
    found = pair["comparison"]
    assert (found["mean_difference"], found["p_wilcoxon"], found["p_t"], pair["p_holm"]) == (0, 1, 1, 1)
    assert (pair["wins"], pair["ties"], pair["losses"]) == (0, 12, 0)


def read_dsc(folder):
    with (folder / "scores.csv").open() as file:
        return [(row["case"], float(row["value"])) for row in csv.DictReader(file) if row["metric"] == "dsc"]


def test_evaluations_of_real_files_are_compared(references, predictions, known, tmp_path):
    other = known.write_predictions(tmp_path / "other")
    for folder in (predictions, other):
        evaluate(EvaluateSettings(references, folder, tmp_path / f"scores-{folder.name}", scheme="pants-2"))
    folders = (tmp_path / "scores-prediction", tmp_path / "scores-other")
    done = compare(CompareSettings(folders, tmp_path / "out"))
    assert done.content["metrics"][0] == "dsc"
    assert "volume_ml" not in done.content["metrics"]
    assert all(pair["comparison"]["p_wilcoxon"] in (1, None) for pair in done.content["pairs"])
    assert "Who has a lesion?" in done.page.read_text(encoding="utf-8")
    assert [(pair["cases"], pair["positives"]) for pair in done.content["aucs"]] == [(4, 2)]
    assert done.content["aucs"][0]["comparison"]["p"] == 1


def test_one_case_has_differences_but_neither_interval_nor_t_test(tmp_path):
    one, other = scored(tmp_path / "A", {"a": 0.5}), scored(tmp_path / "B", {"a": 0.7})
    found = compare(CompareSettings((one, other), tmp_path / "out")).content["pairs"][0]["comparison"]
    assert found["mean_difference"] == pytest.approx(0.2)
    assert (found["low"], found["high"], found["p_t"], found["p_wilcoxon"]) == (None, None, None, 1)


def test_another_protocol_is_refused_unless_allowed(two, tmp_path):
    other = scored(tmp_path / "C", dict(read_dsc(two[0])), protocol_name="msd")
    with pytest.raises(
        ConfigError, match=r"A was scored by protocol pants version 1 \(.{12}\), but C by .* msd"
    ):
        compare(CompareSettings((two[0], other), tmp_path / "out"))
    done = compare(CompareSettings((two[0], other), tmp_path / "out", allow_different_protocols=True))
    assert "different protocols" in done.page.read_text(encoding="utf-8")


def test_a_table_of_another_protocols_name_is_refused_too(two, tmp_path):
    other = scored(tmp_path / "C", dict(read_dsc(two[0])), protocol_name="msd")
    with pytest.raises(ConfigError, match=r"protocol pants .* but C by protocol msd"):
        compare(CompareSettings((two[0], other / "scores.csv"), tmp_path / "out"))


def test_other_references_are_refused_with_case_and_volumes(two, tmp_path):
    other = scored(tmp_path / "C", dict(read_dsc(two[0])), volume_ml=81.0)
    with pytest.raises(
        ConfigError, match=r"Case c0: the pancreas of A's reference has 80\.000 ml, .* 81\.000 ml"
    ):
        compare(CompareSettings((two[0], other), tmp_path / "out"))


def test_a_method_that_lacks_cases_fails_with_their_number_and_is_compared_on_the_others(two, tmp_path):
    fewer = scored(tmp_path / "C", dict(read_dsc(two[0])[:8]))
    done = compare(CompareSettings((*two, fewer), tmp_path / "out"))
    assert [outcome.status for outcome in done.outcomes] == ["done", "done", "failed"]
    assert "lacks 4 of 12 cases" in done.outcomes[2].message
    assert [pair["comparison"]["n"] for pair in done.content["pairs"]] == [12, 8, 8]
    assert done.content["shared_cases"] == 8


def test_no_case_in_common_is_refused(two, tmp_path):
    other = scored(tmp_path / "C", {"x": 0.5})
    with pytest.raises(ConfigError, match=r"No case was scored by every method \(A 12, C 1 cases\)"):
        compare(CompareSettings((two[0], other), tmp_path / "out"))


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"structures": ("pancras",)}, "structure 'pancras'. Did you mean pancreas"),
        ({"metrics": ("nsd_2mm",)}, "metric 'nsd_2mm'. Known are dsc"),
        ({"equivalence_margin": ("dsc",)}, "--equivalence-margin dsc has no number above 0"),
        ({"equivalence_margin": ("dsc=-1",)}, "no number above 0"),
        ({"non_inferiority_margin": ("hd95=1",)}, "--non-inferiority-margin hd95=1: no such metric"),
    ],
)
def test_unknown_names_and_margins_are_refused(two, tmp_path, given, said):
    with pytest.raises(ConfigError, match=said):
        compare(CompareSettings(two, tmp_path / "out", **given))


def test_methods_without_a_common_metric_are_refused(two, tmp_path):
    table = tmp_path / "other.csv"
    table.write_text("case,structure,metric,value\nc0,pancreas,iou,0.5\n")
    with pytest.raises(ConfigError, match="no structure in common"):
        compare(CompareSettings((two[0], table), tmp_path / "out"))


def test_a_second_run_does_nothing_until_a_score_changes(two, tmp_path):
    settings = CompareSettings(two, tmp_path / "out")
    first = compare(settings)
    stamp = first.page.stat().st_mtime_ns
    again = compare(settings)
    assert first.page.stat().st_mtime_ns == stamp
    assert again.content == first.content
    scored(two[1], {case: value / 2 for case, value in read_dsc(two[1])})
    changed = compare(settings)
    assert changed.content["pairs"][0]["comparison"]["mean_difference"] < 0


def test_a_table_of_patients_keeps_their_cases_together(two, tmp_path):
    table = tmp_path / "patients.csv"
    table.write_text("case,patient\n" + "".join(f"c{i},p{i // 3}\n" for i in range(12)))
    done = compare(CompareSettings(two, tmp_path / "out", metadata=table))
    assert done.content["pairs"][0]["comparison"]["patients"] == 4
    assert done.content["patients"] == 4


def test_exit_status_says_all_good_some_failed_or_a_wrong_call(two, tmp_path, capsys):
    fewer = scored(tmp_path / "C", dict(read_dsc(two[0])[:8]))
    out = ["--out", str(tmp_path / "out")]
    assert main(["compare", *map(str, two), *out]) == 0
    assert main(["compare", *map(str, two), str(fewer), *out]) == 1
    assert main(["compare", str(two[0]), *out]) == 2
    assert "needs two methods" in capsys.readouterr().err


TOUCHSTONE = 10
"""Algorithms."""


@pytest.fixture(scope="module")
def touchstone(shared_data, tmp_path_factory):
    """The comparison of ten algorithms on the pancreas, and their columns read without any of our code."""
    folders = sorted(path for path in (shared_data / "touchstone").iterdir() if path.is_dir())
    out = tmp_path_factory.mktemp("touchstone")
    done = compare(CompareSettings(tuple(folders), out, structures=("pancreas",)))
    columns = {}
    for folder in folders:
        for metric in ("dsc", "nsd"):
            with (folder / f"{metric}.csv").open() as file:
                rows = list(csv.DictReader(file))
            columns[folder.name, metric] = {
                row["name"]: float(row["pancreas"]) for row in rows if row["pancreas"] != ""
            }
    return done, columns


def test_touchstone_means_are_over_the_cases_with_a_pancreas_and_zero_counts(touchstone):
    done, columns = touchstone
    assert len(done.content["methods"]) == TOUCHSTONE
    for method in done.content["methods"]:
        for metric in ("dsc", "nsd"):
            values = np.array(list(columns[method["name"], metric].values()))
            found = method["summaries"]["pancreas"][metric]
            assert found["n"] == len(values)
            assert found["n"] + found["undefined"].get("reference_empty", 0) == method["cases"]
            assert found["mean"] == pytest.approx(values.mean(), abs=1e-12)
            assert found["sd"] == pytest.approx(values.std(ddof=1), abs=1e-12)
            assert found["median"] == pytest.approx(np.median(values), abs=1e-12)


def test_touchstone_intervals_agree_with_scipys_bootstrap(touchstone):
    done, columns = touchstone
    for method in done.content["methods"][::4]:
        values = np.array(list(columns[method["name"], "dsc"].values()))
        theirs = stats.bootstrap(
            (values,), np.mean, method="percentile", n_resamples=4000, rng=1, vectorized=True, batch=500
        )
        found = method["summaries"]["pancreas"]["dsc"]
        half = found["high"] - found["low"]
        assert found["low"] == pytest.approx(theirs.confidence_interval.low, abs=0.06 * half)
        assert found["high"] == pytest.approx(theirs.confidence_interval.high, abs=0.06 * half)


def test_touchstone_paired_tests_equal_scipys(touchstone):
    done, columns = touchstone
    pairs = [pair for pair in done.content["pairs"] if pair["structure"] == "pancreas"]
    assert len(pairs) == 2 * math.comb(TOUCHSTONE, 2)
    for pair in pairs:
        first, second = (columns[pair[which], pair["metric"]] for which in ("first", "second"))
        cases = sorted(first.keys() & second.keys())
        one, other = (np.array([column[case] for case in cases]) for column in (first, second))
        found, differences = pair["comparison"], np.round(other - one, 9)
        assert found["n"] == len(cases)
        assert found["mean_difference"] == pytest.approx((other - one).mean(), abs=1e-9)
        assert found["p_t"] == pytest.approx(stats.ttest_rel(other, one).pvalue, abs=1e-10)
        assert found["p_wilcoxon"] == pytest.approx(stats.wilcoxon(differences).pvalue, abs=1e-10)
        assert found["second_higher"] == pair["wins"] == int((differences > 0).sum())
        assert pair["losses"] == int((differences < 0).sum())
        assert pair["p_holm"] >= found["p_wilcoxon"]


def test_touchstone_says_who_lacks_cases(touchstone):
    done, _ = touchstone
    failed = {outcome.case: outcome.message for outcome in done.outcomes if outcome.status == "failed"}
    assert list(failed) == ["nnU-Net_STU-Net_L"]
    assert "lacks 87 of 743 cases" in failed["nnU-Net_STU-Net_L"]
    assert (done.out / PAGE_FILE).stat().st_size < 1_000_000
