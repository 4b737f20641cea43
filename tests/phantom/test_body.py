"""The laws of the whole body: sides, neighbours, volumes, containment, and independence of the grid."""

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, label

from wirsung.anatomy.structures import structures
from wirsung.phantom.body import build_body
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.tissues import Tissue

RANGES_ML = {
    "liver": (1000, 2050),
    "spleen": (95, 315),
    "kidney_left": (85, 225),
    "kidney_right": (85, 225),
    "pancreas": (40, 115),
    "stomach": (150, 700),
    "gall_bladder": (10, 60),
    "duodenum": (45, 140),
    "colon": (450, 1400),
    "bladder": (40, 350),
    "adrenal_gland_left": (1.5, 6),
    "adrenal_gland_right": (1.5, 6),
    "aorta": (50, 160),
    "postcava": (50, 160),
    "veins": (11, 45),
    "superior_mesenteric_artery": (2, 9),
    "celiac_artery": (0.5, 3),
    "common_bile_duct": (1.5, 8),
    "femur_left": (80, 190),
    "femur_right": (80, 190),
    "lung_left": (300, 2500),
    "lung_right": (300, 2500),
}

LARGE = (
    "liver",
    "spleen",
    "kidney_left",
    "kidney_right",
    "stomach",
    "pancreas",
    "colon",
    "aorta",
    "postcava",
)


def _centroids(body):
    affine = body.grid.affine
    places = {name: np.argwhere(mask) for name, mask in body.masks.items()}
    return {name: affine[:3, :3] @ at.mean(axis=0) + affine[:3, 3] for name, at in places.items() if len(at)}


def _touch(body, one, other):
    return bool((binary_dilation(body.masks[one], iterations=1) & body.masks[other]).any())


def test_organs_lie_on_their_sides_and_in_their_order(bodies):
    for body in bodies:
        at = _centroids(body)
        right_of = [
            ("liver", "spleen"), ("liver", "stomach"), ("postcava", "aorta"), ("gall_bladder", "stomach"),
            ("veins", "pancreas_tail"), ("pancreas_head", "pancreas_body"),
            ("pancreas_body", "pancreas_tail"),
            ("duodenum", "superior_mesenteric_artery"), ("pancreas_tail", "spleen"),
            *[(f"{name}_right", f"{name}_left") for name in ("kidney", "adrenal_gland", "lung", "femur")],
        ]  # fmt: skip
        assert all(at[one][0] > at[other][0] for one, other in right_of)
        above = [
            ("adrenal_gland_left", "kidney_left"), ("adrenal_gland_right", "kidney_right"),
            ("lung_right", "liver"),
            ("celiac_artery", "superior_mesenteric_artery"), ("kidney_left", "kidney_right"),
            ("pancreas_tail", "pancreas_head"), ("pancreas", "bladder"), ("bladder", "femur_left"),
        ]  # fmt: skip
        assert all(at[one][2] > at[other][2] for one, other in above)
        in_front_of = [
            ("stomach", "pancreas"), ("pancreas", "aorta"), ("aorta", "kidney_left"),
            ("liver", "kidney_right"),
        ]  # fmt: skip
        assert all(at[one][1] > at[other][1] for one, other in in_front_of)


def test_neighbours_touch(bodies):
    pairs = [
        ("superior_mesenteric_artery", "aorta"), ("celiac_artery", "aorta"), ("veins", "pancreas"),
            ("veins", "liver"),
        ("duodenum", "pancreas_head"), ("common_bile_duct", "pancreas_head"), ("stomach", "duodenum"),
        ("pancreas_head", "pancreas_body"), ("pancreas_body", "pancreas_tail"),
    ]  # fmt: skip
    for body in bodies:
        apart = [pair for pair in pairs if not _touch(body, *pair)]
        assert not apart


