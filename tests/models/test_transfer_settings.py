"""Where an import goes when nobody says."""

from pathlib import Path

import pytest

from wirsung.models.transfer_settings import ImportSettings


@pytest.mark.parametrize(
    ("path", "target"),
    [
        ("results/Dataset001_X", "Dataset001_X"),
        ("a/model.zip", "model"),
        ("a/model_final_checkpoint.model", "model_final_checkpoint"),
        ("a/model_final_checkpoint.model.pkl", "model_final_checkpoint"),
        ("a/checkpoint_final.pth", "checkpoint_final"),
        ("a/v1.2", "v1.2"),
    ],
)
def test_a_model_is_written_here_under_the_name_of_what_it_came_from(path, target):
    assert ImportSettings(Path(path)).target == Path(target)


def test_a_name_that_was_told_is_kept():
    assert ImportSettings(Path("a.zip"), Path("b.zip")).target == Path("b.zip")


def test_the_current_folder_has_a_name_too(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert ImportSettings(Path()).target == Path(tmp_path.name)
