import math

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wirsung.errors import ManifestError
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.scores import Score, read_scores, write_scores

ROWS = [
    Score("a", "liver", "dsc", 0.1 + 0.2, "1", None, "pants", "m"),
    Score("a", "liver", "hd95", math.nan, "mm", "prediction_empty", "pants", "m"),
    Score("b", "liver", "dsc", 0.5, "1", None, "pants", "m"),
]


def test_scores_survive_the_way_to_the_disk_and_back(tmp_path):
    write_scores(tmp_path, ROWS)
    for path in (tmp_path, tmp_path / "scores.parquet"):
        found = list(read_scores(path))
        assert [(row.case, row.metric, row.reason) for row in found] == [
            (row.case, row.metric, row.reason) for row in ROWS
        ]
        assert found[0].value == 0.1 + 0.2
        assert math.isnan(found[1].value)


def test_the_columns_are_those_of_the_contract(tmp_path):
    write_scores(tmp_path, ROWS)
    assert pq.read_table(tmp_path / "scores.parquet").column_names == [
        "case",
        "structure",
        "metric",
        "value",
        "unit",
        "reason",
        "protocol",
        "method",
    ]


def test_the_csv_keeps_every_digit_and_leaves_nan_empty(tmp_path):
    write_scores(tmp_path, ROWS)
    lines = (tmp_path / "scores.csv").read_text().splitlines()
    assert lines[1] == "a,liver,dsc,0.30000000000000004,1,,pants,m"
    assert lines[2] == "a,liver,hd95,,mm,prediction_empty,pants,m"


def test_scores_are_found_by_case(tmp_path):
    write_scores(tmp_path, ROWS)
    found = read_scores(tmp_path)
    assert list(found.by_case("m", "liver", "dsc")) == ["a", "b"]
    assert found.by_case("m", "spleen", "dsc") == {}
    assert found.structures("m") == ("liver",)


def test_missing_scores_are_an_error_that_says_how_to_make_them(tmp_path):
    with pytest.raises(ManifestError, match="wirsung evaluate"):
        read_scores(tmp_path / "scores.parquet")


def test_another_table_is_refused(tmp_path):
    pq.write_table(pa.table({"x": [1]}), tmp_path / "scores.parquet")
    with pytest.raises(ManifestError, match="holds no scores"):
        read_scores(tmp_path)
    (tmp_path / "scores.parquet").write_bytes(b"nonsense")
    with pytest.raises(ManifestError, match="holds no scores"):
        read_scores(tmp_path)


def test_the_protocols_stamp_travels_with_the_scores(tmp_path):
    stamp = protocol("pants").stamp
    write_scores(tmp_path, ROWS, stamp)
    assert read_scores(tmp_path).stamp == stamp
    write_scores(tmp_path, ROWS)
    assert read_scores(tmp_path).stamp is None
