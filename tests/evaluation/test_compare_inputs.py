import math

import pytest

from wirsung.errors import ConfigError, ManifestError
from wirsung.evaluation.compare_inputs import read_methods
from wirsung.evaluation.protocol import protocol
from wirsung.evaluation.scores import Score, write_scores

WIDE = "name,pancreas,liver\ns1,0.5,\ns2,0,0.9\n"
LONG = "case,structure,metric,value,reason\ns1,pancreas,dsc,0.5,\ns2,pancreas,dsc,,both_empty\n"


def written(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding="utf-8")
    return path


def evaluated(folder, *methods):
    stamp = protocol("pants").stamp
    rows = [Score("s1", "pancreas", "dsc", 0.8, "1", None, "pants", method) for method in methods]
    rows += [
        Score("s2", "pancreas", "dsc", math.nan, "1", "both_empty", "pants", method) for method in methods
    ]
    write_scores(folder, rows, stamp)
    return folder


def test_a_folder_of_wide_tables_is_one_method_named_by_it(tmp_path):
    for name in ("A", "B"):
        written(tmp_path / name / "dsc.csv", WIDE)
        written(tmp_path / name / "nsd.csv", WIDE)
    first, second = read_methods([tmp_path / "A", tmp_path / "B"])
    assert (first.name, second.name) == ("A", "B")
    assert sorted(first.tables) == [
        ("liver", "dsc"),
        ("liver", "nsd"),
        ("pancreas", "dsc"),
        ("pancreas", "nsd"),
    ]
    assert first.cases == {"s1", "s2"}


def test_blank_is_absent_and_zero_is_missed(tmp_path):
    for name in "AB":
        written(tmp_path / name / "dsc.csv", WIDE)
    method = read_methods([tmp_path / "A", tmp_path / "B"])[0]
    assert method.tables["pancreas", "dsc"] == {"s1": (0.5, None), "s2": (0.0, None)}
    value, reason = method.tables["liver", "dsc"]["s1"]
    assert math.isnan(value)
    assert reason == "reference_empty"


def test_a_long_table_is_named_by_its_file_and_keeps_its_reasons(tmp_path):
    paths = [written(tmp_path / f"{name}.csv", LONG) for name in ("ours", "theirs")]
    ours, theirs = read_methods(paths)
    assert (ours.name, theirs.name) == ("ours", "theirs")
    value, reason = ours.tables["pancreas", "dsc"]["s2"]
    assert math.isnan(value)
    assert reason == "both_empty"
    assert ours.protocol is None


def test_one_evaluation_may_hold_several_methods(tmp_path):
    methods = read_methods([evaluated(tmp_path / "scores", "ours", "theirs")])
    assert [method.name for method in methods] == ["ours", "theirs"]
    assert methods[0].stamp == protocol("pants").stamp
    assert methods[0].protocol == "pants"


def test_scores_csv_of_an_evaluation_says_the_same_but_the_stamp(tmp_path):
    folder = evaluated(tmp_path / "scores", "ours", "theirs")
    by_parquet = read_methods([folder])
    by_table = read_methods([folder / "scores.csv"])
    assert [method.tables["pancreas", "dsc"]["s1"] for method in by_table] == [(0.8, None)] * 2
    assert [method.name for method in by_table] == [method.name for method in by_parquet]
    assert (by_table[0].protocol, by_table[0].stamp) == ("pants", None)


def test_predictions_of_one_name_take_their_scores_folders(tmp_path):
    methods = read_methods([evaluated(tmp_path / name, "predictions") for name in ("a", "b")])
    assert [method.name for method in methods] == ["a/predictions", "b/predictions"]


def test_one_method_is_not_enough(tmp_path):
    with pytest.raises(ConfigError, match="needs two methods, but there is only ours"):
        read_methods([evaluated(tmp_path / "scores", "ours")])
    with pytest.raises(ConfigError, match="there is none"):
        read_methods([])


def test_the_same_scores_twice_are_refused(tmp_path):
    folder = evaluated(tmp_path / "scores", "ours")
    with pytest.raises(ConfigError, match="Two of the methods are called scores/ours"):
        read_methods([folder, folder])


@pytest.mark.parametrize(
    ("name", "text", "said"),
    [
        ("A/dsc.csv", "name,pancreas\ns1,good\n", "dsc of the pancreas, case s1, is no finite number"),
        ("A/dsc.csv", "name,pancreas\ns1,inf\n", "is no finite number"),
        ("A/dsc.csv", "scan,pancreas\ns1,0.5\n", "no column that names the case"),
        ("A/results.csv", WIDE, "is called after no metric"),
        ("A/dsc.csv", "name,pancreas\ns1,0.5\ns1,0.6\n", "two values of dsc of the pancreas for case s1"),
        ("A/notes.txt", "", "holds neither scores.parquet nor a table"),
    ],
)
def test_a_table_that_can_not_be_read_names_file_case_and_remedy(tmp_path, name, text, said):
    written(tmp_path / name, text)
    with pytest.raises(ManifestError, match=said):
        read_methods([tmp_path / "A"])


def test_a_missing_folder_says_how_to_make_it(tmp_path):
    with pytest.raises(ManifestError, match="wirsung evaluate"):
        read_methods([tmp_path / "nowhere"])


def test_the_checksum_follows_the_content(tmp_path):
    for name in "AB":
        written(tmp_path / name / "dsc.csv", WIDE)
    before = [method.sha256 for method in read_methods([tmp_path / "A", tmp_path / "B"])]
    written(tmp_path / "B" / "dsc.csv", WIDE.replace("0.9", "0.8"))
    after = [method.sha256 for method in read_methods([tmp_path / "A", tmp_path / "B"])]
    assert before[0] == before[1] == after[0] != after[1]
