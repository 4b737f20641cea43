import json

import pytest
from source_fakes import FAKES

from wirsung.cli import main


def test_the_verb_lists_the_sources(capsys):
    assert main(["import", "list", "--json"]) == 0
    assert len(json.loads(capsys.readouterr().out)["sources"]) >= 20
    assert main(["import"]) == 0


def test_the_verb_imports_and_says_what_is_here(tmp_path, capsys):
    (word,) = [fake for fake in FAKES if fake.source == "word"]
    raw, out = word.build(tmp_path / "raw"), tmp_path / "dataset"
    assert main(["import", "word", str(raw), "--out", str(out)]) == 0
    told = capsys.readouterr().out
    assert "3 of its 150 scans are here." in told
    assert "3 cases: 3 done." in told
    assert (out / "import.toml").is_file()


@pytest.mark.parametrize("words", [["word"], ["wrod", "x", "--out", "y"]])
def test_a_wrong_call_ends_with_2(words, capsys):
    assert main(["import", *words]) == 2
    assert "wirsung import:" in capsys.readouterr().err
