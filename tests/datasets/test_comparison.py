from collections import Counter

import openpyxl
import pytest

from wirsung.anatomy.structures import structures
from wirsung.datasets.comparison import (
    comparison_rows,
    labels_without_tick,
    own_dataset,
    public_datasets,
    structure_columns,
)
from wirsung.datasets.release_metadata import read_release_metadata
from wirsung.datasets.tables.rendering import rows_as_csv, rows_as_latex, rows_as_markdown

BY_NAME = {item.name: item for item in public_datasets()}


@pytest.mark.parametrize(
    ("name", "tumours", "scans", "institutions", "countries", "ticks"),
    [  # as published
        ("KiTS'23", 0, 489, 1, 1, 0),
        ("RSNA Trauma Detection", 0, 4714, 23, 13, 0),
        ("AbdomenCT-1K", 0, 1050, 12, 7, 1),
        ("MSD-CT", 191, 945, 1, 1, 1),
        ("PANORAMA", 578, 2238, 7, 1, 1),
        ("PanTS training set", 1076, 9901, 119, 12, 25),
        ("PanTS test set", 2829, 26489, 26, 15, 25),
    ],
)
def test_the_published_rows_are_there(name, tumours, scans, institutions, countries, ticks):
    found = BY_NAME[name]
    assert (found.tumours, found.scans) == (tumours, scans)
    assert (found.institutions, found.countries, len(found.ticks)) == (institutions, countries, ticks)


def test_all_fourteen_rows_are_there_and_each_names_its_source():
    assert len(BY_NAME) == 14
    assert {item.source for item in public_datasets()} == {"PanTS paper, appendix A, Table 3"}
    assert sum(BY_NAME[f"PanTS {part} set"].scans for part in ("training", "test")) == 36390


def test_the_columns_ask_for_every_structure_but_the_lesion_once():
    asked = Counter(name for names in structure_columns().values() for name in names)
    official = list(structures())[:28]
    assert set(asked) == set(official) - {"pancreatic_lesion"}
    assert set(asked.values()) == {1}


def test_ones_own_dataset_stands_below():
    own = own_dataset("mine_1", 12, ["pancreas", "pancreas_head", "liver"], tumours=3, institutions=2)
    head, *rows = comparison_rows([own])
    mine = dict(zip(head, rows[-1], strict=True))
    assert (mine["Dataset"], mine["Pancreatic tumours"], mine["CTs"]) == ("mine_1", "3", "12")
    assert (mine["Institutions"], mine["Countries"]) == ("2", "–")
    assert (mine["pancreas"], mine["liver"], mine["pancreas head, body, tail"]) == ("✓", "✓", "×")
    assert mine["Source"] == "counted in this dataset"


def test_the_table_can_be_written_for_papers():
    rows = comparison_rows([own_dataset("mine_1", 12, ["pancreas"])])
    assert rows_as_csv(rows).count("\n") == 16
    assert "| PANORAMA (2024) | 578 | 2,238 |" in rows_as_markdown(rows)
    assert r"mine\_1 & – & 12 & – & – & \checkmark{} & $\times$" in rows_as_latex(rows)


def test_what_the_notes_say_is_so(shared_data):
    book = openpyxl.load_workbook(
        shared_data / "panorama_labels" / "clinical_information.xlsx", read_only=True
    )
    (head, *rows) = book.worksheets[0].iter_rows(values_only=True)
    labels = [row[head.index("label")] for row in rows]
    assert (labels.count("PDAC"), len(labels)) == (676, 2238)
    assert "676 of its 2,238" in BY_NAME["PANORAMA"].note
    release = read_release_metadata(shared_data / "pants_metadata" / "metadata.xlsx").rows
    countries = {code.strip() for row in release for code in (row.nationality or "").split(";")} - {""}
    assert (sum(row.tumour for row in release), len(countries)) == (1077, 12)
    assert "1,077 cases" in BY_NAME["PanTS training set"].note


def test_labels_that_the_published_table_does_not_tick_are_told_by_the_sources():
    found = labels_without_tick()
    # The paper ticks nothing of LiTS and only the pancreas of WORD and AMOS.
    assert found["LiTS"] == ("liver",)
    assert {"liver", "spleen", "stomach", "duodenum"} <= set(found["WORD"]) & set(found["AMOS"])
    assert not {"PanTS training set", "PanTS test set", "MSD-CT"} & set(found)
    assert all(not BY_NAME[name].ticks.intersection(titles) for name, titles in found.items())
