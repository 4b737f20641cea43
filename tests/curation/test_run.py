import errno
import gzip
import json
import os
import signal
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from wirsung.compute import atomic
from wirsung.curation.outputs import sole_writer
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import read_manifest, read_structures
from wirsung.errors import ConfigError, ManifestError


def _curate(cohort, **settings):
    return curate(CurateSettings(cohort.root, cohort.root.parent / "out", **settings))


def _by_case(outcomes):
    return {outcome.case: outcome for outcome in outcomes}


def _rows(out, read=read_manifest):
    return read(out).to_pylist()


def _everything(out):
    """Every file of the dataset with its content, but for what tells the time."""
    return {
        path.relative_to(out).as_posix(): path.read_bytes()
        for path in sorted(out.rglob("*"))
        if path.is_file() and path.parent.name != ".curation" and path.name != "provenance.jsonl"
    }


def test_a_cohort_becomes_a_dataset(cohort, tmp_path):
    arrays = {case: cohort.case(case, seed=seed) for seed, case in enumerate(["a", "b"])}
    cohort.metadata(
        "case,patient,centre,phase,sex,age_years,tumour\na,p1,centre-1,venous,F,61,1\nb,p2,centre-2,,,,1\n"
    )
    outcomes = _curate(cohort, name="Mine", licence="CC0-1.0")
    assert [(item.case, item.status, item.message) for item in outcomes] == [
        ("a", "done", ""),
        ("b", "done", ""),
    ]
    dataset = Dataset.open(tmp_path / "out")
    assert (dataset.name, dataset.clip_hu, dataset.description.licence) == ("Mine", (-1000, 1000), "CC0-1.0")
    for case in dataset.cases:
        # LPS to RPS turns the first axis round and nothing else.
        written = nibabel.load(case.image_path)
        assert nibabel.aff2axcodes(written.affine) == ("R", "P", "S")
        expected = np.clip(arrays[case.id]["image"][::-1], -1000, 1000)
        assert np.array_equal(np.asanyarray(written.dataobj), expected)
        assert np.allclose(written.affine[:3, 3], [10 - 2 * 11, 20, -30])
        for name in case.structure_names():
            assert np.array_equal(case.mask(name).voxels, arrays[case.id][name][::-1] == 1)
        combined = np.asanyarray(nibabel.load(case.combined_path).dataobj)
        assert np.count_nonzero(combined == 28) == 79
        assert np.count_nonzero(combined == 19) == 1
        assert np.count_nonzero(combined == 17) == 0
    first, second = _rows(tmp_path / "out")
    told = ("patient", "centre", "phase", "sex", "age_years", "tumour", "modality", "subset", "has_labels")
    assert [first[name] for name in told] == ["p1", "centre-1", "venous", "F", 61, True, "ct", "train", True]
    assert second["centre"] == "centre-2"
    assert second["age_years"] is None
    assert [first[f"shape_{axis}"] for axis in "ijk"] == [12, 10, 8]
    assert [first[f"spacing_{axis}_mm"] for axis in "ijk"] == [2, 2, 3]


def test_structures_are_measured(cohort, tmp_path):
    arrays = cohort.case("a")
    _curate(cohort)
    rows = {row["structure"]: row for row in _rows(tmp_path / "out", read_structures)}
    inside = np.clip(arrays["image"], -1000, 1000)[arrays["pancreatic_lesion"] == 1]
    lesion = rows["pancreatic_lesion"]
    assert lesion["volume_ml"] == pytest.approx(79 * 12 / 1000)
    assert lesion["hu_mean"] == pytest.approx(inside.mean())
    assert lesion["hu_sd"] == pytest.approx(inside.std())
    assert [lesion[f"box_{axis}{end}"] for axis in "ijk" for end in (0, 1)] == [6, 10, 3, 7, 2, 7]
    assert (lesion["components"], lesion["touches_border"]) == (1, False)
    assert rows["liver"]["touches_border"] is True


