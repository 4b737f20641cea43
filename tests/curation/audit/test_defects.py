"""Every known defect of the PanTS release and its kin, rebuilt on a tiny phantom, and the rule that finds it.

Most break exactly the rules named: a rule that fires besides would be a false alarm.
"""

import shutil

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.standard import rules
from wirsung.anatomy.structures import structures
from wirsung.curation.check import check
from wirsung.curation.combined import alphabetical_values
from wirsung.curation.settings import CheckSettings
from wirsung.errors import ManifestError

PARTS = ("pancreas_head", "pancreas_body", "pancreas_tail")
LESION = "pancreatic_lesion"
SEEN: set[str] = set()
"""The rules that some test here found broken."""


def broken(release, **settings):
    found = release.rules(**settings)
    SEEN.update(found)
    return found


def box_of(mask):
    return ndimage.find_objects(mask.astype(int))[0]


def label_map(release, values, order):
    painted = np.zeros(release.array("liver").shape, dtype=np.uint8)
    for name in order:
        painted[release.array(name) > 0] = values[name]
    return painted


def official():
    return {name: scheme("pants-28").value(name) for name in structures()}


def test_a_release_without_defect_breaks_no_rule(release):
    assert check(CheckSettings(release.root)).findings == ()


# ---- files -------------------------------------------------------------------------------------------------


def test_a_mask_that_reads_1_0000000591_is_found(release):
    """PanTS_00000026 and 31: int8 of -128 and 127, slope 0.00392157, intercept 0.50196."""
    stored = np.where(release.array(LESION) > 0, 127, -128).astype(np.int8)
    release.scaled(release.mask(LESION), stored, 0.00392157, 0.50196)
    assert nibabel.load(release.mask(LESION)).get_fdata().max() == pytest.approx(1.0000000591, abs=2e-6)
    assert broken(release) == {"mask_scaled"}


def test_a_label_map_that_reads_26_9998_is_found(release):
    """BodyMaps' viewer: int16 with a slope."""
    values = official()
    painted = label_map(release, values, values)
    stored = np.rint((painted.astype(float) - 14) / 4.4e-4).astype(np.int16)
    release.scaled(release.combined(), stored, 4.4e-4, 14)
    assert broken(release) == {"combined_scaled"}


def test_a_label_map_of_the_alphabetical_kind_is_found(release):
    ranks = alphabetical_values()
    values = {name: ranks[value] for name, value in official().items()}
    release.write(release.combined(), label_map(release, values, official()))
    assert broken(release) == {"combined_alphabetical"}


def test_a_label_map_painted_by_value_is_found(release):
    veins, head = release.array("veins"), release.array("pancreas_head")
    near = (ndimage.binary_dilation(veins) & (head > 0)).nonzero()
    veins[tuple(axis[:5] for axis in near)] = 1
    release.write(release.mask("veins"), veins)
    values = official()
    release.write(release.combined(), label_map(release, values, sorted(values, key=values.__getitem__)))
    assert broken(release) == {"combined_by_value"}


def test_a_label_map_with_stray_values_is_found(release):
    """PANORAMA: values 7 and 8, of six classes."""
    painted = label_map(release, official(), official())
    painted[3:6, 3, 3] = 77
    release.write(release.combined(), painted)
    assert broken(release) == {"combined_differs"}


def test_an_empty_label_file_is_found(release):
    """PANORAMA 100051: zero bytes."""
    release.combined().write_bytes(b"")
    assert broken(release) == {"combined_unreadable"}


def test_a_label_map_elsewhere_is_found(release):
    """PanTS case 35: the label map lies at origin 0."""
    affine = release.affine()
    affine[:3, 3] = 0
    release.write(release.combined(), label_map(release, official(), official()), affine)
    assert broken(release) == {"combined_grid"}


@pytest.mark.parametrize("fraction", [0.0, 0.3, 0.7, 0.999])
def test_a_truncated_image_is_found(release, fraction):
    content = release.image().read_bytes()
    release.image().write_bytes(content[: int(len(content) * fraction)])
    assert broken(release) == {"image_unreadable"}


def test_a_truncated_mask_is_found(release):
    content = release.mask("liver").read_bytes()
    release.mask("liver").write_bytes(content[:-9])
    assert broken(release) == {"mask_unreadable"}


def test_an_image_of_two_phases_in_one_file_is_found(release):
    """KiTS19 issue 6: a second phase appended."""
    image = release.array("ct")
    release.write(release.image(), np.stack([image, image], axis=-1))
    assert broken(release) == {"image_unreadable"}


