"""v1's plans in v2's words."""

from collections import OrderedDict

import numpy as np
import pytest

from wirsung.errors import CheckpointError
from wirsung.models.plans import parse_plans
from wirsung.models.v1_checkpoint_plans import parse_v1_plans, v2_dataset, v2_plans

T1_STAGE = {
    "batch_size": 2,
    "num_pool_per_axis": [3, 5, 5],
    "patch_size": np.array([32, 224, 224]),
    "median_patient_size_in_voxels": np.array([47, 270, 297]),
    "current_spacing": np.array([4.4, 1.09375, 1.09375]),
    "do_dummy_2D_data_aug": True,
    "pool_op_kernel_sizes": [[1, 2, 2], [1, 2, 2], [2, 2, 2], [2, 2, 2], [2, 2, 2]],
    "conv_kernel_sizes": [[1, 3, 3], [1, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3], [3, 3, 3]],
}
CT = {
    "mean": 77.9,
    "sd": 75.4,
    "mn": -1024.0,
    "mx": 3071.0,
    "median": 80.0,
    "percentile_00_5": -96.0,
    "percentile_99_5": 215.0,
}
ARCHITECTURE = {"network_class_name": "somewhere.Network", "arch_kwargs": {}}


def _plans(**changes):
    return {
        "num_modalities": 1,
        "modalities": {0: "T1"},
        "normalization_schemes": OrderedDict({0: "nonCT"}),
        "dataset_properties": {"intensityproperties": None},
        "list_of_npz_files": ["a", "b", "c"],
        "num_classes": 1,
        "all_classes": np.array([1]),
        "base_num_features": 32,
        "use_mask_for_norm": OrderedDict({0: False}),
        "transpose_forward": [0, 1, 2],
        "transpose_backward": [0, 1, 2],
        "plans_per_stage": {0: T1_STAGE},
        **changes,
    }


def test_the_published_plan_for_t1_is_that_of_the_shape_walk():
    stage = parse_v1_plans(_plans(), "plans.pkl").stages[0]
    assert stage.features == (32, 64, 128, 256, 320, 320)
    assert stage.strides == ((1, 1, 1), (1, 2, 2), (1, 2, 2), (2, 2, 2), (2, 2, 2), (2, 2, 2))
    assert stage.patch_size == (32, 224, 224)


def test_the_intensities_of_ct_keep_their_meaning_under_v2s_names():
    content = _plans(
        num_modalities=2,
        modalities={0: "CT", 1: "PET"},
        normalization_schemes={0: "CT", 1: "noNorm"},
        use_mask_for_norm={0: False, 1: True},
        dataset_properties={"intensityproperties": {0: CT, 1: None}},
    )
    plans = parse_v1_plans(content, "plans.pkl")
    made = parse_plans(v2_plans(plans, 0, ARCHITECTURE, "Dataset001_X"))
    configuration = made.configuration("3d_fullres")
    assert (made.intensities[0].mean, made.intensities[0].std) == (77.9, 75.4)
    assert (made.intensities[0].percentile_00_5, made.intensities[0].percentile_99_5) == (-96.0, 215.0)
    assert configuration.normalisations == ("CTNormalization", "NoNormalization")
    assert configuration.inside_mask_only == (False, True)
    assert [configuration.image_resampling.order, configuration.logit_resampling.order] == [3, 1]
    assert v2_dataset(plans, ["a"])["channel_names"] == {"0": "CT", "1": "PET"}
    assert v2_dataset(plans, ["a"])["numTraining"] == 3


def test_of_two_stages_the_coarse_one_is_lowres():
    plans = parse_v1_plans(_plans(plans_per_stage={1: T1_STAGE, 0: {**T1_STAGE, "batch_size": 4}}), "p")
    assert [plans.name_of(stage) for stage in (0, 1)] == ["3d_lowres", "3d_fullres"]
    assert [stage.batch_size for stage in plans.stages] == [4, 2]
    assert list(v2_plans(plans, 0, ARCHITECTURE, "D")["configurations"]) == ["3d_lowres"]


def _stage(**changes):
    return {"plans_per_stage": {0: {**T1_STAGE, **changes}}}


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({"num_classes": 2}, "all_classes, which must be 1 to 2"),
        ({"num_classes": 10**6}, "num_classes, which must be 1 to 1000"),
        ({"base_num_features": 10**6}, "base_num_features"),
        ({"base_num_features": True}, "base_num_features"),
        ({"normalization_schemes": {0: "CT"}}, "intensityproperties"),
        ({"normalization_schemes": {0: "CT2"}}, "'CT2' is unknown here"),
        ({"transpose_forward": [0, 0, 1]}, "must be the axes 0, 1 and 2"),
        ({"use_mask_for_norm": {}}, "lack or contradict 0"),
        (_stage(patch_size=[224, 224]), "a 2D network"),
        (_stage(patch_size=[32, 224, 10**6]), "patch_size, which must be 1 to 4096"),
        (_stage(conv_kernel_sizes=[[3, 3, 3]]), "of which there are 1 for 5 poolings"),
        (_stage(pool_op_kernel_sizes=[[2, 2, 99]] * 5), "pool_op_kernel_sizes"),
        (_stage(current_spacing=[1.0]), "lack or contradict"),
        (_stage(current_spacing=[1.0, 0.0, 1.0]), "above 0 mm"),
        (_stage(current_spacing=[1.0, float("nan"), 1.0]), "current_spacing, which must be a number"),
        (_stage(median_patient_size_in_voxels=[float("inf")]), "lack or contradict"),
        ({"dataset_properties": None}, "lack or contradict"),
        (
            {
                "normalization_schemes": {0: "CT"},
                "dataset_properties": {"intensityproperties": {0: {**CT, "sd": float("nan")}}},
            },
            "sd, which must be a number",
        ),
    ],
)
def test_plans_that_make_no_network_are_refused_with_what_is_wrong(changes, said):
    with pytest.raises(CheckpointError, match=said):
        parse_v1_plans(_plans(**changes), "plans.pkl")


@pytest.mark.parametrize("content", [None, [], {}, {"plans": 1}])
def test_what_is_no_plan_is_said_so(content):
    with pytest.raises(CheckpointError, match=r"plans\.pkl holds no plans of nnU-Net v1"):
        parse_v1_plans(content, "plans.pkl")


def test_each_key_that_is_missing_is_named():
    for key in _plans():
        content = _plans()
        content.pop(key)
        if key == "list_of_npz_files":
            assert parse_v1_plans(content, "p").cases == 0
            continue
        with pytest.raises(CheckpointError, match=key if key != "plans_per_stage" else "no plans"):
            parse_v1_plans(content, "plans.pkl")
