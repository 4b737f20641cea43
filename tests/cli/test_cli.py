import json
import subprocess
import sys

import pytest

from wirsung.cli import main
from wirsung.cli.verbs import VERBS


def test_help_names_every_verb(capsys):
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in VERBS)


def test_no_arguments_is_help(capsys):
    assert main([]) == 0
    assert "usage: wirsung VERB" in capsys.readouterr().out


def test_an_unknown_verb_is_a_wrong_call_and_names_the_near_one(capsys):
    assert main(["evaluat"]) == 2
    assert "Did you mean evaluate?" in capsys.readouterr().err


def test_help_and_info_import_no_stage():
    code = (
        "import sys; from wirsung.cli import main; main(['--help']); main(['info', '--json']);"
        "heavy = {'torch', 'nibabel', 'matplotlib', 'scipy', 'pyarrow', 'nnunetv2'} & set(sys.modules);"
        "sys.exit(f'imported {heavy}' if heavy else 0)"
    )
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert run.returncode == 0, run.stderr


@pytest.mark.parametrize("name", sorted(VERBS))
def test_every_verb_has_settings_a_function_and_help(name, capsys):
    verb = VERBS[name]
    assert callable(verb.load_function())
    with pytest.raises(SystemExit) as stop:
        main([name, "--help"])
    assert stop.value.code == 0
    text = capsys.readouterr().out
    assert text.startswith(f"usage: wirsung {name}")


@pytest.mark.parametrize("name", ["train", "predict"])
def test_settings_of_training_and_inference_load_without_torch(name):
    code = (
        f"import sys; from wirsung.cli.verbs import VERBS; VERBS[{name!r}].load_settings();"
        "sys.exit('torch' in sys.modules or 'nnunetv2' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_info_is_json_where_a_program_asks(capsys):
    assert main(["info", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["schema"] == 1
    assert "pants-28" in content["schemes"]


def test_a_misspelt_option_is_a_wrong_call(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["split", "somewhere", "--sed", "3"])
    assert stop.value.code == 2
    assert "--seed" in capsys.readouterr().err


def test_an_interrupt_says_how_to_go_on(capsys, monkeypatch):
    def interrupted(_verb, _words):
        raise KeyboardInterrupt

    monkeypatch.setattr("wirsung.cli.running.run_verb", interrupted)
    assert main(["info"]) == 130
    assert "run it again to go on" in capsys.readouterr().err


def test_a_missing_extra_is_named(monkeypatch, capsys):
    def stage(_verb, _words):
        import blosc2  # noqa: F401

    monkeypatch.setitem(sys.modules, "blosc2", None)
    monkeypatch.setattr("wirsung.cli.running.run_verb", stage)
    assert main(["train", "dataset", "model"]) == 2
    assert "pip install 'wirsung[train]'" in capsys.readouterr().err


def test_output_that_nobody_reads_ends_quietly():
    command = f"{sys.executable} -m wirsung train --help | head -n 1"
    run = subprocess.run(["bash", "-c", command], capture_output=True, text=True, check=True)
    assert run.stderr == ""


def test_a_group_of_verbs_lists_its_members(capsys):
    for words in (["models"], ["models", "--help"]):
        assert main(words) == 0
        text = capsys.readouterr().out
        assert text.startswith("usage: wirsung models VERB")
        assert all(f"  {name} " in text for name in ("list", "cost", "import", "export"))


def test_an_unknown_member_of_a_group_names_the_near_one(capsys):
    assert main(["models", "lst"]) == 2
    assert "there is no models lst. Did you mean list?" in capsys.readouterr().err


def test_a_verb_of_two_words_is_one_word_for_its_help(capsys):
    with pytest.raises(SystemExit) as stop:
        main(["models", "cost", "--help"])
    assert stop.value.code == 0
    assert capsys.readouterr().out.startswith("usage: wirsung models cost")


@pytest.mark.parametrize("name", [name for name in VERBS if name.startswith("models ")])
def test_the_settings_of_models_load_without_torch(name):
    code = (
        f"import sys; from wirsung.cli.verbs import VERBS; VERBS[{name!r}].load_settings();"
        "sys.exit('torch' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], check=False).returncode == 0


def test_listing_the_networks_imports_no_torch():
    code = (
        "import sys; from wirsung.cli import main; main(['models', 'list']);"
        "sys.exit('torch' in sys.modules or 'monai' in sys.modules)"
    )
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0
