"""The case that pictures show, and where it lies."""

import json
from itertools import permutations

import nibabel
import numpy as np
import pytest
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2

from wirsung.models.plans import parse_plans
from wirsung.training.watching.shown_case import ShownCase, outlines_of, shown_case

TABLE = {"labels": {"background": 0, "liver": 1, "pancreas": 2, "pancreatic_lesion": 3}}
SHAPE = (20, 30, 40)


def save(folder, case, pancreas=(), lesion=()):
    labels = np.zeros((1, *SHAPE), np.int16)
    for value, box in ((2, pancreas), (3, lesion)):
        if box:
            labels[0][tuple(slice(*side) for side in box)] = value
    image = np.arange(labels.size, dtype=np.float32).reshape(labels.shape)
    locations = {value: np.argwhere(labels == value) for value in (1, 2, 3)}
    whole = dict.fromkeys(("chunks", "blocks", "chunks_seg", "blocks_seg"), (1, *SHAPE))
    folder.mkdir(exist_ok=True)
    nnUNetDatasetBlosc2.save_case(image, labels, {"class_locations": locations}, str(folder / case), **whole)
    return image[0], labels[0]


def test_the_largest_lesion_is_shown_and_what_lies_around_it(tmp_path):
    save(tmp_path / "cases", "a", pancreas=((2, 12), (2, 20), (2, 20)))
    save(tmp_path / "cases", "b", pancreas=((2, 9), (2, 9), (2, 9)), lesion=((3, 5), (3, 5), (3, 5)))
    image, labels = save(
        tmp_path / "cases",
        "c",
        pancreas=((10, 19), (10, 19), (30, 39)),
        lesion=((14, 18), (14, 18), (33, 37)),
    )
    found = shown_case(tmp_path / "cases", ["a", "b", "c"], TABLE, (8, 8, 8))
    assert found.name == "c"
    # One and a half patches around (15.5, 15.5, 34.5), moved inside where that leaves the image.
    part = (slice(8, 20), slice(9, 21), slice(28, 40))
    np.testing.assert_array_equal(found.image[0], image[part])
    np.testing.assert_array_equal(found.labels, labels[part])


def test_without_a_lesion_the_largest_pancreas_is_shown(tmp_path):
    save(tmp_path, "a", pancreas=((2, 4), (2, 4), (2, 4)))
    save(tmp_path, "b", pancreas=((2, 9), (2, 9), (2, 9)))
    assert shown_case(tmp_path, ["a", "b"], TABLE, (64, 64, 64)).name == "b"


def test_a_case_without_any_class_is_shown_in_its_middle(tmp_path):
    save(tmp_path, "a")
    found = shown_case(tmp_path, ["a"], TABLE, (8, 8, 8))
    assert found.labels.shape == (12, 12, 12)
    assert shown_case(tmp_path, [], TABLE, (8, 8, 8)) is None


def test_the_whole_pancreas_is_outlined_parts_and_lesion_included():
    labels = {"background": 0, "pancreas": 1, "pancreas_head": 2, "aorta": 3, "cancer": 4}
    table = {"labels": labels, "structures": {"cancer": ["pancreatic_lesion"]}}
    assert outlines_of(table) == {"pancreas": (1, 2, 4), "lesion": (4,)}
    assert outlines_of({"labels": {"background": 0, "liver": 1, "spleen": 2}}) == {"structures": (1, 2)}


@pytest.mark.parametrize("forward", list(permutations(range(3))))
def test_a_picture_stands_upright_whatever_axis_the_network_has_first(forward):
    spacing = (5.0, 2.0, 1.0)  # along z, y and x
    content = {
        "dataset_name": "Dataset001",
        "transpose_forward": list(forward),
        "transpose_backward": [forward.index(axis) for axis in range(3)],
        "foreground_intensity_properties_per_channel": {},
        "configurations": {"3d_fullres": configuration([spacing[axis] for axis in forward])},
    }
    plans = parse_plans(json.loads(json.dumps(content)))
    upright = np.arange(2 * 3 * 4).reshape(2, 3, 4)  # z, y, x
    seen = upright.transpose(forward)
    case = ShownCase("a", seen[None].astype(np.float32), seen.astype(np.int16), {})
    volume = case.volume(seen, plans)
    assert nibabel.aff2axcodes(volume.affine) == ("R", "P", "S")
    assert volume.spacing_mm == (1.0, 2.0, 5.0)
    np.testing.assert_array_equal(volume.voxels, upright.transpose(2, 1, 0))


def configuration(spacing_mm):
    resampling = {
        f"resampling_fn_{kind}{end}": {"order": order, "order_z": 0, "force_separate_z": None}
        if end
        else name
        for kind, order in (("data", 3), ("seg", 1), ("probabilities", 1))
        for end, name in (("", "resample_data_or_seg_to_shape"), ("_kwargs", ""))
    }
    architecture = {"network_class_name": "", "arch_kwargs": {}, "_kw_requires_import": []}
    return {
        "data_identifier": "x",
        "batch_size": 2,
        "patch_size": [8, 8, 8],
        "spacing": spacing_mm,
        "normalization_schemes": ["CTNormalization"],
        "use_mask_for_norm": [False],
        "architecture": architecture,
        **resampling,
    }
