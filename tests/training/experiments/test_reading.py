from pathlib import Path

import pytest

from wirsung.errors import ConfigError
from wirsung.training.experiments.definition import Column, Measure
from wirsung.training.experiments.reading import parse_experiment, read_experiment

CONFIGS = sorted((Path(__file__).parents[3] / "configs" / "experiments").glob("*.toml"))
OURS = [path for path in CONFIGS if path.stem != "synthetic"]


def test_a_file_becomes_an_experiment(small):
    made = parse_experiment(small, "small.toml", "cpu")
    assert (made.name, made.seeds, made.axis) == ("small", 2, "tumours")
    assert made.arms["few"].title == "few cases"
    assert made.arms["many"].title == "many"
    assert made.arms["few"].train["epochs"] == 1
    assert made.arms["many"].train["epochs"] == 2
    assert made.arms["few"].learn == ("part",)
    assert made.measures[0] == Measure("pancreatic_lesion", "auc")
    assert made.data["cohort"].phantom["cases"] == 10


def test_a_side_of_a_question_without_a_test_has_the_arms_only_one(small):
    made = parse_experiment(small, "small.toml", "cpu")
    assert made.questions[0].first == (Column("few", "unseen"),)
    assert made.questions[0].second == (Column("many", "unseen"),)


def test_a_row_of_the_paper_has_its_own_source_or_the_tables(small):
    rows = parse_experiment(small, "small.toml", "cpu").rows
    assert [row.source for row in rows] == ["Its table", "Its text"]
    assert [row.ours for row in rows] == [Column("few", "unseen"), None]


def test_what_stands_under_the_size_is_laid_over_the_rest(small):
    made = parse_experiment(small, "small.toml", "full")
    assert made.data["cohort"].phantom is None
    assert made.data["cohort"].source == "pants"
    assert made.arms["few"].train["epochs"] == 1000
    assert made.arms["many"].train["epochs"] == 2
    assert made.arms["few"].train["preset"] == "default"


@pytest.mark.parametrize(
    ("before", "after", "message"),
    [
        ("schema = 1", "schema = 2", "small.toml: schema is 2"),
        ('title = "Small"', 'tilte = "Small"', "small.toml has the key 'tilte'.*Did you mean title"),
        ("seeds = 2", "", "small.toml: seeds is None"),
        ("seeds = 2", "seeds = 0", "at least one seed"),
        ('axis = "tumours"', 'axis = "size"', "small.toml: axis is 'size'"),
        ('learn = "part"', 'learn = "prat"', "arms.few.learn: there is no 'prat'. Did you mean part"),
        ('learn = "part"', "", "arms.few.learn is empty"),
        ("epochs = 2", "netwrok = 2", "arms.many has the key 'netwrok'.*Did you mean network"),
        ("epochs = 2", 'network = "alexnet"', "arms.many.network is 'alexnet', which is not one of nnunet"),
        ("epochs = 2", "epochs = 0", "arms.many: epochs is 0"),
        ("epochs = 2", "seed = 2", "arms.many has the key 'seed'"),
        (
            '[sets.part]\ndata = "cohort"',
            '[sets.part]\ndata = "kohort"',
            "sets.part.data: there is no 'kohort'",
        ),
        ("subset = 3", "subset = 3.5", "sets.part.subset is 3.5, which is not a whole number"),
        ("cases = 10", "case = 10", "data.cohort.phantom has the key 'case'.*Did you mean cases"),
        ("cases = 10", "cases = 0", "data.cohort.phantom: cases is 0"),
        ("folds = 2", "fold = 2", "data.cohort.split has the key 'fold'"),
        ("step = 1.0", "steps = 1.0", "small.toml: predict has the key 'steps'"),
        ('first = "few"', 'first = "fwe"', "question 1: there is no 'fwe'"),
        ("many@unseen", "many@seen", "question 1, many: there is no 'seen'"),
        (
            'measure = "pancreatic_lesion auc"\nexpect',
            'measure = "pancreas dsc"\nexpect',
            "question 1.measure: there is no 'pancreas dsc'",
        ),
        ('expect = "higher"', 'expect = "better"', "question 1.expect is 'better'"),
        ('"pancreatic_lesion dsc"]', '"pancreas auc"]', "cases are ranked by their pancreatic_lesion only"),
        ('"pancreatic_lesion dsc"]', '"spleeen dsc"]', "there is no 'spleeen'. Did you mean spleen"),
        ('"pancreatic_lesion dsc"]', '"spleen dcs"]', "there is no 'dcs'. Did you mean dsc"),
        ('"pancreatic_lesion dsc"]', '"spleen"]', "Write structure and metric"),
        ("value = 0.8", 'value = "0.8"', "paper.rows 1.value is '0.8', which is not a number"),
        ('ours = "few"', 'ours = "fwe"', "paper.rows 1: there is no 'fwe'"),
        ("[full.train]", "[full.trian]", r"small.toml: \[full\] has the key 'trian'"),
        ("[arms.many]", '[arms."a b"]', "'a b' can't be a name"),
        ("schema = 1", "schema = ", "small.toml is not TOML"),
    ],
)
def test_a_wrong_file_is_told_by_its_name_and_key(small, before, after, message):
    assert before in small
    with pytest.raises(ConfigError, match=message):
        parse_experiment(small.replace(before, after, 1), "small.toml", "cpu")


def test_a_file_that_is_not_there_is_an_error(tmp_path):
    with pytest.raises(ConfigError, match=r"none.toml can.t be read"):
        read_experiment(tmp_path / "none.toml", "cpu")


def test_questions_compare_arms_on_the_same_tests(small):
    text = small.replace("[sets.part]", '[sets.other]\ndata = "cohort"\nside = "test"\n\n[sets.part]')
    text = text.replace('test = ["unseen"]', 'test = ["unseen", "other"]').replace(
        "many@unseen", "many@other"
    )
    with pytest.raises(ConfigError, match="question 1: first and second must be tested on the same sets"):
        parse_experiment(text, "small.toml", "cpu")


@pytest.mark.parametrize("size", ["cpu", "full"])
@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_every_shipped_experiment_is_whole_at_both_sizes(path, size):
    made = read_experiment(path, size)
    assert made.name == path.stem
    assert len(made.arms) > 1


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_every_shipped_experiment_begins_with_what_it_takes(path):
    head = [line for line in path.read_text(encoding="utf-8").splitlines() if line.startswith("#")]
    for word in ("Command:", "Hardware:", "Hours:", "Expected:", "Data:"):
        assert any(word in line for line in head)


@pytest.mark.parametrize("path", OURS, ids=lambda path: path.stem)
def test_experiments_at_cpu_size_need_no_data_from_elsewhere(path):
    assert all(source.phantom for source in read_experiment(path, "cpu").data.values())
