import json
import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest
from source_fakes import FAKES, first_voxels, save, save_table

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.annotated import annotated_structures
from wirsung.datasets.importing.run import import_source
from wirsung.datasets.importing.settings import ImportSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import manifest_rows
from wirsung.datasets.sources import source_named, source_names
from wirsung.errors import ConfigError, ManifestError, StorageError

BY_NAME = {fake.source: fake for fake in reversed(FAKES)}


def bring(source, folder, out, **settings):
    return import_source(ImportSettings(str(source), folder, out, **settings))


def statuses(result):
    return {outcome.case: outcome.status for outcome in result.outcomes}


def snapshot(folder):
    return {str(path): path.stat().st_mtime_ns for path in [folder, *folder.rglob("*")]}


@pytest.fixture
def msd(tmp_path):
    """The Decathlon's folder in small, and where to import it."""
    return BY_NAME["msd-pancreas"].build(tmp_path / "raw"), tmp_path / "dataset"


def test_every_source_has_a_fake():
    assert {fake.source for fake in FAKES} == set(source_names())


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.source)
def test_a_source_becomes_a_dataset_by_reference(fake, tmp_path):
    raw = fake.build(tmp_path / "raw")
    before = snapshot(raw)
    result = bring(fake.source, raw, tmp_path / "dataset")
    assert snapshot(raw) == before
    assert set(statuses(result).values()) == {"done"}
    dataset = Dataset.open(tmp_path / "dataset")
    assert {case.id: (case.subset, case.modality) for case in dataset.cases} == fake.cases
    assert (dataset.name, dataset.description.source) == (fake.source, fake.source)
    assert dataset.description.licence == source_named(fake.source).licence.name
    for case in dataset.cases:
        assert case.image_path.is_symlink()
        assert not case.image_path.readlink().is_absolute()
        assert case.image().shape == (4, 4, 4)


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.source)
def test_the_labels_of_a_source_mean_what_it_says(fake, tmp_path):
    bring(fake.source, fake.build(tmp_path / "raw"), tmp_path / "dataset")
    dataset = Dataset.open(tmp_path / "dataset")
    for name, expected in fake.painted.items():
        painted = dataset.case(name).label_map(scheme("pants-28"))
        assert first_voxels(painted, len(expected)) == expected
        assert not painted.voxels.ravel(order="F")[len(expected) :].any()
    for name, masks in fake.masks.items():
        case = dataset.case(name)
        codes = case.codes()
        for structure, expected in masks.items():
            assert structure in case.structure_names()
            assert first_voxels(case.mask(structure), len(expected)) == [bool(value) for value in expected]
            assert np.array_equal(codes.mask(structure).voxels, case.mask(structure).voxels)


@pytest.mark.parametrize("fake", FAKES, ids=lambda fake: fake.source)
def test_the_manifest_holds_what_table_header_and_id_tell(fake, tmp_path):
    bring(fake.source, fake.build(tmp_path / "raw"), tmp_path / "dataset")
    rows = {row.case: row for row in manifest_rows(Dataset.open(tmp_path / "dataset"))}
    for row in rows.values():
        assert (row.shape_i, row.shape_j, row.shape_k) == (4, 4, 4)
        assert (row.spacing_i_mm, row.spacing_j_mm, row.spacing_k_mm) == (0.8, 0.8, 2.5)
    for name, told in fake.rows.items():
        assert {column: getattr(rows[name], column) for column in told} == told


def test_what_nobody_drew_is_told_from_what_is_empty(tmp_path):
    for name in ("abdomenct-1k", "flare23", "totalsegmentator-v2"):
        bring(name, BY_NAME[name].build(tmp_path / name), tmp_path / f"{name}.set")
    drawn = annotated_structures(Dataset.open(tmp_path / "abdomenct-1k.set"))
    assert drawn["Case_00400"] == {"liver", "spleen", "pancreas", "kidneys"}, "empty ones were drawn too"
    drawn = annotated_structures(Dataset.open(tmp_path / "flare23.set"))
    assert drawn == {"FLARE23_0001": {"pancreas", "tumour"}, "FLARE23_2201": frozenset()}
    drawn = annotated_structures(Dataset.open(tmp_path / "totalsegmentator-v2.set"))
    assert "lung_left" in drawn["s0000"]
    assert "lung_right" not in drawn["s0000"], "its masks are missing"
    assert drawn["s0001"] == frozenset()


