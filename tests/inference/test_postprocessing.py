"""After the network: pieces that go, against nnU-Net's own function, scipy and hand counts."""

import json

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra import numpy as arrays
from scipy import ndimage

from wirsung.errors import CheckpointError
from wirsung.imaging.volume import Volume
from wirsung.inference.postprocessing import NNUNET_FILE, Postprocessing, nnunet_steps
from wirsung.models.folder import ModelClass

AFFINE = np.diag([1.0, 2.0, 5.0, 1.0])  # a voxel is 0.01 ml
PANTS = (
    ModelClass(1, 3, "aorta"),
    ModelClass(2, 17, "pancreas_head"),
    ModelClass(3, 18, "pancreas_body"),
    ModelClass(4, 28, "pancreatic_lesion"),
    ModelClass(5, 14, "liver"),
)

NUMBERS = {item.index: item.value for item in PANTS}


def line(*values):
    """One row of voxels."""
    return Volume(np.array(values, np.uint8).reshape(-1, 1, 1), AFFINE)


def row(volume):
    return volume.voxels.ravel().tolist()


label_maps = arrays.arrays(np.uint8, (5, 6, 4), elements=st.integers(0, 3))


@given(label_maps, st.sampled_from([(1,), (2,), (1, 2, 3)]))
def test_the_largest_piece_is_the_one_that_nnunet_keeps(labels, values):
    from nnunetv2.postprocessing.remove_connected_components import (
        remove_all_but_largest_component_from_segmentation as theirs,
    )

    made, _ = Postprocessing(largest=(values,))(Volume(labels, AFFINE), ())
    np.testing.assert_array_equal(made.voxels, theirs(labels, list(values)))


@given(label_maps)
def test_nothing_but_what_is_said_to_be_removed_changes(labels):
    classes = tuple(
        ModelClass(value, value, name) for value, name in ((1, "pancreas"), (2, "pancreatic_lesion"))
    )
    steps = Postprocessing(one_piece=True, lesion_in_pancreas=True, smallest_lesion_ml=0.02)
    made, removed = steps(Volume(labels, AFFINE), classes)
    changed = made.voxels != labels
    assert (made.voxels[changed] == 0).all()
    assert sum(item.volume_ml for item in removed) == pytest.approx(changed.sum() * 0.01)


@given(label_maps)
def test_each_piece_of_lesion_that_stays_touches_the_pancreas(labels):
    classes = (ModelClass(1, 1, "pancreas"), ModelClass(2, 2, "pancreatic_lesion"))
    made, _ = Postprocessing(lesion_in_pancreas=True)(Volume(labels, AFFINE), classes)
    numbered, count = ndimage.label(labels == 2, np.ones((3, 3, 3)))
    pancreas = labels == 1
    for number in range(1, count + 1):
        piece = numbered == number
        touches = (ndimage.binary_dilation(piece, np.ones((3, 3, 3))) & pancreas).any()
        kept = (made.voxels[piece] == 2).all()
        assert kept == (touches or not pancreas.any())


def test_parts_of_the_pancreas_are_one_piece_together():
    label_map = line(17, 17, 18, 0, 17, 0, 14, 0, 0)
    made, removed = Postprocessing(one_piece=True)(label_map, PANTS)
    assert row(made) == [17, 17, 18, 0, 0, 0, 14, 0, 0]
    assert [(item.step, item.structures, item.pieces) for item in removed] == [
        ("largest", ("pancreas_head",), 1)
    ]
    assert removed[0].volume_ml == pytest.approx(0.01)


def test_a_lesion_joins_two_parts_of_the_pancreas_and_is_never_cut_by_the_rule_of_one_piece():
    label_map = line(17, 28, 18, 0, 28, 0)
    made, removed = Postprocessing(one_piece=True)(label_map, PANTS)
    assert row(made) == row(label_map)
    assert removed == ()


def test_a_lesion_away_from_the_pancreas_goes_and_one_that_touches_it_stays():
    label_map = line(17, 28, 0, 28, 28, 0, 14, 28)
    made, removed = Postprocessing(lesion_in_pancreas=True)(label_map, PANTS)
    assert row(made) == [17, 28, 0, 0, 0, 0, 14, 0]
    assert (removed[0].pieces, removed[0].structures) == (2, ("pancreatic_lesion",))


def test_without_any_pancreas_a_lesion_stays():
    label_map = line(28, 0, 14)
    made, removed = Postprocessing(lesion_in_pancreas=True)(label_map, PANTS)
    assert row(made) == [28, 0, 14]
    assert removed == ()


def test_a_lesion_of_just_the_smallest_volume_stays_and_a_smaller_one_goes():
    label_map = line(28, 28, 28, 0, 28, 28, 0)
    made, _ = Postprocessing(smallest_lesion_ml=0.03)(label_map, PANTS)
    assert row(made) == [28, 28, 28, 0, 0, 0, 0]


