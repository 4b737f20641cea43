import pytest

from wirsung.curation.verdicts import (
    REPAIRS,
    Verdict,
    judge_failure,
    judge_notes,
    judge_stack,
    read_verdicts,
    write_verdicts,
)
from wirsung.imaging.dicom import refusal
from wirsung.imaging.dicom_stacks import Problem, Stack


def test_a_stack_with_a_problem_goes_to_quarantine_with_its_code():
    verdict = judge_stack(Stack((), problem=Problem("SLICE_GAP", "about 2 slices are missing")))
    assert verdict == Verdict("quarantine", "SLICE_GAP", "about 2 slices are missing")


def test_a_stack_to_split_is_repaired_and_one_as_it_should_be_accepted():
    assert judge_stack(Stack((), is_split=True)).code == "STACK_SPLIT"
    assert judge_stack(Stack(())) == Verdict("accept")


def test_several_repairs_are_told_together():
    verdict = judge_notes({"NOT_DICOM": 3, "PADDING_MAPPED": 1, "TILT_DESHEARED": 1})
    assert (verdict.kind, verdict.code) == ("repair", "TILT_DESHEARED+PADDING_MAPPED")
    assert REPAIRS["TILT_DESHEARED"] in verdict.sentence


@pytest.mark.parametrize(
    "code", ["SLICE_GAP", "MODALITY", "TILT", "NO_STACK", "DUP_POSITION", "HEADER_TRUNCATED"]
)
def test_the_code_of_a_refusal_is_found_in_its_message(code):
    message = str(refusal("src/a folder: of words", Problem(code, "something is wrong")))
    assert judge_failure(message).code == code


@pytest.mark.parametrize("message", ["a.nii.gz is damaged: its gzip content ends.", "Case A, of old.", ""])
def test_a_message_without_a_code_has_the_code_for_that(message):
    assert judge_failure(message) == Verdict("quarantine", "UNREADABLE_CASE", message)


def test_the_table_comes_back_as_it_was(tmp_path):
    verdicts = [("a", Verdict("accept")), ("b", Verdict("quarantine", "TILT", "why"))]
    write_verdicts(tmp_path / "verdicts.parquet", verdicts)
    assert list(read_verdicts(tmp_path / "verdicts.parquet").items()) == verdicts
