import json
import os
import subprocess
import sys

import nibabel
import pytest

from wirsung.datasets.splits import SplitSettings, split


def test_a_raw_dataset_has_nnunets_names_and_the_datas_values(small_dataset, exported, read):
    root = small_dataset(cases=4)
    result = exported("nnunet", root, scheme="msd-pancreas", id=12)
    assert result.root.name == "Dataset012_small"
    content = json.loads((result.root / "dataset.json").read_text())
    assert content["channel_names"] == {"0": "CT"}
    assert content["labels"] == {"background": 0, "pancreas": 1, "cancer": 2}
    assert (content["numTraining"], content["file_ending"]) == (4, ".nii.gz")
    assert "overwrite_image_reader_writer" not in content
    assert (result.root / "imagesTr/small-03_0000.nii.gz").is_file()
    assert read(result.root / "labelsTr/small-03.nii.gz")[7, 5, 3] == 2
    assert any("wirsung split" in line for line in result.lines())


def test_test_cases_lie_apart_and_their_labels_where_nnunet_does_not_look(small_dataset, exported):
    root = small_dataset(cases=4)
    (root / "ImageTe").mkdir()
    (root / "LabelTe").mkdir()
    for case in ("small-02", "small-03"):
        (root / "ImageTr" / case).rename(root / "ImageTe" / case)
        (root / "LabelTr" / case).rename(root / "LabelTe" / case)
    (root / "LabelTe/small-03/segmentations/liver.nii.gz").unlink()
    result = exported("nnunet", root, scheme="demo-7")
    assert sorted(path.name for path in (result.root / "imagesTs").iterdir()) == [
        "small-02_0000.nii.gz",
        "small-03_0000.nii.gz",
    ]
    assert [path.name for path in (result.root / "labelsTs").iterdir()] == ["small-02.nii.gz"]
    assert json.loads((result.root / "dataset.json").read_text())["numTraining"] == 2


def test_the_folds_are_those_of_the_split_without_the_cases_that_failed(small_dataset, exported):
    root = small_dataset(cases=8)
    made = split(SplitSettings(root, folds=2))
    (root / "LabelTr/small-05/segmentations/liver.nii.gz").unlink()
    result = exported("nnunet", root)
    assert [item.case for item in result.outcomes if item.status == "failed"] == ["small-05"]
    folds = json.loads((result.root / "splits_final.json").read_text())
    for fold, ours in zip(folds, made.folds, strict=True):
        assert fold["train"] == [case for case in ours.train if case != "small-05"]
        assert fold["val"] == [case for case in ours.validation if case != "small-05"]
    assert json.loads((result.root / "dataset.json").read_text())["numTraining"] == 7


def test_images_of_several_axis_orders_get_a_reader_that_turns_them(small_dataset, exported):
    root = small_dataset(cases=2)
    for path in (root / "ImageTr/small-01").glob("*.nii.gz"):
        nibabel.save(nibabel.load(path).as_reoriented([[0, -1], [1, 1], [2, 1]]), path)
    result = exported("nnunet", root)
    content = json.loads((result.root / "dataset.json").read_text())
    assert content["overwrite_image_reader_writer"] == "NibabelIOWithReorient"
    assert any("axes LPS, RPS" in line for line in result.lines())


CHECK = """
import sys
from nnunetv2.experiment_planning.verify_dataset_integrity import verify_dataset_integrity
if __name__ == "__main__":
    for folder in sys.argv[1:]:
        verify_dataset_integrity(folder, 1)
"""


@pytest.mark.slow
def test_nnunets_own_check_accepts_it(small_dataset, exported, tmp_path):
    pytest.importorskip("nnunetv2")
    linked, turned = small_dataset(cases=3), small_dataset("turned", cases=3)
    for path in (turned / "ImageTr/turned-01").glob("*.nii.gz"):
        nibabel.save(nibabel.load(path).as_reoriented([[0, -1], [1, 1], [2, 1]]), path)
    roots = [
        exported("nnunet", linked, tmp_path / "a", scheme="demo-7").root,
        exported("nnunet", turned, tmp_path / "b", scheme="msd-pancreas").root,
    ]
    script = tmp_path / "check.py"
    script.write_text(CHECK)
    environment = {**os.environ, "OMP_NUM_THREADS": "1"}
    command = [sys.executable, str(script), *map(str, roots)]
    ended = subprocess.run(command, capture_output=True, text=True, check=False, env=environment)
    assert ended.returncode == 0, ended.stderr
    assert ended.stdout.count("verify_dataset_integrity Done") == 2
    assert "Warning" not in ended.stdout
    assert "Error" not in ended.stdout