def test_the_superior_mesenteric_vein_runs_right_of_the_artery(bodies):
    for body in bodies:
        artery, veins = body.masks["superior_mesenteric_artery"], body.masks["veins"]
        levels = [k for k in range(artery.shape[2]) if artery[..., k].any() and veins[..., k].any()]
        lower = levels[: len(levels) // 2]
        assert len(lower) >= 4
        assert all(np.nonzero(veins[..., k])[0].mean() > np.nonzero(artery[..., k])[0].mean() for k in lower)


def test_volumes_lie_in_the_range_of_adults(bodies):
    for body in bodies:
        outside = {
            name: body.truth.volume_ml[name]
            for name, (low, high) in RANGES_ML.items()
            if not low <= body.truth.volume_ml[name] <= high
        }
        if body.patient.tumour is not None:
            outside.pop("pancreas", None)
        assert not outside


def test_volumes_of_the_truth_are_those_of_the_masks(bodies):
    for name, mask in bodies[3].masks.items():
        assert bodies[3].truth.volume_ml[name] == pytest.approx(np.count_nonzero(mask) * 0.064)


def test_structures_exclude_each_other_and_parts_tile_the_pancreas(bodies):
    for body in bodies[:5]:
        masks = dict(body.masks)
        assert tuple(masks) == tuple(structures())
        parts = [masks[f"pancreas_{part}"] for part in ("head", "body", "tail")]
        inner = [masks["pancreatic_duct"], masks["pancreatic_lesion"]]
        assert (np.sum(parts, axis=0) == masks["pancreas"]).all()
        assert not (inner[0] & inner[1]).any()
        assert not ((inner[0] | inner[1]) & ~masks["pancreas"]).any()
        alone = [mask for name, mask in masks.items() if not name.startswith("pancrea") or name == "pancreas"]
        assert np.sum(alone, axis=0).max() == 1


def test_large_organs_are_each_in_one_piece(bodies):
    for body in bodies:
        for name in LARGE:
            pieces, _ = label(body.masks[name], np.ones((3, 3, 3)))
            assert np.bincount(pieces.ravel())[1:].max() > 0.97 * np.count_nonzero(pieces), name


def test_a_structure_that_a_patient_lacks_is_empty(bodies):
    for body in bodies:
        assert body.masks["prostate"].any() == (body.patient.sex == "M")
        assert body.masks["pancreatic_lesion"].any() == (body.patient.tumour is not None)
        assert all(
            mask.any() for name, mask in body.masks.items() if name not in ("prostate", "pancreatic_lesion")
        )


def test_a_structure_out_of_view_is_empty():
    grid = Grid.centred((60, 60, 12), (6.0, 6.0, 6.0))
    body = build_body(draw_patient(np.random.default_rng(0)), grid)
    empty = {name for name, mask in body.masks.items() if not mask.any()}
    assert {"femur_left", "femur_right", "bladder", "prostate", "pancreatic_lesion"} <= empty
    assert body.truth.volume_ml["bladder"] == 0


def test_a_grid_beside_the_body_is_air():
    body = build_body(
        draw_patient(np.random.default_rng(0)), Grid.centred((9, 9, 9), (4, 4, 4), 0.0, (900, 0, 0))
    )
    assert not body.tissue.any()


def test_a_tissue_that_is_no_structure_has_no_mask(bodies):
    with pytest.raises(KeyError):
        bodies[0].masks["heart"]
    assert len(bodies[0].masks) == 28


def test_the_same_patient_is_built_the_same(bodies, trunk):
    again = build_body(bodies[3].patient, trunk)
    assert (again.tissue == bodies[3].tissue).all()
    assert again.truth == bodies[3].truth


def test_two_patients_differ(bodies):
    assert (bodies[0].tissue != bodies[1].tissue).mean() > 0.05


def test_the_same_patient_on_another_grid_has_the_same_anatomy(bodies, trunk):
    tilted = Grid.centred((112, 100, 160), (3.4, 3.2, 3.0), oblique_deg=12, centre_ras_mm=(2.0, -4.0, -95.0))
    one, other = bodies[3], build_body(bodies[3].patient, tilted)
    first, second = _centroids(one), _centroids(other)
    for name in (*LARGE[:-2], "pancreatic_lesion"):
        assert other.truth.volume_ml[name] == pytest.approx(one.truth.volume_ml[name], rel=0.05), name
    for name in ("liver", "spleen", "kidney_left", "pancreas", "pancreatic_lesion", "gall_bladder"):
        assert np.linalg.norm(first[name] - second[name]) < 1.2, name


def test_a_tumour_leaves_distant_organs_alone(bodies, trunk):
    well = build_body(replace(bodies[3].patient, tumour=None), trunk)
    for name in ("liver", "kidney_left", "femur_left", "aorta", "veins", "superior_mesenteric_artery"):
        assert (well.masks[name] == bodies[3].masks[name]).all()


def test_air_surrounds_the_body(bodies):
    outside, count = label(bodies[0].tissue == Tissue.AIR)
    assert count >= 1
    assert not (outside[2:-2, 2:-2] == 0)[0].any()
