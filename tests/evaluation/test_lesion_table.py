import csv

from wirsung.evaluation.lesion_table import COLUMNS, LESIONS_FILE, write_lesions
from wirsung.evaluation.lesions import Candidate, CaseLesions, Lesion, Verdict
from wirsung.evaluation.run import evaluate
from wirsung.evaluation.scores import Scores
from wirsung.evaluation.settings import EvaluateSettings


def rows_in(folder):
    with (folder / LESIONS_FILE).open(encoding="utf-8", newline="") as file:
        return list(csv.DictReader(file))


def test_every_lesion_and_candidate_has_a_row(tmp_path):
    found = CaseLesions(
        (Lesion(1.5, 20.0, 0.5, 0.9, is_found=True, is_touched=True), Lesion(0.1, 6.0)),
        (Candidate(1.0, 0.9, Verdict.FOUND, touches=True), Candidate(0.2, 0.3, Verdict.FALSE, touches=False)),
    )
    write_lesions(tmp_path, Scores([], None, {"ours": {"a": found, "b": CaseLesions()}}))
    rows = rows_in(tmp_path)
    assert [(row["kind"], row["verdict"]) for row in rows] == [
        ("lesion", "found"),
        ("lesion", "missed"),
        ("candidate", "found"),
        ("candidate", "false"),
    ]
    assert {row["method"] for row in rows} == {"ours"}
    assert rows[0] == dict(
        zip(COLUMNS, ("ours", "a", "lesion", "found", "1.5", "20.0", "0.5", "0.9", "True"), strict=True)
    )
    assert (rows[2]["diameter_mm"], rows[2]["iou"], rows[3]["confidence"]) == ("", "", "0.3")


def test_without_lesions_there_is_the_header_alone(tmp_path):
    write_lesions(tmp_path, Scores([]))
    assert (tmp_path / LESIONS_FILE).read_text().strip() == ",".join(COLUMNS)


def test_an_evaluation_writes_the_table_and_writes_it_again_where_it_is_gone(
    references, predictions, tmp_path
):
    settings = EvaluateSettings(references, predictions, tmp_path / "scores", scheme="pants-2", page=False)
    for _ in range(2):
        evaluate(settings)
        told = [(row["case"], row["kind"], row["verdict"]) for row in rows_in(tmp_path / "scores")]
        assert told == [
            ("a", "lesion", "found"),
            ("a", "candidate", "found"),
            ("b", "lesion", "missed"),
            ("d", "candidate", "false"),
        ]
        (tmp_path / "scores" / LESIONS_FILE).unlink()
