import json

import pytest

from wirsung.datasets.contents import contents_of
from wirsung.datasets.croissant import croissant_of


def test_the_file_holds_what_the_function_tells(small_dataset, exported):
    root = small_dataset(cases=2)
    result = exported("croissant", root, root)
    assert json.loads((root / "croissant.json").read_text()) == json.loads(
        json.dumps(croissant_of(contents_of(root)))
    )
    assert result.lines() == [f"Written: {root / 'croissant.json'}"]


@pytest.mark.parametrize(("out", "file"), [("there", "there/croissant.json"), ("meta.json", "meta.json")])
def test_elsewhere_it_says_where_it_belongs(small_dataset, exported, tmp_path, out, file):
    root = small_dataset(cases=2)
    result = exported("croissant", root, tmp_path / out)
    assert (tmp_path / file).is_file()
    assert result.lines()[1] == f"Its addresses are relative to {root}: publish it beside dataset.toml."


def test_a_licence_does_not_stand_against_a_description(small_dataset, exported):
    root = small_dataset(cases=2, source="pants", licence="CC-BY-NC-ND-4.0")
    assert exported("croissant", root, root).outcomes == []
