"""What docs/how-to/describe.md says is so."""

import re
from pathlib import Path

from wirsung.datasets.data_card import questions
from wirsung.datasets.tables.published import as_rows, held_against_published
from wirsung.datasets.tables.rendering import rows_as_markdown

TEXT = (Path(__file__).parents[3] / "docs" / "how-to" / "describe.md").read_text(encoding="utf-8")


def test_the_table_of_published_figures_is_what_comes_out(release):
    assert TEXT.endswith(rows_as_markdown(as_rows(held_against_published(release.cohort()))))


def test_every_file_that_is_written_is_named(described):
    named = set(re.findall(r"`([\w.]+\.(?:csv|md|tex|toml|json|html))`", TEXT))
    assert "`table_one-NAME_by_COLUMN.csv`" in TEXT
    for name in described.files:
        if "_by_" in name:
            continue
        stem, _, suffix = re.sub(r"-(first|second)", "", name).rpartition(".")
        assert f"{stem}.{suffix}" in named or (f"{stem}.csv" in named and suffix in ("md", "tex")), name


def test_the_answers_of_the_example_are_asked_for():
    asked = {item.id for item in questions()}
    assert {"uses.unsuited", "motivation.creators"} <= asked