def test_labels_in_their_own_scheme_come_out_as_they_are(tmp_path):
    for name in ("lits", "kits", "word"):
        fake = BY_NAME[name]
        bring(name, fake.build(tmp_path / name), tmp_path / f"{name}.set")
        case = Dataset.open(tmp_path / f"{name}.set").cases[0]
        first = next(iter(fake.labels.values()))
        assert first_voxels(case.label_map(scheme(name)), len(first)) == first


def test_a_label_map_without_any_class_of_the_scheme_is_refused(tmp_path):
    bring("kits", BY_NAME["kits"].build(tmp_path / "raw"), tmp_path / "dataset")
    case = Dataset.open(tmp_path / "dataset").cases[0]
    with pytest.raises(Exception, match=r"no mask in label_map\.nii\.gz that pancreas has a class for"):
        case.label_map(scheme("pancreas"))


def test_labels_of_pansegdata_lie_where_their_image_does(tmp_path):
    raw = BY_NAME["pansegdata-t1"].build(tmp_path / "raw")
    turned = np.diag([-0.8, -0.8, 2.5, 1.0])
    save(raw / "t1/labelsTr/NYU_0001.nii.gz", [0, 1], affine=turned)
    bring("pansegdata-t1", raw, tmp_path / "dataset")
    case = Dataset.open(tmp_path / "dataset").cases[0]
    assert np.array_equal(case.label_map(scheme("pancreas")).affine, case.image().affine)
    assert first_voxels(case.label_map(scheme("pancreas")), 3) == [0, 1, 0]
    assert np.array_equal(case.codes().volume.affine, case.image().affine)


def test_run_again_nothing_is_done(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out)
    before = snapshot(out)
    assert set(statuses(bring("msd-pancreas", raw, out)).values()) == {"skipped"}
    after = snapshot(out)
    assert {path for path in before if "Image" in path or "Label" in path} == {
        path for path in after if "Image" in path or "Label" in path
    }
    assert all(after[path] == time for path, time in before.items() if path.endswith(".nii.gz"))


def test_a_case_whose_file_changed_is_done_again_alone(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out)
    save(raw / "Task07_Pancreas/labelsTr/pancreas_001.nii.gz", [2, 2, 2, 2, 2, 2])
    assert statuses(bring("msd-pancreas", raw, out)) == {"pancreas_001": "done", "pancreas_002": "skipped"}
    case = Dataset.open(out).case("pancreas_001")
    assert int(case.mask("pancreatic_lesion").voxels.sum()) == 6


def test_labels_that_come_later_are_taken_up(msd):
    raw, out = msd
    later = raw / "Task07_Pancreas/labelsTr"
    later.rename(raw.parent / "later")
    result = bring("msd-pancreas", raw, out)
    assert "Images without labels: 1 (pancreas_001)." in result.lines()
    assert not Dataset.open(out).case("pancreas_001").has_labels
    (raw.parent / "later").rename(later)
    assert statuses(bring("msd-pancreas", raw, out))["pancreas_001"] == "done"
    assert Dataset.open(out).case("pancreas_001").has_labels
    assert {row.case: row.has_labels for row in manifest_rows(Dataset.open(out))} == {
        "pancreas_001": True,
        "pancreas_002": False,
    }


def test_a_run_that_was_cut_off_is_finished(msd, monkeypatch):
    raw, out = msd

    def cut(*_):
        raise KeyboardInterrupt

    monkeypatch.setattr("wirsung.datasets.importing.placing.write_json", cut)
    with pytest.raises(KeyboardInterrupt):
        bring("msd-pancreas", raw, out)
    assert (out / "ImageTr/pancreas_001/ct.nii.gz").is_file(), "placed, but not recorded"
    (out / "ImageTr/.partial-x").mkdir()
    monkeypatch.undo()
    assert set(statuses(bring("msd-pancreas", raw, out)).values()) == {"done"}
    assert not list(out.rglob(".partial-*"))
    assert set(statuses(bring("msd-pancreas", raw, out)).values()) == {"skipped"}


def test_a_case_that_left_the_source_is_told_and_kept(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out, copy=True)
    (raw / "Task07_Pancreas/imagesTs/pancreas_002.nii.gz").unlink()
    result = bring("msd-pancreas", raw, out, copy=True)
    assert any("the source no longer has: 1 (pancreas_002)" in line for line in result.lines())
    assert [row.case for row in manifest_rows(Dataset.open(out))] == ["pancreas_001", "pancreas_002"]


