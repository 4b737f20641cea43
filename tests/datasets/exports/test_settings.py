import pytest
import tyro

from wirsung.cli import main
from wirsung.datasets.exports.settings import ExportSettings


def test_three_words_are_enough(tmp_path):
    found = tyro.cli(ExportSettings, args=["msd", "a", "b"])
    assert (found.format, str(found.dataset), str(found.out)) == ("msd", "a", "b")
    assert not found.copy
    assert not found.own_use


def test_an_unknown_format_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as ended:
        main(["export", "dicom", "a", "b"])
    assert ended.value.code == 2
    assert "nnunet" in capsys.readouterr().err


def test_the_verb_exports_and_says_what_it_did(small_dataset, tmp_path, capsys):
    root = small_dataset(cases=2)
    assert main(["export", "msd", str(root), str(tmp_path / "out"), "--scheme", "msd-pancreas"]) == 0
    told = capsys.readouterr().out
    assert f"Written: {tmp_path / 'out' / 'Task01_small'}" in told
    assert "2 cases: 2 done." in told
