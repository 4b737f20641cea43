"""Patches centred on the lesion, drawn by nnU-Net's own loader over preprocessed cases."""

import json
import os
import pickle

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.label_handling.label_handling import LabelManager

from wirsung.models.plans import parse_plans
from wirsung.training.batch_size import LesionPatches, with_lesion_patches
from wirsung.training.lesion_centring import (
    CASES_FILE,
    LesionCentring,
    centre_on_lesion,
    lesion_cases,
    share_of,
)

LESION = 2
SHAPE = (24, 30, 36)
PLACES = {"p1": (5, 20, 30), "p3": (20, 4, 8)}
"""The one lesion voxel of the cases that have one; the organ is everywhere else in the middle."""


MANAGER = LabelManager({"background": 0, "organ": 1, "lesion": LESION}, None)


@pytest.fixture(scope="module")
def folder(tmp_path_factory):
    root = tmp_path_factory.mktemp("data") / "cases"
    root.mkdir()
    for case in ("p0", "p1", "p2", "p3"):
        labels = np.zeros((1, *SHAPE), np.int16)
        labels[0, 8:16, 8:20, 8:20] = 1
        locations = {1: np.argwhere(labels == 1), LESION: np.zeros((0, 4), np.int64)}
        if case in PLACES:
            labels[0][PLACES[case]] = LESION
            locations[LESION] = np.array([[0, *PLACES[case]]])
        properties = {"class_locations": locations}
        whole = dict.fromkeys(("chunks", "blocks", "chunks_seg", "blocks_seg"), (1, *SHAPE))
        image = np.zeros((1, *SHAPE), np.float32)
        nnUNetDatasetBlosc2.save_case(image, labels, properties, str(root / case), **whole)
    return root


def loader(folder, batch, patch=(9, 9, 9)):
    data = nnUNetDatasetBlosc2(str(folder), ["p0", "p1", "p2", "p3"])
    return nnUNetDataLoader(data, batch, patch, patch, MANAGER, 0.33)


def patches(fraction):
    return LesionPatches(fraction, "pancreatic_lesion", LESION, "")


def drawn(loader, steps, seed=0):
    np.random.seed(seed)  # noqa: NPY002 - what the loader draws from
    return [loader.generate_train_batch() for _ in range(steps)]


def held(batch):
    """Whether each patch has the lesion in its middle."""
    return [bool(target[0, 4, 4, 4] == LESION) for target in batch["target"]]


def test_one_patch_of_four_is_centred_on_the_lesion_in_every_batch(folder):
    made = loader(folder, 4)
    LesionCentring(made, LESION, 1.0, ["p1", "p3"])
    batches = drawn(made, 40)
    assert all(held(batch)[0] for batch in batches)
    assert {str(batch["keys"][0]) for batch in batches} == {"p1", "p3"}
    assert sum(sum(held(batch)[1:]) for batch in batches) < 40  # the others as nnU-Net draws them


def test_by_itself_nnunet_seldom_does(folder):
    batches = drawn(loader(folder, 4), 40)
    assert sum(any(held(batch)) for batch in batches) < 25


def test_of_two_patches_one_is_centred_in_about_every_second_batch(folder):
    made = loader(folder, 2)
    LesionCentring(made, LESION, 0.5, ["p1", "p3"])
    first = np.mean([held(batch)[0] for batch in drawn(made, 200)])
    assert 0.4 < first < 0.65


def test_without_a_case_that_has_one_all_is_drawn_as_nnunet_draws_it(folder):
    own, ours = loader(folder, 4), loader(folder, 4)
    LesionCentring(ours, LESION, 1.0, [])
    for one, other in zip(drawn(own, 5), drawn(ours, 5), strict=True):
        assert list(one["keys"]) == list(other["keys"])
        np.testing.assert_array_equal(one["target"], other["target"])


