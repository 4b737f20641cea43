import json
import os
import shutil
import subprocess
import sys

import nibabel
import numpy as np
import pytest

from wirsung.datasets.description import Description, write_description
from wirsung.datasets.exports.permission import NOTICE_FILE
from wirsung.errors import ConfigError, ManifestError


def statuses(result):
    return {item.case: item.status for item in result.outcomes}


@pytest.mark.parametrize("form", ["nnunet", "msd", "bids"])
def test_the_second_run_changes_no_file_of_a_case(small_dataset, exported, snapshot, form):
    root = small_dataset(cases=3)
    first = exported(form, root)
    before = snapshot(first.root)
    second = exported(form, root)
    assert set(statuses(second).values()) == {"skipped"}
    assert second.lines() == first.lines()
    after = snapshot(second.root)
    assert {name: content for name, (content, _) in before.items()} == {
        name: content for name, (content, _) in after.items()
    }
    images = [name for name in before if name.endswith(".nii.gz")]
    assert len(images) == 6
    assert [before[name] for name in images] == [after[name] for name in images]


@pytest.mark.parametrize("form", ["nnunet", "msd", "bids"])
def test_the_dataset_is_only_read(small_dataset, exported, snapshot, form):
    root = small_dataset(cases=2)
    before = snapshot(root)
    exported(form, root)
    assert snapshot(root) == before


def test_a_bad_case_fails_alone_and_comes_when_it_is_mended(small_dataset, exported):
    root = small_dataset(cases=3)
    image = root / "ImageTr/small-01/ct.nii.gz"
    whole = image.read_bytes()
    image.write_bytes(whole[:50])
    result = exported("nnunet", root)
    assert statuses(result) == {"small-00": "done", "small-01": "failed", "small-02": "done"}
    assert json.loads((result.root / "dataset.json").read_text())["numTraining"] == 2
    assert not (result.root / "imagesTr/small-01_0000.nii.gz").exists()
    image.write_bytes(whole)
    result = exported("nnunet", root)
    assert statuses(result) == {"small-00": "skipped", "small-01": "done", "small-02": "skipped"}
    assert json.loads((result.root / "dataset.json").read_text())["numTraining"] == 3


def test_a_case_that_left_the_dataset_leaves_the_export(small_dataset, exported):
    root = small_dataset(cases=3)
    (root / "manifest.parquet").unlink()
    exported("msd", root)
    shutil.rmtree(root / "ImageTr/small-01")
    result = exported("msd", root)
    assert sorted(path.name for path in (result.root / "labelsTr").iterdir()) == [
        "small-00.nii.gz",
        "small-02.nii.gz",
    ]
    assert not (result.root / "imagesTr/small-01.nii.gz").is_symlink()


def test_another_scheme_makes_the_label_maps_anew(small_dataset, exported, read):
    root = small_dataset(cases=2)
    exported("msd", root, scheme="msd-pancreas")
    result = exported("msd", root, scheme="pancreas")
    assert set(statuses(result).values()) == {"done"}
    assert read(result.root / "labelsTr/small-00.nii.gz").max() == 1


def test_something_else_in_the_way_is_never_touched(small_dataset, exported, tmp_path):
    root = small_dataset(cases=2)
    (tmp_path / "out" / "Task01_small").mkdir(parents=True)
    (tmp_path / "out" / "Task01_small" / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="is not empty and no export of wirsung"):
        exported("msd", root)
    for inside in (root, root / "exports"):
        with pytest.raises(ConfigError, match="lies in the dataset, which is only read"):
            exported("bids", root, inside)
    exported("bids", root, tmp_path / "bids")
    with pytest.raises(ConfigError, match="holds a bids export of small"):
        exported("bids", small_dataset("other", cases=2), tmp_path / "bids")


def test_a_licence_that_forbids_it_is_refused_and_own_use_leaves_a_notice(small_dataset, exported, tmp_path):
    root = small_dataset(cases=2, source="pants", licence="CC-BY-NC-ND-4.0")
    with pytest.raises(ConfigError, match=r"PanTS.*CC-BY-NC-ND-4\.0.*forbids.*--own-use"):
        exported("nnunet", root)
    assert not (tmp_path / "out").exists()
    result = exported("nnunet", root, own_use=True)
    assert "do not pass these files on" in (result.root / NOTICE_FILE).read_text()


