import json

import pyarrow.parquet as pq
import pytest

from wirsung.cli import main
from wirsung.datasets.manifest import ManifestRow, StructureRow, write_manifest, write_structures
from wirsung.datasets.query import QuerySettings, ask, query
from wirsung.errors import ConfigError, ManifestError


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "dataset"
    folder.mkdir()
    rows = [("a", "venous", True), ("b", "venous", False), ("c", None, None)]
    write_manifest(folder, [ManifestRow(case, case, phase=phase, tumour=flag) for case, phase, flag in rows])
    volumes = {"a": 80.0, "b": 60.0}
    write_structures(
        folder,
        [
            StructureRow(case, "pancreas", volume, 100.0, 5.0, *[None] * 6, 1, False, "")
            for case, volume in volumes.items()
        ],
    )
    return folder


def test_tables_are_joined_and_counted(root):
    found = ask(
        root,
        "SELECT phase, count(*) AS n, avg(volume_ml) AS ml FROM cases LEFT JOIN structures USING (case) "
        "GROUP BY phase ORDER BY n DESC".replace("(case)", '("case")'),
    )
    assert found.to_pylist() == [{"phase": "venous", "n": 2, "ml": 70.0}, {"phase": None, "n": 1, "ml": None}]


def test_the_terminal_shows_columns(root, capsys):
    assert main(["query", str(root), 'SELECT "case", tumour FROM cases ORDER BY 1']) == 0
    assert capsys.readouterr().out.splitlines() == ["case  tumour", "a     true", "b     false", "c"]


def test_a_program_gets_every_row(root, capsys):
    assert main(["query", str(root), "SELECT i FROM range(100) t(i)", "--json"]) == 0
    content = json.loads(capsys.readouterr().out)
    assert content["rows"][-1] == {"i": 99}


def test_a_long_answer_is_cut_on_the_terminal_and_says_so(root):
    lines = query(QuerySettings(root, "SELECT i FROM range(1500) t(i)")).lines()
    assert lines[-1] == "... and 1,460 more rows; --out FILE.csv keeps them all."
    assert len(lines) == 42


@pytest.mark.parametrize("suffix", ["csv", "parquet", "json"])
def test_rows_are_written(root, tmp_path, suffix):
    path = tmp_path / f"rows.{suffix}"
    lines = query(QuerySettings(root, 'SELECT "case", phase FROM cases ORDER BY 1', path)).lines()
    assert lines[-1] == f"Written: {path}"
    expected = [
        {"case": "a", "phase": "venous"},
        {"case": "b", "phase": "venous"},
        {"case": "c", "phase": None},
    ]
    if suffix == "csv":
        assert path.read_text() == "case,phase\na,venous\nb,venous\nc,\n"
    elif suffix == "json":
        assert json.loads(path.read_text())["rows"] == expected
    else:
        assert pq.read_table(path).to_pylist() == expected


def test_a_date_and_a_list_can_be_told(root):
    answer = query(QuerySettings(root, "SELECT DATE '2020-02-01' AS day, [1, 2] AS some"))
    assert answer.as_json()["rows"] == [{"day": "2020-02-01", "some": [1, 2]}]
    assert answer.lines()[1] == "2020-02-01  1; 2"


@pytest.mark.parametrize(
    "sql",
    [
        "SELECT * FROM read_csv('/etc/passwd')",
        "COPY cases TO '/tmp/stolen.csv'",
        "ATTACH '/tmp/other.db'",
        "SET enable_external_access = true",
        "INSTALL httpfs",
    ],
)
def test_a_query_reaches_nothing_but_the_tables(root, sql):
    with pytest.raises(ConfigError, match="can't be answered"):
        ask(root, sql)


def test_wrong_sql_is_told_with_the_near_name(root):
    with pytest.raises(ConfigError, match=r'(?s)Referenced column "phas" not found.*"phase"'):
        ask(root, "SELECT phas FROM cases")


def test_a_dataset_without_measured_masks_says_so(root):
    (root / "structures.parquet").unlink()
    assert len(ask(root, "SELECT * FROM cases")) == 3
    with pytest.raises(ManifestError, match="nothing was measured"):
        ask(root, "SELECT * FROM structures")


def test_an_unknown_suffix_is_refused(root, tmp_path):
    with pytest.raises(ConfigError, match=r"rows\.txt ends in none"):
        query(QuerySettings(root, "SELECT 1", tmp_path / "rows.txt"))