def test_the_draw_depends_on_the_seed_alone(folder):
    made = loader(folder, 4)
    LesionCentring(made, LESION, 1.2, ["p1", "p3"])
    once, again = drawn(made, 6, seed=3), drawn(made, 6, seed=3)
    assert [list(batch["keys"]) for batch in once] == [list(batch["keys"]) for batch in again]
    for one, other in zip(once, again, strict=True):
        np.testing.assert_array_equal(one["target"], other["target"])


def test_other_processes_draw_the_same(folder):
    made = loader(folder, 4)
    LesionCentring(made, LESION, 1.0, ["p1", "p3"])
    sent = pickle.loads(pickle.dumps(made))
    for one, other in zip(drawn(made, 4), drawn(sent, 4), strict=True):
        assert list(one["keys"]) == list(other["keys"])
        np.testing.assert_array_equal(one["target"], other["target"])


RESAMPLING = {
    f"resampling_fn_{kind}{end}": value
    for kind, order in (("data", 3), ("seg", 1), ("probabilities", 1))
    for end, value in (
        ("", "resample_data_or_seg_to_shape"),
        ("_kwargs", {"order": order, "order_z": 0, "force_separate_z": None}),
    )
}
CONFIGURATION = {
    "data_identifier": "cases",
    "batch_size": 4,
    "patch_size": [9, 9, 9],
    "spacing": [1.0, 1.0, 1.0],
    "normalization_schemes": ["CTNormalization"],
    "use_mask_for_norm": [False],
    "architecture": {"network_class_name": "", "arch_kwargs": {}, "_kw_requires_import": []},
    **RESAMPLING,
}


def plans_of(**further):
    """Plans of which only the batch and what is told of its patches matter here."""
    content = {
        "dataset_name": "Dataset001",
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "foreground_intensity_properties_per_channel": {},
        "configurations": {"3d_fullres": CONFIGURATION},
    }
    return parse_plans({**content, **further})


def test_nnunets_plans_change_no_loader(folder):
    made = loader(folder, 4)
    centre_on_lesion(made, plans_of(), folder)
    assert "get_bbox" not in vars(made)


@given(st.floats(0, 1), st.integers(1, 12), st.data())
def test_processes_that_share_a_batch_share_what_is_wanted(fraction, batch, data):
    processes = data.draw(st.integers(1, batch))
    shares = [share_of(fraction * batch, batch, rank, processes) for rank in range(processes)]
    assert sum(shares) == pytest.approx(fraction * batch)
    # One patch that is wanted in every batch is always with the same process.
    assert sum(share % 1 > 0 for share in shares) <= 1


def test_a_loader_is_told_by_the_plans(folder):
    made = loader(folder, 4)
    centre_on_lesion(made, with_lesion_patches(plans_of(), patches(0.25)), folder)
    assert all(held(batch)[0] for batch in drawn(made, 10))


def test_which_cases_hold_the_lesion_is_looked_up_once(folder):
    cases = ["p0", "p1", "p2", "p3"]
    assert lesion_cases(folder, cases, LESION) == ("p1", "p3")
    assert lesion_cases(folder, cases, 1) == tuple(cases)
    assert lesion_cases(folder, ["p1", "p0"], LESION) == ("p1",)
    path = folder.parent / CASES_FILE
    content = json.loads(path.read_text())
    content["cases"]["p0"] = {**content["cases"]["p1"], "state": state(folder / "p0.pkl")}
    path.write_text(json.dumps(content))
    assert lesion_cases(folder, ["p0", "p1"], LESION) == ("p0", "p1")  # as the file says
    os.utime(folder / "p0.pkl", ns=(1, 1))  # made anew: looked up anew
    assert lesion_cases(folder, ["p0", "p1"], LESION) == ("p1",)
    path.write_text("cut sho")
    assert lesion_cases(folder, ["p0", "p1"], LESION) == ("p1",)


def state(path):
    return [path.stat().st_size, path.stat().st_mtime_ns]
