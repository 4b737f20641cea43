import json

import numpy as np
import pytest

from wirsung.datasets.splits import SplitSettings, split


def test_the_decathlons_table_lists_every_case_by_its_own_words(small_dataset, exported):
    root = small_dataset(cases=4)
    (root / "ImageTe").mkdir()
    (root / "ImageTr/small-03").rename(root / "ImageTe/small-03")
    result = exported("msd", root, scheme="msd-pancreas", id=7, name="Pancreas")
    assert result.root.name == "Task07_Pancreas"
    content = json.loads((result.root / "dataset.json").read_text())
    assert content["labels"] == {"0": "background", "1": "pancreas", "2": "cancer"}
    assert content["modality"] == {"0": "CT"}
    assert (content["numTraining"], content["numTest"]) == (3, 1)
    assert content["training"][0] == {
        "image": "./imagesTr/small-00.nii.gz",
        "label": "./labelsTr/small-00.nii.gz",
    }
    assert content["test"] == ["./imagesTs/small-03.nii.gz"]


def test_every_training_case_says_its_fold(small_dataset, exported):
    root = small_dataset(cases=8)
    made = split(SplitSettings(root, folds=2))
    result = exported("msd", root)
    content = json.loads((result.root / "dataset.json").read_text())
    for item in content["training"]:
        case = item["image"].removeprefix("./imagesTr/").removesuffix(".nii.gz")
        assert case in made.folds[item["fold"]].validation
    assert len(content["training"]) == 8


@pytest.mark.slow
def test_monai_loads_it(small_dataset, exported, read):
    pytest.importorskip("monai")
    from monai.data import load_decathlon_datalist

    root = small_dataset(cases=4)
    (root / "ImageTe").mkdir()
    (root / "ImageTr/small-03").rename(root / "ImageTe/small-03")
    result = exported("msd", root, scheme="msd-pancreas")
    training = load_decathlon_datalist(result.root / "dataset.json", True, "training")
    assert len(training) == 3
    for item in training:
        assert read(item["image"]).shape == read(item["label"]).shape
        assert set(np.unique(read(item["label"]))) <= {0, 1, 2}
    (tested,) = load_decathlon_datalist(result.root / "dataset.json", True, "test")
    assert read(tested["image"]).shape == (12, 10, 8)