def test_provenance_tells_what_was_done(cohort, tmp_path):
    arrays = cohort.case("a")
    _curate(cohort)
    (line,) = [json.loads(text) for text in (tmp_path / "out/provenance.jsonl").read_text().splitlines()]
    assert line["case"] == "a"
    assert line["axis_codes"] == ["LPS", "RPS"]
    assert line["clip_hu"] == [-1000, 1000]
    assert line["clipped_voxels"] == np.count_nonzero(abs(arrays["image"]) > 1000) == 81
    assert line["source"] == "nifti"
    assert line["labels"] == "masks"
    assert line["tool"].startswith("wirsung ")


def test_clipping_can_be_off(cohort, tmp_path):
    arrays = cohort.case("a")
    _curate(cohort, clip_hu=None)
    dataset = Dataset.open(tmp_path / "out")
    assert dataset.clip_hu is None
    assert np.array_equal(dataset.case("a").image().voxels, arrays["image"][::-1])


def test_magnetic_resonance_is_not_clipped(cohort, tmp_path):
    cohort.nifti("m/t1.nii.gz", np.full((4, 4, 4), 4000, dtype=np.int16))
    _curate(cohort)
    case = Dataset.open(tmp_path / "out").case("m")
    assert case.modality == "t1"
    assert int(case.image().voxels.max()) == 4000


def test_cohorts_that_name_their_cases_alike_share_a_dataset_by_a_prefix(cohort, tmp_path):
    cohort.nifti("NYU_0001/t1.nii.gz", np.full((4, 4, 4), 40, dtype=np.int16))
    cohort.metadata("case,patient,centre\nNYU_0001,p1,NYU\n")
    _curate(cohort, prefix="t1-")
    (cohort.root / "NYU_0001/t1.nii.gz").unlink()
    cohort.nifti("NYU_0001/t2.nii.gz", np.full((4, 4, 4), 50, dtype=np.int16))
    cohort.metadata("case,patient,centre\nNYU_0001,p9,NYU\n")
    assert [item.case for item in _curate(cohort, prefix="t2-")] == ["t2-NYU_0001"]
    assert [item.status for item in _curate(cohort, prefix="t2-")] == ["skipped"]
    rows = _rows(tmp_path / "out")
    assert [(row["case"], row["patient"], row["modality"]) for row in rows] == [
        ("t1-NYU_0001", "p1", "t1"),
        ("t2-NYU_0001", "p9", "t2"),
    ]


def test_imported_cohorts_are_curated_into_one_dataset_with_what_their_manifests_say(imported, tmp_path):
    """Label maps of another scheme, whose own headers lie: the dataset knows both."""
    out = tmp_path / "out"
    for source in ("pansegdata-t1", "pansegdata-t2"):
        folder = imported(source).rename(tmp_path / source)
        assert [(item.status, item.message) for item in curate(CurateSettings(folder, out))] == [("done", "")]
        assert [item.status for item in curate(CurateSettings(folder, out))] == ["skipped"]
        (case,) = Dataset.open(folder).cases
        (made,) = [item for item in Dataset.open(out).cases if item.id == case.id]
        assert made.structure_names() == ("pancreas",)
        places = []
        for mask in (case.mask("pancreas"), made.mask("pancreas")):
            assert mask.voxels.sum() == 1
            places.append(mask.affine @ [*np.argwhere(mask.voxels)[0], 1])
        assert np.allclose(*places, atol=1e-4)
    told = [(row["case"], row["patient"], row["centre"], row["modality"]) for row in _rows(out)]
    assert told == [
        ("t1_NYU_0001", "t1_NYU_0001", "NYU", "t1"),
        ("t2_NYU_0001", "t2_NYU_0001", "NYU", "t2"),
    ]
    # Who is who, a table can tell: it counts for more than the manifest.
    (tmp_path / "pansegdata-t2" / "metadata.csv").write_text("case,patient\nt2_NYU_0001,t1_NYU_0001\n")
    curate(CurateSettings(tmp_path / "pansegdata-t2", out))
    assert [(row["patient"], row["centre"]) for row in _rows(out)] == [("t1_NYU_0001", "NYU")] * 2


def test_a_prefix_that_can_not_begin_an_id_is_refused(cohort):
    cohort.case("a")
    with pytest.raises(ConfigError, match=r"prefix is '\.\./x'"):
        _curate(cohort, prefix="../x")