def test_axes_that_are_not_at_right_angles_are_found(release):
    """About 24 cases of PanTS: cosines off by 1e-4 to 4e-4."""

    def shear(affine):
        affine = affine.copy()
        affine[1, 0] += 4e-4 * affine[0, 0]
        return affine

    release.affines(shear)
    assert broken(release) == {"image_sheared"}


def test_a_missing_mask_file_is_found(release):
    """PanTS_00003188: celiac_artery.nii.gz, the only one."""
    release.mask("celiac_artery").unlink()
    assert broken(release) == {"mask_missing"}


def test_a_mask_of_no_known_name_is_noted(release):
    shutil.copyfile(release.mask("celiac_artery"), release.mask("celiac_trunk"))
    shutil.copyfile(
        release.mask("celiac_artery", "PanTS_00000002"), release.mask("celiac_trunk", "PanTS_00000002")
    )
    assert "mask_unknown" in broken(release)


def test_stray_values_in_a_mask_are_found(release):
    release.change("liver", lambda mask: mask * 7)
    assert "mask_not_binary" in broken(release)


def test_a_mask_at_a_zeroed_origin_is_found(release):
    affine = release.affine()
    affine[:3, 3] = 0
    release.write(release.mask("spleen"), release.array("spleen"), affine)
    assert broken(release) == {"mask_grid"}


def test_a_mask_in_another_axis_order_is_found(release):
    flip = np.diag([-1.0, 1, 1, 1])
    flip[0, 3] = release.array("spleen").shape[0] - 1
    release.write(release.mask("spleen"), release.array("spleen")[::-1], release.affine() @ flip)
    assert broken(release) == {"mask_axis_order"}


# ---- metadata ----------------------------------------------------------------------------------------------


def test_a_tumour_flag_over_an_empty_lesion_is_found(release):
    """Issue 4: 45 cases."""
    release.change(LESION, np.zeros_like)
    assert broken(release) == {"flag_without_lesion"}


def test_a_lesion_without_a_tumour_flag_is_found(release):
    release.table(**{"tumor?": 0})
    assert broken(release) == {"lesion_without_flag"}


def test_an_enhanced_scan_that_is_called_non_contrast_is_found(release):
    """Issue 5: cases 6 and 7."""
    release.table(**{"ct phase": "Non-contrast"})
    assert broken(release) == {"phase_hu"}


def test_a_plain_scan_that_is_called_arterial_is_found(release):
    release.table(**{"ct phase": "Arterial"})
    assert broken(release) == {"phase_hu"}


def test_a_woman_with_a_prostate_is_found(release):
    release.table(sex="F")
    assert broken(release) == {"sex_prostate"}


def test_a_shape_that_the_table_does_not_say_is_found(release):
    release.table(shape="(512, 333, 200)")
    assert broken(release) == {"shape_differs"}


def test_the_order_of_axes_in_the_table_does_not_matter(release):
    release.table(shape=str(release.array("ct").shape[::-1]))
    assert broken(release) == set()


# ---- the pancreas ------------------------------------------------------------------------------------------


@pytest.mark.parametrize("voxels", [1, 4])
def test_a_speck_of_a_lesion_is_found(release, voxels):
    """Issue 12: PanTS_00005043 has 4 voxels."""

    def keep(mask):
        few = np.zeros_like(mask)
        few.reshape(-1)[np.flatnonzero(mask)[:voxels]] = 1
        return few

    release.change(LESION, keep)
    assert broken(release) - {"lesion_apart"} == {"lesion_tiny"}


def test_a_pancreas_that_is_empty_though_its_parts_are_not_is_found(release):
    """EXP-22b: 9 of 1,800 recoverable from the parts."""
    release.change("pancreas", np.zeros_like)
    assert broken(release) == {"pancreas_empty", "part_outside_pancreas"}


def test_a_huge_pancreas_with_normal_parts_is_found(release):
    """EXP-22b: 7 masks of 445 to 855 ml, with parts of about 60 ml."""
    release.change("pancreas", lambda mask: ndimage.binary_dilation(mask, iterations=4))
    assert {"volume_high", "parts_not_whole"} <= broken(release)


def test_a_hip_without_any_organ_is_found(release):
    """PanTS_00000078, "ct hip right": pancreas, liver and lesion are empty."""
    for path in release.masks():
        if not path.name.startswith("femur"):
            release.change(path.name.removesuffix(".nii.gz"), np.zeros_like)
    release.table(**{"tumor?": 0})
    assert broken(release) == {"not_abdomen", "pancreas_empty"}


