"""A plan says what curating then does: the same verdicts, the same voxels, and sizes as measured."""

import json
from pathlib import Path

import pytest

from wirsung.cli import main
from wirsung.compute.outcome import Outcome
from wirsung.curation.plan import Plan
from wirsung.curation.plan_cases import Extent, PlannedCase
from wirsung.curation.plan_page import write_plan
from wirsung.curation.plan_rates import OURS, Rates, extend_pace, read_pace
from wirsung.curation.records import read_records
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.curation.verdicts import Verdict, read_verdicts
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

EVEN = Rates(1.0, 2.0, {"ct": 0.5, "mr": 1.0}, 0.25, "a sundial", "a kitchen scale")


@pytest.fixture(scope="module")
def raw(tmp_path_factory):
    """Three DICOM cases, of which one has lost a slice and one lies with another series in one folder."""
    root = tmp_path_factory.mktemp("plan") / "src"
    phantom(PhantomSettings(root, cases=3, format="dicom"))
    for masks in root.glob("*/segmentations"):
        for path in masks.iterdir():
            path.unlink()
        masks.rmdir()
    (root / "metadata.csv").unlink()
    sorted((root / "phantom_0001/dicom").iterdir())[20].unlink()
    for path in (root / "phantom_0003/dicom").iterdir():
        path.rename(root / "phantom_0002/dicom" / f"other-{path.name}")
    (root / "notes.txt").write_text("nothing")
    return root


def planned(source, out, **settings):
    plan = curate(CurateSettings(source, out, plan=True, **settings))
    assert isinstance(plan, Plan)
    return plan


def a_plan(cases, folder, rates=EVEN, **fields):
    return Plan(cases, rates, {}, fields.pop("workers", 1), folder / "out", folder / "plan.html", **fields)


def a_case(name, voxels, kind="ct", verdict="accept", *, has_labels=False):
    return PlannedCase(name, Verdict(verdict, "CODE"), Extent(kind, voxels, 1, 10), has_labels)


def test_the_verdicts_planned_for_dicom_are_those_that_curating_gives_then(raw, tmp_path):
    out = tmp_path / "out"
    plan = planned(raw, out)
    curate(CurateSettings(raw, out))
    given = read_verdicts(tmp_path / "out.curation/verdicts.parquet")
    assert {item.case: (item.verdict.kind, item.verdict.code) for item in plan.cases} == {
        case: (verdict.kind, verdict.code) for case, verdict in given.items()
    }
    assert {verdict.code for verdict in given.values()} == {"SLICE_GAP", ""}
    assert {item.case: item.verdict.sentence for item in plan.by_verdict["quarantine"]} == {
        "phantom_0001": given["phantom_0001"].sentence
    }


def test_the_voxels_planned_are_those_of_the_images_then(raw, tmp_path):
    """For a case that is a whole folder and for two that share one."""
    out = tmp_path / "out"
    plan = planned(raw, out)
    curate(CurateSettings(raw, out))
    rows = {case: record.row for case, record in read_records(out).items()}
    assert len(rows) == 2
    assert {item.case: item.extent.voxels for item in plan.to_make} == {
        case: row.shape_i * row.shape_j * row.shape_k for case, row in rows.items()
    }
    sizes = [path.stat().st_size for path in (raw / "phantom_0002/dicom").iterdir()]
    assert sum(item.extent.files for item in plan.to_make) == len(sizes)
    assert plan.bytes_to_read == sum(sizes)


def test_a_plan_writes_the_index_and_its_page_and_no_dataset(raw, tmp_path, capsys):
    out = tmp_path / "out"
    assert main(["curate", str(raw), str(out), "--plan", "--workers", "2"]) == 0
    said = " ".join(capsys.readouterr().out.split())
    assert "By headers alone, 3 cases: 2 to accept, 0 to repair, 1 to refuse (1 SLICE_GAP)." in said
    assert "with --workers 2" in said
    assert not out.exists()
    assert sorted(path.name for path in (tmp_path / "out.curation").iterdir()) == ["index", "plan.html"]
    page = (tmp_path / "out.curation/plan.html").read_text()
    assert "SLICE_GAP" in page
    assert "phantom_0001" in page
    assert main(["curate", str(raw), str(out)]) == 1  # as planned: one is refused


def test_a_program_gets_the_plan_as_json(cohort, tmp_path, capsys):
    cohort.case("a")
    assert main(["curate", str(cohort.root), str(tmp_path / "out"), "--plan", "--json"]) == 0
    told = json.loads(capsys.readouterr().out)
    assert told["planned"] == {"accept": 1, "repair": 0, "quarantine": 0}
    assert told["read_mb"] == round((cohort.root / "a/ct.nii.gz").stat().st_size / 1e6, 1)


def test_nifti_files_are_planned_from_their_headers_and_refused_for_what_these_say(cohort, tmp_path):
    cohort.case("good")
    cohort.case("mr", image="t1")
    cohort.case("bare", masks=False)
    cohort.case("empty")
    (cohort.root / "empty/ct.nii.gz").write_bytes(b"")
    plan = {item.case: item for item in planned(cohort.root, tmp_path / "out").cases}
    assert plan["good"].extent.voxels == 12 * 10 * 8
    assert plan["good"].has_labels
    assert (plan["mr"].extent.kind, plan["good"].extent.kind) == ("mr", "ct")
    assert plan["bare"].verdict.code == "CASE_REFUSED"
    assert "has no labels" in plan["bare"].verdict.sentence
    assert plan["empty"].verdict.code == "UNREADABLE_CASE"
    outcomes = {item.case: item for item in curate(CurateSettings(cohort.root, tmp_path / "out"))}
    assert {case for case, item in plan.items() if item.is_refused} == {
        case for case, item in outcomes.items() if item.status == "failed"
    }


