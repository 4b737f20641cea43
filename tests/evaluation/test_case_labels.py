import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.errors import LabelError
from wirsung.evaluation.case_labels import CaseLabels, Source, check_values, read_labels
from wirsung.evaluation.mask_folders import MaskFolder, mask_scheme
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume


def coded(masks):
    codes = merge_masks((name, Volume(mask, np.eye(4))) for name, mask in masks.items())
    return CaseLabels(codes.volume, mask_scheme(masks), codes)


def random_masks(seed, names, shape=(7, 8, 9)):
    generator = np.random.default_rng(seed)
    return {name: generator.random(shape) < generator.uniform(0.1, 0.6) for name in names}


def test_the_values_of_a_structure_are_all_codes_that_hold_it():
    masks = random_masks(0, ["liver", "pancreas", "pancreatic_lesion", "spleen"])
    labels = coded(masks)
    for names in (["liver"], ["pancreas", "spleen"]):
        found = labels.values_of([labels.scheme.value(name) for name in names])
        expected = np.logical_or.reduce([masks[name] for name in names])
        assert (np.isin(labels.volume.voxels, found) == expected).all()


def test_a_label_maps_values_are_its_own():
    volume = Volume(np.zeros((2, 2, 2), np.uint8), np.eye(4))
    assert CaseLabels(volume, scheme("pants-2")).values_of((1, 2)) == (1, 2)


def test_a_structure_without_a_mask_has_no_value():
    labels = coded(random_masks(0, ["liver"]))
    missing = CaseLabels(labels.volume, mask_scheme(["liver", "spleen"]), labels.codes)
    assert missing.values_of([missing.scheme.value("spleen")]) == ()


def test_noise_in_many_masks_fits_a_byte_group_by_group():
    names = [f"structure_{number:02}" for number in range(12)]
    masks = random_masks(3, names, (20, 20, 20))
    labels = coded(masks)
    assert len(labels.codes.patterns) > 256
    chosen = names[2:10]
    groups = [labels.values_of([labels.scheme.value(name)]) for name in chosen]
    volume, values = labels.fused(groups)
    assert volume.voxels.dtype == np.uint8
    for name, found in zip(chosen, values, strict=True):
        assert 0 not in found
        assert (np.isin(volume.voxels, found) == masks[name]).all()


def test_masks_are_painted_in_a_label_maps_scheme_and_keep_their_overlaps_in_their_own(known, tmp_path):
    for name, box in (("pancreas", known.PANCREAS), ("pancreatic_lesion", known.LESION)):
        mask = np.zeros(known.SHAPE, bool)
        mask[box] = True
        write_nifti(tmp_path / f"{name}.nii.gz", Volume(mask, known.AFFINE))
    folder = MaskFolder("a", tmp_path)
    painted = Source(folder, scheme("pants-2")).read()
    assert painted.codes is None
    assert sorted(np.unique(painted.volume.voxels)) == [0, 1, 2]
    whole = Source(folder, mask_scheme(folder.structure_names())).read()
    assert whole.codes.mask("pancreas").voxels.sum() == 216


def test_only_the_masks_that_are_wanted_are_read(known, tmp_path):
    for name in ("liver", "spleen"):
        write_nifti(tmp_path / f"{name}.nii.gz", Volume(np.ones(known.SHAPE, bool), known.AFFINE))
    (tmp_path / "aorta.nii.gz").write_bytes(b"damaged")
    folder = MaskFolder("a", tmp_path)
    chosen = mask_scheme(folder.structure_names())
    labels = Source(folder, chosen).read([chosen.value("liver"), chosen.value("spleen")])
    assert labels.codes.structures == ("liver", "spleen")
    assert labels.values_of([chosen.value("aorta")]) == ()


def test_a_source_knows_its_files(tmp_path):
    assert not Source(tmp_path / "a.nii.gz", scheme("pants-2")).is_there
    missing = Source(MaskFolder("a", tmp_path / "masks" / "a"), mask_scheme(["liver"]))
    assert (missing.is_there, missing.files, missing.present) == (False, [], ())
    assert missing.name == "masks/a"


def test_a_value_far_beyond_the_scheme_is_refused_when_it_is_read(tmp_path):
    write_nifti(tmp_path / "a.nii.gz", Volume(np.full((2, 2, 2), 60000, np.uint16), np.eye(4)))
    with pytest.raises(LabelError, match=r"a\.nii\.gz holds the values 60000"):
        read_labels(tmp_path / "a.nii.gz", scheme("pants-2"))


def test_values_of_the_scheme_and_background_pass():
    check_values([0, 1, 2], scheme("pants-2"), "a")
    with pytest.raises(LabelError, match="the values 3, 4, 5, 6, 7 and more, which the scheme pants-2"):
        check_values(range(9), scheme("pants-2"), "a")
