from pathlib import Path

import pytest

from wirsung.datasets.manifest import ManifestRow, write_manifest
from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.cohort import open_cohort
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.settings import EvaluateSettings


@pytest.fixture
def table(tmp_path):
    path = tmp_path / "cases.csv"
    path.write_text("case,patient,sex,age\na,p1,F,40\nb,p1,F,41\nc,p2,M,70\n")
    return path


def settings(reference, **given):
    return EvaluateSettings(Path(reference), Path("prediction"), **given)


def test_a_table_gives_patients_and_subgroups(table):
    given = settings("reference", metadata=table, subgroups=("sex", "age:50"))
    found = open_cohort(given, {"a": "other", "d": "p4"}, ["a", "b", "c", "d"])
    assert found.patients == {"a": "p1", "b": "p1", "c": "p2", "d": "p4"}
    assert [grouping.column for grouping in found.groupings] == ["sex", "age"]
    assert found.groupings[1].of == {"a": "< 50", "b": "< 50", "c": ">= 50", "d": "unknown"}


def test_a_dataset_gives_its_manifests_columns(dataset):
    rows = [
        ManifestRow("one", "p1", sex="F", structures=("pancreas",), has_labels=True),
        ManifestRow("two", "p2", sex="M", structures=("pancreas",), has_labels=True),
    ]
    write_manifest(dataset, rows)
    found = open_cohort(settings(dataset, subgroups=("sex",)), {"one": "p1"}, ["one", "two"])
    assert found.groupings[0].of == {"one": "F", "two": "M"}
    assert found.patients == {"one": "p1"}


def test_nothing_is_read_where_nothing_is_asked(dataset):
    assert open_cohort(settings(dataset), {"one": "p"}, ["one"]).groupings == ()


def test_subgroups_without_a_table_are_refused():
    with pytest.raises(ConfigError, match=r"no manifest, so there are no subgroups by sex.*--metadata"):
        open_cohort(settings("nowhere", subgroups=("sex",)), {}, ["a"])


def test_an_unknown_column_or_file_is_refused(table, tmp_path):
    with pytest.raises(ConfigError, match="Did you mean sex"):
        open_cohort(settings("r", metadata=table, subgroups=("sx",)), {}, ["a"])
    with pytest.raises(ManifestError, match="is not there"):
        open_cohort(settings("r", metadata=tmp_path / "none.csv"), {}, ["a"])


def test_an_evaluation_tells_its_scores_apart(references, predictions, table, tmp_path):
    given = EvaluateSettings(
        references, predictions, tmp_path / "out", scheme="pants-2", metadata=table, subgroups=("sex",)
    )
    done = evaluate(given)
    found = done.summary["subgroups"]
    by_key = {(item["structure"], item["metric"]): item for item in found}
    levels = {level["level"]: level["summary"] for level in by_key["pancreas", "dsc"]["levels"]}
    assert {name: level["n"] for name, level in levels.items()} == {"F": 2, "M": 1, "unknown": 1}
    assert levels["M"]["mean"] == 1
    assert levels["F"]["mean"] < 1
    assert by_key["pancreas", "dsc"]["test"] == "Mann-Whitney"
    volumes = {item["structure"]: item for item in done.summary["volumes"]}
    assert volumes["pancreas"]["difference"]["n"] == 4
    assert "pancreas, mean DSC by subgroup: prediction, sex F" in done.report.read_text(encoding="utf-8")


def test_other_subgroups_are_another_summary_of_the_same_scores(references, predictions, table, tmp_path):
    given = {"scheme": "pants-2", "metadata": table}
    first = evaluate(EvaluateSettings(references, predictions, tmp_path / "out", subgroups=("sex",), **given))
    second = evaluate(
        EvaluateSettings(references, predictions, tmp_path / "out", subgroups=("age",), **given)
    )
    assert {item["column"] for item in first.summary["subgroups"]} == {"sex"}
    assert {item["column"] for item in second.summary["subgroups"]} == {"age"}
    assert {outcome.status for outcome in second.outcomes} == {"skipped"}