def test_time_and_size_are_sums_over_what_is_to_be_made(tmp_path):
    """By hand: 1 s a case, 2 s and half or one or a quarter of a megabyte for each million voxels."""
    cases = [
        a_case("a", 3_000_000, has_labels=True),
        a_case("b", 1_000_000, "mr"),
        a_case("c", 9_000_000, verdict="quarantine"),
        a_case("d", 9_000_000),
    ]
    plan = a_plan(cases, tmp_path, done=frozenset({"d"}))
    assert plan.seconds == (1 + 6) + (1 + 2)
    assert plan.sizes.images == {"ct": 1_500_000, "mr": 1_000_000}
    assert plan.sizes.labels == 750_000
    assert plan.sizes.total == 3_250_000
    assert plan.bytes_to_read == 20


def test_more_workers_help_until_the_largest_case_is_all_there_is(tmp_path):
    plan = a_plan([a_case(name, 1_000_000) for name in "abc"] + [a_case("large", 4_500_000)], tmp_path)
    assert [plan.wall_seconds(workers) for workers in (1, 2, 64)] == [19, 10, 10]


def test_a_disk_that_is_too_small_is_told(tmp_path):
    plan = a_plan([a_case("a", 10**15)], tmp_path)
    assert f"are free at {tmp_path / 'out'}. Choose a larger disk." in plan.warning
    assert plan.warning in plan.lines()
    assert a_plan([a_case("a", 1000)], tmp_path).warning == ""


def test_a_page_of_very_many_refusals_shows_the_first_and_says_so(tmp_path):
    plan = a_plan([a_case(f"case-{number}", 10, verdict="quarantine") for number in range(2500)], tmp_path)
    write_plan(plan, "<b>many</b>")
    page = plan.page.read_text()
    assert "The first 2000 of 2500 cases are shown." in page
    assert "case-1999" in page
    assert "case-2000" not in page
    assert "<b>many" not in page


def test_a_dataset_that_was_begun_is_planned_with_its_own_pace_and_sizes(cohort, tmp_path):
    out = tmp_path / "out"
    for number in range(3):
        cohort.case(f"case-{number}", seed=number)
    curate(CurateSettings(cohort.root, out))
    cohort.case("one more", seed=9)
    (cohort.root / "one more").rename(cohort.root / "one-more")
    plan = planned(cohort.root, out)
    assert plan.done == {"case-0", "case-1", "case-2"}
    assert [item.case for item in plan.to_make] == ["one-more"]
    images = sum(path.stat().st_size for path in out.glob("ImageTr/*/*"))
    labels = sum(path.stat().st_size for path in out.rglob("LabelTr/**/*") if path.is_file())
    assert plan.sizes.images["ct"] == pytest.approx(images / 3)
    assert plan.sizes.labels == pytest.approx(labels / 3)
    assert "3 cases of this dataset" in plan.told_time()
    assert "3 cases of this dataset" in plan.told_size()


def test_the_pace_of_a_dataset_grows_with_each_run_and_scales_our_rates(cohort, tmp_path):
    out = tmp_path / "out"
    cohort.case("a")
    record = curate(CurateSettings(cohort.root, out))[0].value
    (tmp_path / "out.curation/pace.json").unlink()
    expected_s = OURS.seconds(12 * 10 * 8)
    for _ in range(2):
        extend_pace(out, [Outcome("a", "done", value=record, duration_s=3 * expected_s)])
    extend_pace(out, [Outcome("a", "skipped", value=record), Outcome("b", "failed", "bad")])
    pace = read_pace(out)
    assert (pace.cases, pace.voxels) == (2, 2 * 12 * 10 * 8)
    assert pace.rates().seconds_per_case == pytest.approx(3 * OURS.seconds_per_case)
    assert pace.rates().seconds_per_megavoxel == pytest.approx(3 * OURS.seconds_per_megavoxel)
    assert pace.rates().image_bytes_per_voxel["mr"] == OURS.image_bytes_per_voxel["mr"]


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", '{"schema": 1}', '{"schema": 1, "wirsung": "0.0.0", "cases": 1}', "NONSENSE", "NEGATIVE"],
)
def test_a_damaged_or_foreign_pace_is_as_good_as_none(tmp_path, text):
    from wirsung import __version__

    known = {"schema": 1, "wirsung": __version__}
    text = {
        "NONSENSE": json.dumps({**known, "cases": "many"}),
        "NEGATIVE": json.dumps({**known, "cases": -1}),
    }.get(text, text)
    (tmp_path / "out.curation").mkdir()
    (tmp_path / "out.curation/pace.json").write_text(text)
    assert read_pace(tmp_path / "out").rates() == OURS


def test_a_real_series_is_planned_and_curated_alike(shared_data, tmp_path):
    plan = planned(shared_data / "ct_dicom/series", tmp_path / "out")
    row = curate(CurateSettings(shared_data / "ct_dicom/series", tmp_path / "out"))[0].value.row
    assert [item.extent.voxels for item in plan.cases] == [row.shape_i * row.shape_j * row.shape_k]
    assert 0.7 < plan.sizes.total / (tmp_path / "out/ImageTr" / row.case / "ct.nii.gz").stat().st_size < 1.4


def test_a_relative_source_is_planned_too(raw, tmp_path, monkeypatch):
    monkeypatch.chdir(raw.parent)
    assert len(planned(Path("src"), tmp_path / "out").to_make) == 2