def test_copies_and_hard_links_need_no_source_any_more(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out / "copied", copy=True)
    bring("msd-pancreas", raw, out / "hard", link="hard")
    image = raw / "Task07_Pancreas/imagesTr/pancreas_001.nii.gz"
    assert image.stat().st_nlink == 2
    shutil.rmtree(raw)
    for name in ("copied", "hard"):
        case = Dataset.open(out / name).case("pancreas_001")
        assert first_voxels(case.label_map(scheme("msd-pancreas")), 3) == [0, 1, 2]
        assert not case.image_path.is_symlink()


def test_a_disk_that_takes_no_links_is_told_once(msd, monkeypatch):
    raw, out = msd

    def refuse(self, target, target_is_directory=False):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(StorageError, match="Use --link hard, or --copy"):
        bring("msd-pancreas", raw, out)


def test_an_absolute_or_relative_path_gives_the_same_dataset(msd, monkeypatch):
    raw, out = msd
    bring("msd-pancreas", raw, out)
    monkeypatch.chdir(raw)
    result = bring("msd-pancreas", Path("Task07_Pancreas"), Path("../other"))
    assert set(statuses(result).values()) == {"done"}
    one, two = (place / "ImageTr/pancreas_001/ct.nii.gz" for place in (out, out.parent / "other"))
    assert os.path.realpath(one) == os.path.realpath(two)


def test_the_wrong_source_is_refused_with_the_likely_one(msd):
    raw, out = msd
    with pytest.raises(ManifestError, match="This looks like msd-pancreas: wirsung import msd-pancreas"):
        bring("amos", raw, out)
    assert not out.exists()


def test_a_damaged_case_fails_alone(msd):
    raw, out = msd
    path = raw / "Task07_Pancreas/imagesTs/pancreas_002.nii.gz"
    path.write_bytes(b"no image")
    result = bring("msd-pancreas", raw, out)
    assert statuses(result) == {"pancreas_001": "done", "pancreas_002": "failed"}
    assert [case.id for case in Dataset.open(out).cases] == ["pancreas_001"]


def test_a_label_map_of_another_shape_fails_its_case(msd):
    raw, out = msd
    save(raw / "Task07_Pancreas/labelsTr/pancreas_001.nii.gz", [1], shape=(4, 4, 5))
    result = bring("msd-pancreas", raw, out)
    (failed,) = [item for item in result.outcomes if item.status == "failed"]
    assert "the label map has shape (4, 4, 5), but the image (4, 4, 4)" in failed.message


def test_a_value_that_the_scheme_lacks_is_named_when_it_is_read(tmp_path):
    fake = BY_NAME["panorama"]
    raw = fake.build(tmp_path / "raw")
    save(raw / "labels/manual_labels/100002_00001.nii.gz", [1, 7, 8])
    bring("panorama", raw, tmp_path / "dataset")
    with pytest.raises(Exception, match=r"100002_00001.*holds the values \[7, 8\], which panorama-6 has not"):
        Dataset.open(tmp_path / "dataset").case("100002_00001").codes()


def test_a_dataset_of_something_else_is_never_written_to(msd, tmp_path):
    raw, out = msd
    (out / "ImageTr/mine").mkdir(parents=True)
    with pytest.raises(ConfigError, match="holds a dataset that was not imported"):
        bring("msd-pancreas", raw, out)
    other = tmp_path / "word"
    bring("word", BY_NAME["word"].build(tmp_path / "raw-word"), other)
    with pytest.raises(ConfigError, match="is the dataset 'word' of another source"):
        bring("msd-pancreas", raw, other)


def test_a_case_that_somebody_else_put_there_is_left(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out)
    (raw / "Task07_Pancreas/imagesTr/pancreas_009.nii.gz").write_bytes(
        (raw / "Task07_Pancreas/imagesTr/pancreas_001.nii.gz").read_bytes()
    )
    mine = save(out / "ImageTr/pancreas_009/ct.nii.gz", [5])
    result = bring("msd-pancreas", raw, out)
    assert statuses(result)["pancreas_009"] == "failed"
    assert mine.is_file()


@pytest.mark.parametrize("place", [".", "inside"])
def test_the_source_is_never_written_to(place, msd):
    raw, _ = msd
    with pytest.raises(ConfigError, match="which is only read"):
        bring("msd-pancreas", raw, raw / place)