def test_a_mask_in_another_axis_order_is_put_on_the_images_grid(cohort, tmp_path):
    arrays = cohort.case("a")
    plain = nibabel.load(cohort.root / "a/segmentations/liver.nii.gz")
    turned = plain.as_reoriented(
        nibabel.orientations.axcodes2ornt("SAR", [("L", "R"), ("P", "A"), ("I", "S")])
    )
    assert turned.shape != plain.shape
    nibabel.save(turned, cohort.root / "a/segmentations/liver.nii.gz")
    assert [item.status for item in _curate(cohort)] == ["done"]
    assert np.array_equal(
        Dataset.open(tmp_path / "out").case("a").mask("liver").voxels, arrays["liver"][::-1] == 1
    )


def test_done_cases_are_skipped_and_changed_ones_made_anew(cohort, tmp_path):
    for seed, case in enumerate("abc"):
        cohort.case(case, seed=seed)
    assert [item.status for item in _curate(cohort)] == ["done"] * 3
    before = _everything(tmp_path / "out")
    assert [item.status for item in _curate(cohort)] == ["skipped"] * 3
    assert _everything(tmp_path / "out") == before
    changed = cohort.case("b", seed=9, lesion=False)
    assert [item.status for item in _curate(cohort)] == ["skipped", "done", "skipped"]
    case = Dataset.open(tmp_path / "out").case("b")
    assert np.array_equal(case.image().voxels, np.clip(changed["image"][::-1], -1000, 1000))
    assert [row["tumour"] for row in _rows(tmp_path / "out")] == [True, False, True]
    assert [item.status for item in _curate(cohort, clip_hu=(-500, 500))] == ["done"] * 3
    assert Dataset.open(tmp_path / "out").clip_hu == (-500, 500)
    lines = [json.loads(line) for line in (tmp_path / "out/provenance.jsonl").read_text().splitlines()]
    assert [line["case"] for line in lines] == ["a", "b", "c", "b", "a", "b", "c"]


def test_a_case_whose_output_is_gone_is_made_anew(cohort, tmp_path):
    cohort.case("a")
    _curate(cohort)
    before = _everything(tmp_path / "out")
    (tmp_path / "out/LabelTr/a/segmentations/liver.nii.gz").unlink()
    assert [item.status for item in _curate(cohort)] == ["done"]
    assert _everything(tmp_path / "out") == before


def test_new_metadata_reaches_the_manifest_without_a_new_conversion(cohort, tmp_path):
    cohort.case("a")
    _curate(cohort)
    cohort.metadata("case,patient,centre\na,p9,centre-3\n")
    assert [item.status for item in _curate(cohort)] == ["skipped"]
    assert _rows(tmp_path / "out")[0]["patient"] == "p9"


def test_two_sources_can_share_a_dataset(cohort, tmp_path):
    cohort.case("a")
    cohort.metadata("case,patient\na,p1\n")
    _curate(cohort)
    other = type(cohort)(tmp_path / "more")
    other.case("b", seed=1)
    outcomes = curate(CurateSettings(other.root, tmp_path / "out"))
    assert [(row["case"], row["patient"]) for row in _rows(tmp_path / "out")] == [("a", "p1"), ("b", "b")]
    assert outcomes.lines()[:-1] == ["1 case of the dataset stays though not in SRC: a."]
    with pytest.raises(ConfigError, match="was clipped to"):
        curate(CurateSettings(other.root, tmp_path / "out", clip_hu=None))


def test_two_workers_make_the_same_dataset_as_one(cohort, tmp_path):
    for seed, case in enumerate("ab"):
        cohort.case(case, seed=seed)
    curate(CurateSettings(cohort.root, tmp_path / "one", name="x"))
    curate(CurateSettings(cohort.root, tmp_path / "two", name="x", workers=2))
    assert _everything(tmp_path / "one") == _everything(tmp_path / "two")


def test_a_curated_dataset_can_be_curated_again(cohort, tmp_path):
    cohort.case("a")
    _curate(cohort, name="x")
    curate(CurateSettings(tmp_path / "out", tmp_path / "again", name="x"))
    first, second = _everything(tmp_path / "out"), _everything(tmp_path / "again")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