def test_parts_that_overlap_are_found(release):
    release.change(
        "pancreas_body", lambda mask: mask | ndimage.binary_dilation(mask) & release.array("pancreas")
    )
    assert broken(release) == {"parts_overlap", "organs_overlap"}


def test_a_part_outside_the_pancreas_is_found(release):
    release.change("pancreas", lambda mask: mask & ~(release.array("pancreas_body") > 0))
    assert "part_outside_pancreas" in broken(release)


def test_head_and_tail_exchanged_are_found(release):
    head, tail = release.array("pancreas_head"), release.array("pancreas_tail")
    release.write(release.mask("pancreas_head"), tail)
    release.write(release.mask("pancreas_tail"), head)
    assert broken(release) == {"parts_order", "head_left_of_vessels", "tail_right_of_vessels"}


def test_a_lesion_away_from_the_pancreas_is_found(release):
    release.change(LESION, lambda mask: np.roll(mask, 16, axis=1))
    assert broken(release) == {"lesion_apart"}


def test_a_duct_away_from_the_pancreas_is_found(release):
    release.change("pancreatic_duct", lambda mask: np.roll(mask, 16, axis=1))
    assert broken(release) == {"duct_outside"}


# ---- the body ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("organ", ["kidney", "adrenal_gland", "lung", "femur"])
def test_left_and_right_exchanged_are_found(release, organ):
    left, right = release.array(f"{organ}_left"), release.array(f"{organ}_right")
    release.write(release.mask(f"{organ}_left"), right)
    release.write(release.mask(f"{organ}_right"), left)
    assert broken(release) == {"side_swapped"}


def test_a_lone_kidney_with_the_wrong_name_is_found(release):
    release.write(release.mask("kidney_left"), release.array("kidney_right"))
    release.change("kidney_right", np.zeros_like)
    assert broken(release) == {"side_swapped"}


@pytest.mark.parametrize("axis", [0, 1, 2])
def test_a_mirrored_header_is_found_as_such(release, axis):
    def mirror(affine):
        return np.diag([-1.0 if other == axis else 1.0 for other in range(4)]) @ affine

    release.affines(mirror)
    assert broken(release) == {"orientation"}


def test_aorta_and_vena_cava_exchanged_are_found(release):
    aorta, cava = release.array("aorta"), release.array("postcava")
    release.write(release.mask("aorta"), cava)
    release.write(release.mask("postcava"), aorta)
    assert {"postcava_left_of_aorta"} <= broken(release)


def test_an_aorta_with_a_gap_is_found(release):
    def cut(mask):
        mask[..., 40:43] = 0
        return mask

    release.change("aorta", cut)
    assert broken(release) == {"aorta_gap", "several_pieces"}


def test_an_aorta_that_ends_above_the_pancreas_is_found(release):
    heights = np.flatnonzero(release.array("pancreas").any(axis=(0, 1)))

    def cut(mask):
        mask[..., : heights[-1]] = 0
        return mask

    release.change("aorta", cut)
    assert {"aorta_extent", "branch_apart"} <= broken(release)


def test_a_branch_away_from_the_aorta_is_found(release):
    release.change("celiac_artery", lambda mask: np.roll(mask, 15, axis=0))
    assert "branch_apart" in broken(release)


def test_a_liver_in_two_pieces_is_found(release):
    middle = int(np.flatnonzero(release.array("liver").any(axis=(0, 1))).mean())

    def cut(mask):
        mask[..., middle : middle + 2] = 0
        return mask

    release.change("liver", cut)
    assert broken(release) == {"several_pieces"}


def test_a_speck_beside_an_organ_is_noted_and_no_warning(release):
    def fleck(mask):
        mask[2, 2, 2] = 1
        return mask

    release.change("bladder", fleck)
    assert broken(release, severities=("error", "warning")) == set()
    assert broken(release) == {"specks"}


def test_organs_that_overlap_are_found(release):
    release.change("spleen", lambda mask: mask | release.array("kidney_left"))
    assert "organs_overlap" in broken(release)


