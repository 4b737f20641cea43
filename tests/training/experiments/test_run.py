"""The verb on phantoms, end to end."""

import json

import pytest

from wirsung.cli import main
from wirsung.errors import ConfigError
from wirsung.training.experiments.run import experiment
from wirsung.training.experiments.settings import ExperimentSettings


@pytest.fixture
def declared(small, tmp_path):
    path = tmp_path / "small.toml"
    path.write_text(small)
    return path


def test_an_unknown_arm_is_an_error_before_anything_is_made(declared, tmp_path):
    settings = ExperimentSettings(declared, tmp_path / "out", only=("fwe",))
    with pytest.raises(ConfigError, match=r"--only fwe: small.toml has no such arm. Did you mean few"):
        experiment(settings)
    assert not (tmp_path / "out").exists()


def test_missing_data_are_an_error_before_anything_is_trained(declared, tmp_path):
    with pytest.raises(ConfigError, match=r"small: data.cohort is missing"):
        experiment(ExperimentSettings(declared, tmp_path / "out", size="full"))


@pytest.mark.slow
def test_two_arms_end_in_a_page_and_a_second_call_does_nothing(declared, tmp_path):
    settings = ExperimentSettings(declared, tmp_path / "out", device="cpu")
    first = experiment(settings)
    assert {item.case: item.status for item in first.outcomes} == {
        f"{arm}, seed {seed}": "done" for seed in (0, 1) for arm in ("few", "many")
    }
    results = json.loads((tmp_path / "out" / "results.json").read_text())
    arms = {arm["name"]: arm for arm in results["arms"]}
    assert (arms["few"]["cases"], arms["many"]["cases"]) == (3, 5)
    assert arms["few"]["seeds"] == [0, 1]
    auc = next(
        item
        for item in results["measured"]
        if (item["arm"], item["measure"]) == ("few", "pancreatic_lesion auc")
    )
    assert len(auc["seeds"]) == 2
    assert auc["mean"] == pytest.approx(sum(auc["seeds"]) / 2)
    assert results["paper"][0]["ours"] == auc["mean"]
    assert results["questions"][0]["verdict"] in ("agrees", "does not agree", "within the noise")
    assert "few of the paper" in first.page.read_text()

    second = experiment(settings)
    assert [item.status for item in second.outcomes] == ["skipped"] * 4
    assert second.as_json()["results"]["measured"] == results["measured"]


@pytest.mark.slow
def test_an_arm_that_fails_is_reported_and_the_others_go_on(small, tmp_path, capsys):
    bad = small.replace("epochs = 2", 'patch = [17, 16, 16]\nnetwork = "swin-unetr"')
    (tmp_path / "bad.toml").write_text(bad.replace("seeds = 2", "seeds = 1"))
    out = tmp_path / "out"
    status = main(["experiment", str(tmp_path / "bad.toml"), str(out), "--device", "cpu"])
    assert status == 1
    assert "many, seed 0" in capsys.readouterr().out
    results = json.loads((out / "results.json").read_text())
    assert list(results["failed"]) == ["many, seed 0"]
    assert [arm["seeds"] for arm in results["arms"]] == [[0], []]
    assert results["questions"][0]["verdict"] == "not run"
