import json
from dataclasses import replace
from pathlib import Path

from wirsung.cli import main
from wirsung.models.listing import Listing, list_models, markdown
from wirsung.models.networks.catalog import catalog, entry
from wirsung.models.settings import ListSettings


def test_every_network_has_a_row_with_parameters_licence_and_paper():
    lines = list_models(ListSettings()).lines()
    for name in catalog():
        row = next(line for line in lines if line.startswith(f"{name} "))
        assert " M " in row
        assert "Apache-2.0" in row


def test_what_is_missing_is_said_with_what_to_install():
    lines = Listing((replace(entry("unetr"), needs=("torch", "not_there")),)).lines()
    assert "zoo, not there: not_there" in lines[1]
    assert "pip install 'wirsung[zoo]'" in lines[-1]


def test_the_command_says_the_same_as_json(capsys):
    assert main(["models", "list", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert [row["name"] for row in content["networks"]] == list(catalog())
    row = next(row for row in content["networks"] if row["name"] == "nnunet")
    assert row["parameters"] == 31_195_594
    assert row["missing"] == []


def test_the_documentation_holds_the_catalogs_tables():
    # Where it does not: python docs/concepts/make_networks_tables.py
    page = Path(__file__).parents[2] / "docs" / "concepts" / "networks.md"
    assert markdown() in page.read_text(encoding="utf-8")