def test_an_organ_that_is_much_too_small_is_found(release):
    def keep(mask):
        i, j, k = (part.start + (part.stop - part.start) // 2 for part in box_of(mask))
        small = np.zeros_like(mask)
        small[i : i + 3, j : j + 3, k : k + 3] = 1
        return small

    release.change("spleen", keep)
    assert broken(release) == {"volume_low"}


def test_a_child_may_be_small(release):
    release.table(age=3)
    release.change("spleen", lambda mask: ndimage.binary_erosion(mask, iterations=4))
    assert "volume_low" not in broken(release)


def test_an_empty_liver_among_other_organs_is_found(release):
    release.change("liver", np.zeros_like)
    assert broken(release) == {"organ_empty"}


def test_values_that_were_never_rescaled_are_found(release):
    release.write(release.image(), release.array("ct") + np.int16(1024))
    assert {"hu_implausible", "phase_hu"} <= broken(release)


def test_an_image_without_fat_or_air_is_found(release):
    release.write(release.image(), np.maximum(release.array("ct"), 0))
    assert "not_hu" in broken(release)


def test_a_field_of_view_that_cuts_a_kidney_is_found(release):
    first = box_of(release.array("kidney_left") > 0)[0].start + 2
    affine = release.affine()
    affine[:3, 3] += affine[:3, 0] * first
    for path in [release.image(), *release.masks()]:
        release.write(path, np.asanyarray(nibabel.load(path).dataobj)[first:], affine)
    release.table()
    assert "cut_at_side" in broken(release)


def test_a_scan_that_ends_in_the_pancreas_is_found(release):
    heights = np.flatnonzero(release.array("pancreas").any(axis=(0, 1)))
    first = int(heights.mean())
    affine = release.affine()
    affine[:3, 3] += affine[:3, 2] * first
    for path in [release.image(), *release.masks()]:
        release.write(path, np.asanyarray(nibabel.load(path).dataobj)[..., first:], affine)
    release.table()
    assert "cut_at_end" in broken(release)


# ---- across cases ------------------------------------------------------------------------------------------


def test_the_same_scan_on_both_sides_of_the_split_is_found(release):
    """62 groups of the release share shape, spacing, age, sex and site across train and test."""
    (release.root / "ImageTe/PanTS_00009001").mkdir(parents=True)
    flip = np.diag([1.0, -1, 1, 1])
    flip[1, 3] = release.array("ct").shape[1] - 1
    turned = release.array("ct")[:, ::-1]
    release.write(release.root / "ImageTe/PanTS_00009001/ct.nii.gz", turned, release.affine() @ flip)
    audit = check(CheckSettings(release.root))
    found = [item for item in audit.findings if item.rule == "duplicate"]
    assert {item.case for item in found} == {"PanTS_00000001", "PanTS_00009001"}
    assert all("both sides of the split" in item.sentence for item in found)
    SEEN.add("duplicate")


def test_a_cropped_and_resampled_scan_of_another_dataset_is_found(release, tmp_path):
    """Issue 15: MSD scans are in PanTS and in PANORAMA."""
    other = tmp_path / "msd/ImageTr/pancreas_001"
    other.mkdir(parents=True)
    cropped = ndimage.zoom(release.array("ct")[3:, :-2, 10:].astype(np.float32), (1.4, 1.4, 0.8), order=1)
    factors = np.array(cropped.shape) / (np.array(release.array("ct").shape) - (3, 2, 10))
    affine = release.affine()
    affine[:3, :3] /= factors
    release.write(other / "ct.nii.gz", np.rint(cropped).astype(np.int16), affine)
    audit = check(CheckSettings(release.root, against=(tmp_path / "msd",)))
    (found,) = audit.findings
    assert (found.case, found.rule) == ("PanTS_00000001", "near_duplicate")
    assert "pancreas_001" in found.sentence
    SEEN.add("near_duplicate")


def test_a_rule_that_is_ignored_is_not_applied(release):
    release.table(sex="F")
    assert release.rules(ignore=("sex_prostate",)) == set()


def test_a_damaged_table_makes_the_call_wrong(release):
    (release.root / "metadata.xlsx").write_bytes(b"PanTS ID;sex\n")
    with pytest.raises(ManifestError, match=r"no \.xlsx table"):
        check(CheckSettings(release.root))


def test_every_rule_has_a_defect_that_breaks_it():
    """Runs last; the rules of curated datasets are broken in tests/curation/test_check.py."""
    if len(SEEN) < 20:
        pytest.skip("only a few of the tests above ran")
    of_curated = {
        "case_id",
        "case_unlisted",
        "case_missing",
        "image_changed",
        "axis_order",
        "no_labels",
        "mask_changed",
        "combined_missing",
        "outside_clip",
    }
    assert set(rules()) - SEEN - of_curated == set()