def test_an_empty_label_map_stays_empty():
    made, removed = Postprocessing((((1, 2)),), True, True, 1.0)(line(0, 0, 0), PANTS)
    assert row(made) == [0, 0, 0]
    assert removed == ()


def test_no_step_changes_nothing():
    label_map = line(28, 0, 17, 0, 17)
    made, removed = Postprocessing()(label_map, PANTS)
    assert row(made) == row(label_map)
    assert removed == ()


def test_the_given_label_map_is_not_changed():
    label_map = line(14, 14, 0, 14)
    Postprocessing(one_piece=True)(label_map, PANTS)
    assert row(label_map) == [14, 14, 0, 14]


def write(folder, functions, arguments):
    content = {"postprocessing_fns": functions, "postprocessing_kwargs": arguments}
    (folder / NNUNET_FILE).write_text(json.dumps(content))


KNOWN = "remove_all_but_largest_component_from_segmentation"


def test_nnunets_file_is_read_as_it_writes_it(tmp_path):
    write(
        tmp_path,
        [KNOWN] * 3,
        [{"labels_or_regions": [1, 2, 3]}, {"labels_or_regions": 5}, {"labels_or_regions": [[2, 3], 4]}],
    )
    assert nnunet_steps(tmp_path, NUMBERS) == ((3, 17, 18), (14,), (17, 18, 28))


def test_nnunets_file_that_asks_for_nothing_is_no_step(tmp_path):
    write(tmp_path, [], [])
    assert nnunet_steps(tmp_path, NUMBERS) == ()


def test_nnunets_own_run_is_followed(tmp_path):
    """nnU-Net determines its postprocessing for real; its file is read, and the result is its own."""
    import SimpleITK
    from nnunetv2.postprocessing.remove_connected_components import determine_postprocessing

    reference, prediction = tmp_path / "reference", tmp_path / "prediction"
    random = np.random.default_rng(3)
    for case in ("a", "b"):
        truth = np.zeros((12, 12, 12), np.uint8)
        truth[3:8, 3:9, 2:7] = 1
        said = truth.copy()
        said[tuple(random.integers(9, 12, (3, 12)))] = 1
        for folder, labels in ((reference, truth), (prediction, said)):
            folder.mkdir(exist_ok=True)
            SimpleITK.WriteImage(SimpleITK.GetImageFromArray(labels), str(folder / f"{case}.nii.gz"))
    plans = {
        "dataset_name": "Dataset001_Test",
        "plans_name": "p",
        "image_reader_writer": "SimpleITKIO",
        "label_manager": "LabelManager",
        "configurations": {},
    }
    table = {
        "labels": {"background": 0, "liver": 1},
        "channel_names": {"0": "CT"},
        "file_ending": ".nii.gz",
        "numTraining": 2,
    }
    determine_postprocessing(str(prediction), str(reference), plans, table, num_processes=1)
    liver = (ModelClass(1, 14, "liver"),)
    steps = nnunet_steps(prediction, {1: 14})
    assert steps == ((14,),)
    for case in ("a", "b"):
        said = SimpleITK.GetArrayFromImage(SimpleITK.ReadImage(str(prediction / f"{case}.nii.gz"))).T
        theirs = SimpleITK.GetArrayFromImage(
            SimpleITK.ReadImage(str(prediction / f"postprocessed/{case}.nii.gz"))
        ).T
        made, _ = Postprocessing(largest=steps)(Volume(said * 14, AFFINE), liver)
        np.testing.assert_array_equal(made.voxels, theirs * 14)


@pytest.mark.parametrize(
    ("functions", "arguments", "said"),
    [
        (["os.system"], [{"labels_or_regions": 1}], "os.system"),
        ([KNOWN], [], "another number of steps"),
        ([KNOWN], [{"labels_or_regions": 9}], "label 9"),
        ([KNOWN], [{"labels": 1}], "damaged"),
    ],
)
def test_a_file_that_asks_for_something_else_is_refused(tmp_path, functions, arguments, said):
    write(tmp_path, functions, arguments)
    with pytest.raises(CheckpointError, match=said):
        nnunet_steps(tmp_path, NUMBERS)


def test_a_pickle_alone_is_not_opened_and_the_message_says_so(tmp_path):
    (tmp_path / "postprocessing.pkl").write_bytes(b"cos\nsystem\n(S'touch " + bytes(tmp_path) + b"/run'\ntR.")
    with pytest.raises(CheckpointError, match="pickle, which is never opened"):
        nnunet_steps(tmp_path, NUMBERS)
    assert not (tmp_path / "run").exists()