def test_a_bad_case_fails_alone_and_leaves_nothing(cohort, tmp_path):
    cohort.case("good")
    arrays = cohort.case("bad")
    mask = arrays["liver"].copy()
    mask[0, 0, 0] = 7
    cohort.nifti("bad/segmentations/spleen.nii.gz", mask)
    outcomes = _by_case(_curate(cohort))
    assert outcomes["good"].status == "done"
    assert outcomes["bad"].status == "failed"
    assert "spleen.nii.gz" in outcomes["bad"].message
    assert "7" in outcomes["bad"].message
    assert list((tmp_path / "out").rglob("*bad*")) == []
    assert [row["case"] for row in _rows(tmp_path / "out")] == ["good"]


def test_a_case_that_turned_bad_leaves_the_dataset(cohort, tmp_path):
    cohort.case("a")
    cohort.case("b")
    _curate(cohort)
    (cohort.root / "b/ct.nii.gz").write_bytes(b"\x1f\x8b damaged")
    outcomes = _by_case(_curate(cohort))
    assert (outcomes["a"].status, outcomes["b"].status) == ("skipped", "failed")
    assert [case.id for case in Dataset.open(tmp_path / "out").cases] == ["a"]
    assert [row["case"] for row in _rows(tmp_path / "out")] == ["a"]


def test_voxels_that_are_no_number_fail_the_case(cohort):
    voxels = np.zeros((4, 4, 4), dtype=np.float32)
    voxels[1, 2, 3] = np.nan
    cohort.nifti("a/ct.nii.gz", voxels)
    (outcome,) = _curate(cohort)
    assert outcome.status == "failed"
    assert "1 voxel is NaN" in outcome.message
    assert "ct.nii.gz" in outcome.message


def test_a_mask_on_another_grid_fails_with_the_distance(cohort):
    arrays = cohort.case("a")
    moved = np.array(nibabel.load(cohort.root / "a/ct.nii.gz").affine)
    moved[2, 3] += 4
    cohort.nifti("a/segmentations/liver.nii.gz", arrays["liver"], moved)
    (outcome,) = _curate(cohort)
    assert outcome.status == "failed"
    assert "liver.nii.gz lies 4 mm away from ct.nii.gz" in outcome.message


def test_a_mask_of_another_shape_fails(cohort):
    arrays = cohort.case("a")
    cohort.nifti("a/segmentations/liver.nii.gz", arrays["liver"][:-1])
    (outcome,) = _curate(cohort)
    assert "liver.nii.gz has shape (11, 10, 8), but ct.nii.gz has (12, 10, 8)" in outcome.message


def test_a_mask_of_no_known_structure_fails_with_near_names(cohort):
    arrays = cohort.case("a")
    cohort.nifti("a/segmentations/livr.nii.gz", arrays["liver"])
    (outcome,) = _curate(cohort)
    assert "livr.nii.gz" in outcome.message
    assert "Did you mean liver?" in outcome.message


def test_an_image_without_labels_fails_where_others_have_some(cohort, tmp_path):
    cohort.case("a")
    cohort.case("b", masks=False)
    outcomes = _by_case(_curate(cohort))
    assert outcomes["a"].status == "done"
    assert "b has no labels" in outcomes["b"].message
    assert not (tmp_path / "out/ImageTr/b").exists()


def test_images_without_any_labels_are_a_dataset(cohort, tmp_path):
    cohort.case("a", masks=False)
    assert [item.status for item in _curate(cohort)] == ["done"]
    (row,) = _rows(tmp_path / "out")
    assert (row["has_labels"], row["structures"], row["tumour"]) == (False, [], None)
    assert not (tmp_path / "out/LabelTr").exists()


def test_two_cases_of_one_name_fail_with_both_places(cohort):
    cohort.nifti("x.nii.gz", np.zeros((3, 3, 3), np.int16))
    cohort.nifti("x/ct.nii.gz", np.zeros((3, 3, 3), np.int16))
    cohort.nifti("y.nii.gz", np.zeros((3, 3, 3), np.int16))
    outcomes = _by_case(_curate(cohort))
    assert outcomes["x"].status == "failed"
    assert "x and x.nii.gz are both called x" in outcomes["x"].message
    assert outcomes["y"].status == "done"


