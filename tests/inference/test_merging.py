"""Several models as one, by a table."""

import shutil

import numpy as np
import pytest

from wirsung.errors import ConfigError
from wirsung.inference.merging import read_merge_table
from wirsung.inference.predictor import Predictor

TABLE = """
schema = 1
scheme = "mine"
[classes]
gland = 7
tumour = 300
pancreas = 9
[[parts]]
model = "one"
[[parts]]
model = "two"
folds = [0]
[parts.classes]
pancreas = "gland"
pancreatic_lesion = "tumour"
"""


@pytest.fixture
def table(tmp_path, model):
    for name in ("one", "two"):
        shutil.copytree(model, tmp_path / name)
    path = tmp_path / "models.toml"
    path.write_text(TABLE)
    return path


def test_later_parts_paint_over_earlier_ones(table, model, make_scan):
    volume, _ = make_scan((20, 18, 16))
    alone = Predictor.load(model, device="cpu").predict(volume, lesion_probability=True)
    predictor = Predictor.load(table, device="cpu")
    made = predictor.predict(volume, lesion_probability=False)
    # Of the first part only the pancreas counts, and the second paints all of that over.
    expected = np.array([0, 7, 300], np.uint16)[np.digitize(alone.label_map.voxels, (1, 18))]
    np.testing.assert_array_equal(made.label_map.voxels, expected)
    assert made.label_map.voxels.dtype == np.uint16
    assert predictor.scheme == "mine"
    assert {item.name: item.value for item in predictor.classes} == {"gland": 7, "tumour": 300, "pancreas": 9}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (("schema = 1", "schema = 2"), "schema is 2"),
        (("gland = 7", "gland = 9"), r"values from 1 to 65535, each once"),
        (("gland = 7", "gland = 0"), r"values from 1 to 65535, each once"),
        (('model = "one"', "kind = 3"), r"each of \[\[parts\]\] needs model"),
        (("folds = [0]", "fold = [0]"), "unknown key 'fold'"),
        (('= "tumour"', '= "tumor"'), "'tumor' is not one of its"),
        (("schema = 1", "schema = "), "can't be read as TOML"),
    ],
)
def test_tables_that_are_wrong_are_refused(table, change, message):
    table.write_text(TABLE.replace(*change))
    with pytest.raises(ConfigError, match=message):
        read_merge_table(table)


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (('pancreas = "gland"', 'pancreaz = "gland"'), "has no class 'pancreaz'"),
        (('pancreas = "gland"\n', ""), "No part of the table gives gland"),
        (("pancreas = 9\n", ""), r"one has none of the merged classes"),
    ],
)
def test_tables_that_do_not_fit_their_models_are_refused(table, change, message):
    table.write_text(TABLE.replace(*change))
    with pytest.raises(ConfigError, match=message):
        Predictor.load(table, device="cpu")
