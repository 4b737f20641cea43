import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.errors import GeometryError, LabelError
from wirsung.evaluation.mask_folders import MaskFolder, find_mask_folders, mask_scheme
from wirsung.imaging import nifti
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume


def write(folder, known, **boxes):
    for name, box in boxes.items():
        mask = np.zeros(known.SHAPE, dtype=bool)
        mask[box] = True
        write_nifti(folder / f"{name}.nii.gz", Volume(mask, known.AFFINE))
    return folder


def test_masks_lie_in_the_case_folder_or_in_segmentations(known, tmp_path):
    write(tmp_path / "a", known, liver=known.LESION)
    write(tmp_path / "b" / "segmentations", known, spleen=known.LESION)
    write(tmp_path / "b", known, combined_labels=known.LESION, ct=known.LESION)
    write(tmp_path / "no_mask", known, ct=known.LESION)
    (tmp_path / "empty").mkdir()
    found = find_mask_folders(tmp_path)
    assert {case: folder.structure_names() for case, folder in found.items()} == {
        "a": ("liver",),
        "b": ("spleen",),
    }


def test_structures_come_in_official_order_and_others_after_them(known, tmp_path):
    write(tmp_path, known, zebra=known.LESION, pancreas=known.LESION, aorta=known.LESION)
    assert MaskFolder("a", tmp_path).structure_names() == ("aorta", "pancreas", "zebra")
    assert [item.name for item in mask_scheme(["zebra", "pancreas", "aorta"]).classes] == [
        "aorta",
        "pancreas",
        "zebra",
    ]


def test_overlapping_masks_come_back_as_they_were_and_each_file_is_read_once(known, tmp_path, monkeypatch):
    write(
        tmp_path, known, pancreas=known.PANCREAS, pancreatic_lesion=known.LESION, liver=np.s_[5:12, 2:4, 2:9]
    )
    read = []
    monkeypatch.setattr(
        "wirsung.evaluation.mask_folders.read_mask",
        lambda path: read.append(path.name) or nifti.read_mask(path),
    )
    codes = MaskFolder("a", tmp_path).codes(["pancreas", "pancreatic_lesion", "liver"])
    assert sorted(read) == ["liver.nii.gz", "pancreas.nii.gz", "pancreatic_lesion.nii.gz"]
    for name in codes.structures:
        expected = nifti.read_mask(tmp_path / f"{name}.nii.gz").voxels
        assert (codes.mask(name).voxels == expected).all()


def test_painted_masks_have_the_lesion_last(known, tmp_path):
    write(tmp_path, known, pancreas=known.PANCREAS, pancreatic_lesion=known.LESION)
    painted = MaskFolder("a", tmp_path).label_map(scheme("pants-2")).voxels
    expected = known.label_map((known.PANCREAS, 1), (known.LESION, 2)).voxels
    assert (painted == expected).all()


def test_masks_with_turned_axes_are_one_case(known, tmp_path):
    write(tmp_path, known, pancreas=known.PANCREAS)
    lesion = np.zeros(known.SHAPE, bool)
    lesion[known.LESION] = True
    write_nifti(tmp_path / "pancreatic_lesion.nii.gz", reorient(Volume(lesion, known.AFFINE), "SLP"))
    codes = MaskFolder("a", tmp_path).codes(["pancreas", "pancreatic_lesion"])
    assert (codes.mask("pancreatic_lesion").voxels == lesion).all()


def test_masks_on_two_grids_are_refused(known, tmp_path):
    write(tmp_path, known, pancreas=known.PANCREAS)
    write_nifti(tmp_path / "liver.nii.gz", Volume(np.ones((3, 3, 3), bool), known.AFFINE))
    with pytest.raises(GeometryError, match=r"Case a: pancreas has shape"):
        MaskFolder("a", tmp_path).codes(["pancreas", "liver"])


def test_a_folder_without_a_known_structure_is_refused(known, tmp_path):
    write(tmp_path, known, zebra=known.LESION)
    with pytest.raises(LabelError, match="case a has no mask of a structure that is scored; it has zebra"):
        MaskFolder("a", tmp_path).codes(["pancreas"])