def test_a_name_that_is_no_case_id_fails(cohort, tmp_path):
    cohort.nifti("a b.nii.gz", np.zeros((3, 3, 3), np.int16))
    cohort.nifti("c.nii.gz", np.zeros((3, 3, 3), np.int16))
    outcomes = _by_case(_curate(cohort))
    assert outcomes["a b"].status == "failed"
    assert "letters, digits" in outcomes["a b"].message
    assert outcomes["c"].status == "done"
    assert [path.name for path in (tmp_path / "out/ImageTr").iterdir()] == ["c"]


def test_metadata_that_contradicts_the_files_name_fails_the_case(cohort):
    cohort.case("a")
    cohort.metadata("case,modality\na,t1\n")
    (outcome,) = _curate(cohort)
    assert "metadata.csv says t1" in outcome.message


def test_a_value_of_the_metadata_that_is_no_code_fails_the_case_and_is_not_shown(cohort, tmp_path):
    cohort.case("a")
    cohort.metadata("case,patient\na,Erika Mustermann\n")
    (outcome,) = _curate(cohort)
    assert outcome.status == "failed"
    assert "patient of case a is not a code" in outcome.message
    assert "Mustermann" not in outcome.message


def test_ignored_columns_and_rows_are_named(cohort):
    cohort.case("a")
    cohort.metadata("case,surname,centre\na,Mustermann,c1\nz,Musterfrau,c1\n")
    assert _curate(cohort).lines()[:-1] == [
        "1 column of metadata.csv was ignored: surname.",
        "1 row of metadata.csv belongs to no case: z.",
    ]


def test_missing_and_empty_sources_are_refused(tmp_path):
    with pytest.raises(ManifestError, match="does not exist"):
        curate(CurateSettings(tmp_path / "nowhere", tmp_path / "out"))
    (tmp_path / "src/notes").mkdir(parents=True)
    with pytest.raises(ManifestError, match="holds no image"):
        curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    (tmp_path / "src/notes/readme.txt").write_text("nothing here")
    with pytest.raises(ManifestError, match="holds no image"):
        curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert not (tmp_path / "out").exists()


@pytest.mark.parametrize("place", ["src", "src/out", "."])
def test_an_output_inside_the_source_or_around_it_is_refused(cohort, tmp_path, place):
    cohort.case("a")
    with pytest.raises(ConfigError, match="side by side"):
        curate(CurateSettings(cohort.root, tmp_path / place))


def test_a_folder_that_wirsung_did_not_make_is_left_alone(cohort, tmp_path):
    cohort.case("a")
    (tmp_path / "out").mkdir()
    (tmp_path / "out/thesis.docx").write_text("mine")
    with pytest.raises(ConfigError, match="no dataset that Wirsung made"):
        _curate(cohort)


@pytest.mark.parametrize("clip_hu", [(5, 5), (10, -10), (-40000, 0)])
def test_an_empty_range_of_hu_is_refused(cohort, clip_hu):
    cohort.case("a")
    with pytest.raises(ConfigError, match="HU range"):
        _curate(cohort, clip_hu=clip_hu)


def test_hu_beyond_int16_need_clipping(cohort):
    cohort.nifti("a/ct.nii.gz", np.full((3, 3, 3), 64511, dtype=np.int32))
    (outcome,) = _curate(cohort, clip_hu=None)
    assert "64511" in outcome.message
    assert "--clip-hu" in outcome.message


def test_an_interrupt_leaves_no_half_case_and_a_rerun_finishes(cohort, tmp_path, monkeypatch):
    for seed, case in enumerate("abc"):
        cohort.case(case, seed=seed)
    whole = tmp_path / "whole"
    curate(CurateSettings(cohort.root, whole, name="x"))
    flushed = []

    def interrupt(path):
        flushed.append(path)
        if len(flushed) == 16:  # within the masks of the second case
            raise KeyboardInterrupt

    monkeypatch.setattr(atomic, "_flush", interrupt)
    with pytest.raises(KeyboardInterrupt):
        _curate(cohort, name="x")
    monkeypatch.undo()
    out = tmp_path / "out"
    assert [path.name for path in (out / "ImageTr").iterdir()] == ["a"]
    assert [path.name for path in (out / "LabelTr").iterdir()] == ["a"]
    assert [item.status for item in _curate(cohort, name="x")] == ["skipped", "done", "done"]
    assert _everything(out) == _everything(whole)


