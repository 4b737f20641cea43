import tomllib

import pytest

from wirsung.datasets.contents import contents_of
from wirsung.datasets.data_card import NOT_STATED, data_card, questions
from wirsung.errors import ConfigError


@pytest.fixture
def root(small_dataset):
    return small_dataset(cases=2)


def test_each_question_is_asked_once_under_healthsheets_sections():
    assert len({item.id for item in questions()}) == len(questions())
    assert len({item.section for item in questions()}) == 14
    properties = [item.rai for item in questions() if item.rai]
    assert len(set(properties)) == len(properties)


def test_what_nobody_told_is_not_stated(root):
    card = data_card(contents_of(root))
    unknown = [item for item in card.answers if not item.is_stated]
    assert len(card.answers) == len(questions())
    assert {item.answer for item in unknown} == {NOT_STATED}
    assert "uses.risks" in {item.question.id for item in unknown}


def test_the_makers_answers_replace_ours(root):
    (root / "datacard.toml").write_text(
        'schema = 1\n[uses]\nrisks = """\nTells who\n is ill."""\n[general]\nsummary = ""\n'
    )
    answers = {item.question.id: item for item in data_card(contents_of(root)).answers}
    assert (answers["uses.risks"].answer, answers["uses.risks"].origin) == (
        "Tells who is ill.",
        "datacard.toml",
    )
    assert answers["general.summary"].answer == "small holds 2 scans of 1 patient."


def test_the_open_questions_can_be_filled_in(root):
    text = data_card(contents_of(root)).open_questions()
    assert tomllib.loads(text)["schema"] == 1
    assert "summary" not in text
    (root / "datacard.toml").write_text(text.replace('# risks = ""', 'risks = "None known."'))
    answers = {item.question.id: item.answer for item in data_card(contents_of(root)).answers}
    assert answers["uses.risks"] == "None known."


def test_the_card_is_written_as_markdown(root):
    (root / "datacard.toml").write_text('schema = 1\n[uses]\nrisks = "a_b <c>"\n')
    text = data_card(contents_of(root)).as_markdown()
    assert text.startswith("# Data card of small\n")
    assert "**Which harm could its use do, and to whom?**\n\na\\_b \\<c\\> *(datacard.toml)*" in text
    assert text.count("## ") == 14


@pytest.mark.parametrize(
    ("text", "match"),
    [
        ("schema = ", "no TOML"),
        ("[uses]\n", "does not begin with schema = 1"),
        (
            'schema = 1\n[uses]\nrisk = "x"\n',
            r"'uses.risk', which the card does not ask. Did you mean uses.risks",
        ),
        ("schema = 1\n[uses]\nrisks = 3\n", "the answer to uses.risks is not a text"),
        ('schema = 1\nuses = "x"\n', "answers 'uses'"),
    ],
)
def test_wrong_answers_are_refused(root, text, match):
    (root / "datacard.toml").write_text(text)
    with pytest.raises(ConfigError, match=match):
        data_card(contents_of(root))


def test_answers_that_are_named_must_be_there(root, tmp_path):
    with pytest.raises(ConfigError, match="missing or no TOML"):
        data_card(contents_of(root), tmp_path / "none.toml")