def test_without_folder_or_dataset_the_command_is_shown(msd):
    raw, _ = msd
    with pytest.raises(ConfigError, match=r"wirsung import msd-pancreas .*raw --out DATASET"):
        import_source(ImportSettings("msd-pancreas", raw))


def test_rows_without_an_image_and_images_without_a_row_are_both_listed(tmp_path):
    fake = BY_NAME["amos"]
    raw = fake.build(tmp_path / "raw")
    header, first, _ = fake.tables["amos22/labeled_data_meta_0000_0599.csv"]
    save_table(raw / "amos22/labeled_data_meta_0000_0599.csv", [header, first, [7, *first[1:]]])
    result = bring("amos", raw, tmp_path / "dataset")
    lines = "\n".join(result.lines())
    assert "Images without a row in the table: 2 (amos_0500, amos_0508)." in lines
    assert "Rows of the table without an image: 1 (amos_0007)." in lines
    assert "manufacturer could not be read in 2 rows" in lines
    assert set(statuses(result).values()) == {"done"}
    told = json.loads((tmp_path / "dataset/import.json").read_text())
    assert told["rows_of_the_table_without_an_image"] == ["amos_0007"]


def test_what_was_measured_since_stays_in_the_manifest(msd):
    from dataclasses import replace

    from wirsung.datasets.manifest import write_manifest

    raw, out = msd
    bring("msd-pancreas", raw, out)
    write_manifest(out, [replace(row, tumour=True) for row in manifest_rows(Dataset.open(out))])
    bring("msd-pancreas", raw, out)
    assert all(row.tumour for row in manifest_rows(Dataset.open(out)))


def test_ones_own_source_is_a_toml_file(tmp_path):
    (tmp_path / "own-scheme.toml").write_text(
        'schema = 1\nname = "ours"\nforeign = true\nclasses = [{ value = 3, name = "pancreas" }]'
    )
    own = tmp_path / "own.toml"
    own.write_text(
        'schema = 1\nname = "ours"\ntitle = "Ours"\nlabel_scheme = "own-scheme.toml"\n'
        '[[layouts]]\nname = "flat"\n'
        '[[layouts.parts]]\nimage = "{case}.nii.gz"\nlabel = "{case}_seg.nii.gz"\ncase = "p[0-9]"'
    )
    save(tmp_path / "raw/p1.nii.gz", [100])
    save(tmp_path / "raw/p1_seg.nii.gz", [0, 3])
    bring(own, tmp_path / "raw", tmp_path / "dataset")
    own.unlink()
    (tmp_path / "own-scheme.toml").unlink()
    case = Dataset.open(tmp_path / "dataset").case("p1")
    assert first_voxels(case.label_map(scheme("pancreas")), 2) == [0, 1]


def test_workers_give_the_same_dataset(msd):
    raw, out = msd
    bring("msd-pancreas", raw, out / "one")
    bring("msd-pancreas", raw, out / "two", workers=2)
    one, two = (manifest_rows(Dataset.open(out / name)) for name in ("one", "two"))
    assert one == two


def test_a_real_label_map_of_panorama_answers_by_our_names(shared_data, tmp_path):
    """Its own header stands for the image's, as the images are not here."""
    case = "101592_00001"
    raw = tmp_path / "raw"
    raw.mkdir()
    for name in (f"{case}.nii.gz", f"{case}_0000.nii.gz"):
        (raw / name).symlink_to(shared_data / "panorama_labels" / f"{case}.nii.gz")
    (raw / "clinical_information.xlsx").symlink_to(shared_data / "panorama_labels/clinical_information.xlsx")
    bring("panorama", raw, tmp_path / "dataset")
    found = Dataset.open(tmp_path / "dataset").case(case)
    truth = np.asarray(nibabel.load(raw / f"{case}.nii.gz").dataobj).astype(int)
    counts = found.codes().voxel_counts()
    assert counts["pancreatic_lesion"] == np.count_nonzero(truth == 1)
    assert counts["pancreas"] == np.count_nonzero(np.isin(truth, (1, 4, 5)))
    assert counts["arteries"] == np.count_nonzero(truth == 3)
    painted = found.label_map(scheme("pants-28")).voxels
    for theirs, ours in {1: 28, 2: 27, 3: 0, 4: 17, 5: 21, 6: 7}.items():
        assert (painted[truth == theirs] == ours).all()
    (row,) = manifest_rows(Dataset.open(tmp_path / "dataset"))
    assert (row.patient, row.shape_i) == (case[:6], truth.shape[0])