_KILLED = """
import os, signal, sys
from pathlib import Path
from wirsung.compute import atomic
from wirsung.curation.outputs import sole_writer
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
left = int(sys.argv[3])
def flush(path):
    global left
    left -= 1
    if left == 0:
        os.kill(os.getpid(), signal.SIGKILL)
atomic._flush = flush
curate(CurateSettings(Path(sys.argv[1]), Path(sys.argv[2]), name="x"))
"""


@pytest.mark.parametrize("flushes", [2, 9, 10, 15])
def test_a_killed_run_leaves_no_half_case_and_a_rerun_finishes(cohort, tmp_path, flushes):
    for seed, case in enumerate("ab"):
        cohort.case(case, seed=seed)
    whole, out = tmp_path / "whole", tmp_path / "out"
    curate(CurateSettings(cohort.root, whole, name="x"))
    command = [sys.executable, "-c", _KILLED, str(cohort.root), str(out), str(flushes)]
    assert subprocess.run(command, capture_output=True, check=False).returncode == -signal.SIGKILL
    for folder in ("ImageTr", "LabelTr"):
        for case in (out / folder).glob("[!.]*") if (out / folder).is_dir() else []:
            for path in (whole / folder / case.name).rglob("*.nii.gz"):
                assert (case / path.relative_to(whole / folder / case.name)).read_bytes() == path.read_bytes()
    outcomes = _curate(cohort, name="x")
    assert all(item.status in ("done", "skipped") for item in outcomes)
    assert _everything(out) == _everything(whole)
    assert list(out.rglob(".partial-*")) == []


def test_a_full_disk_fails_the_case_and_leaves_nothing_of_it(cohort, tmp_path, monkeypatch):
    cohort.case("a")
    cohort.case("b")
    real = atomic._flush

    def full(path):
        if path.parent.parent.name.endswith("partial-a"):  # a mask of case a
            raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))
        real(path)

    monkeypatch.setattr(atomic, "_flush", full)
    outcomes = _by_case(_curate(cohort))
    assert outcomes["a"].status == "failed"
    assert "the disk is full" in outcomes["a"].message
    assert outcomes["b"].status == "done"
    out = tmp_path / "out"
    assert [path.name for path in (out / "ImageTr").iterdir()] == ["b"]
    assert [path.name for path in (out / "LabelTr").iterdir()] == ["b"]
    monkeypatch.undo()
    assert [item.status for item in _curate(cohort)] == ["done", "skipped"]


def test_nothing_in_the_dataset_tells_where_the_source_lies(cohort, tmp_path):
    cohort.case("a")
    _curate(cohort)
    for name, content in _everything(tmp_path / "out").items():
        text = gzip.decompress(content) if name.endswith(".gz") else content
        assert str(tmp_path).encode() not in text, name
    for path in (tmp_path / "out/.curation").iterdir():
        assert str(tmp_path) not in path.read_text()


def test_a_second_run_is_kept_out_of_the_same_dataset(cohort, tmp_path):
    cohort.case("a")
    with sole_writer(tmp_path / "out"), pytest.raises(ConfigError, match="another run"):
        _curate(cohort)
    assert [item.status for item in _curate(cohort)] == ["done"]


def test_a_label_map_in_the_place_of_an_image_is_refused(cohort):
    cohort.case("good", masks=False)
    cohort.nifti("labels-only/ct.nii.gz", np.arange(12 * 10 * 8, dtype=np.uint8).reshape(12, 10, 8) % 7)
    outcomes = _by_case(_curate(cohort))
    assert outcomes["good"].status == "done"
    assert outcomes["labels-only"].status == "failed"
    assert "--labels" in outcomes["labels-only"].message