def test_a_release_of_pants_is_known_by_its_cases_alone(small_dataset, exported):
    root = small_dataset("PanTS_", cases=2)
    (root / "dataset.toml").unlink()
    (root / "manifest.parquet").unlink()
    with pytest.raises(ConfigError, match=r"PanTS.*CC-BY-NC-ND-4\.0"):
        exported("msd", root)


def test_a_table_without_images_is_no_export(small_dataset, exported, shared_data):
    folder = shared_data / "pants_metadata"
    with pytest.raises(ManifestError, match="no images, only a table"):
        exported("nnunet", folder)


def test_where_no_case_can_be_exported_no_dataset_json_is_written(small_dataset, exported):
    root = small_dataset(cases=1)
    (root / "ImageTr/small-00/ct.nii.gz").write_bytes(b"")
    result = exported("nnunet", root)
    assert statuses(result) == {"small-00": "failed"}
    assert not (result.root / "dataset.json").exists()


@pytest.fixture
def real(shared_data, tmp_path):
    """Two real label maps of PANORAMA, with made-up images on their grids."""
    root = tmp_path / "real"
    for case in ("101592_00001", "101969_00001"):
        labels = shared_data / "panorama_labels" / f"{case}.nii.gz"
        found = nibabel.load(labels)
        (root / "ImageTr" / case).mkdir(parents=True)
        image = nibabel.Nifti1Image(np.zeros(found.shape, np.int16), found.affine)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, root / "ImageTr" / case / "ct.nii.gz")
        (root / "LabelTr" / case).mkdir(parents=True)
        (root / "LabelTr" / case / "label_map.nii.gz").symlink_to(labels)
    write_description(root, Description("real", source="panorama", label_scheme="panorama-6"))
    return root


@pytest.mark.slow
def test_real_label_maps_keep_every_voxel_and_merge_as_the_scheme_says(real, exported, read, tmp_path):
    same = exported("nnunet", real, tmp_path / "same").root
    merged = exported("nnunet", real, tmp_path / "merged", scheme="pants-2").root
    content = json.loads((same / "dataset.json").read_text())
    assert list(content["labels"]) == [
        "background", "pdac_lesion", "veins", "arteries", "pancreas", "pancreatic_duct", "common_bile_duct",
    ]  # fmt: skip
    for case in ("101592_00001", "101969_00001"):
        truth = np.rint(read(real / "LabelTr" / case / "label_map.nii.gz")).astype(int)
        assert np.array_equal(read(same / "labelsTr" / f"{case}.nii.gz"), truth)
        # By hand: 4 pancreas and 5 its duct make the pancreas; 1 is the lesion.
        expected = np.isin(truth, (4, 5)) + 2 * (truth == 1)
        assert np.array_equal(read(merged / "labelsTr" / f"{case}.nii.gz"), expected)
        assert expected.max() >= 1


def test_two_workers_make_the_same(small_dataset, exported, snapshot, tmp_path):
    root = small_dataset(cases=3)
    one = snapshot(exported("msd", root, tmp_path / "one", copy=True).root)
    two = snapshot(exported("msd", root, tmp_path / "two", copy=True, workers=2).root)
    assert {name: content for name, (content, _) in one.items() if ".wirsung" not in name} == {
        name: content for name, (content, _) in two.items() if ".wirsung" not in name
    }


def test_a_killed_run_leaves_no_half_file_and_the_next_one_ends_it(small_dataset, exported, tmp_path):
    root = small_dataset(cases=3)
    code = """
import os, signal, sys
import wirsung.datasets.exports.placing as placing
def die(path, volume, real=placing.write_nifti):
    if "small-01" in path.name:
        path.with_name(".partial-half-" + path.name).write_bytes(b"half")
        os.kill(os.getpid(), signal.SIGKILL)
    real(path, volume)
placing.write_nifti = die
from wirsung.cli import main
main(["export", "msd", *sys.argv[1:]])
"""
    command = [sys.executable, "-c", code, str(root), str(tmp_path / "out")]
    ended = subprocess.run(
        command, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"}, capture_output=True
    )
    assert ended.returncode == -9
    result = exported("msd", root)
    assert statuses(result) == {"small-00": "skipped", "small-01": "done", "small-02": "done"}
    assert not list(result.root.rglob(".partial-*"))
