"""Labels as codes: the fast way for mask files of one grid, and the slow way for all others, say the same."""

from dataclasses import replace

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.curation.intake import find_sources
from wirsung.curation.labels import read_labels
from wirsung.curation.merging import merged_codes, turned_codes
from wirsung.errors import GeometryError, LabelError
from wirsung.imaging.nifti import read_image
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume

FLIPPED = np.array([[2.0, 0, 0, -12], [0, -2.0, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])


def merged(cohort, case="a"):
    (source,) = find_sources(cohort.root)
    image = read_image(source.image)
    labels = read_labels(source, scheme("pants-28"), image)
    return merged_codes(labels, image, case=case, name="ct.nii.gz"), image, labels


def test_masks_on_the_images_grid_are_merged_as_they_are(cohort):
    arrays = cohort.case("a")
    codes, image, labels = merged(cohort)
    assert codes.structures == labels.structures
    for name in codes.structures:
        assert np.array_equal(codes.mask(name).voxels, arrays[name])
    assert np.array_equal(codes.volume.affine, image.affine)


@pytest.mark.parametrize("odd", ["flipped", "int16", "255", "one flipped"])
def test_masks_of_other_axes_or_types_come_out_the_same(cohort, odd):
    arrays = cohort.case("a")
    names = [name for name in arrays if name != "image"]
    for name in names[:1] if odd == "one flipped" else names:
        place, mask = f"a/segmentations/{name}.nii.gz", arrays[name]
        if "flipped" in odd:
            cohort.nifti(place, mask[::-1].copy(), FLIPPED)
        else:
            cohort.nifti(place, mask.astype(np.int16) if odd == "int16" else mask * np.uint8(255))
    codes, _, _ = merged(cohort)
    for name in names:
        assert np.array_equal(codes.mask(name).voxels, arrays[name])


def test_a_mask_elsewhere_is_refused_by_name(cohort):
    arrays = cohort.case("a")
    moved = np.array([[-2.0, 0, 0, 13], [0, -2.0, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])
    cohort.nifti("a/segmentations/pancreas.nii.gz", arrays["pancreas"], moved)
    with pytest.raises(GeometryError, match=r"pancreas\.nii\.gz lies 3 mm away from ct\.nii\.gz"):
        merged(cohort)
    for name in arrays:
        if name != "image":
            cohort.nifti(f"a/segmentations/{name}.nii.gz", arrays[name], moved)
    with pytest.raises(GeometryError, match=r"lies 3 mm away from ct\.nii\.gz"):
        merged(cohort)


def test_a_mask_that_is_none_is_refused_by_name(cohort):
    arrays = cohort.case("a")
    cohort.nifti("a/segmentations/liver.nii.gz", arrays["liver"] * np.uint8(3))
    with pytest.raises(LabelError, match=r"liver\.nii\.gz"):
        merged(cohort)


def test_a_label_map_is_merged_with_its_parts_in_the_whole(cohort, tmp_path):
    cohort.case("a", masks=False)
    labels = np.zeros((12, 10, 8), dtype=np.uint8)
    labels[2:4], labels[5:7] = 17, 28
    cohort.nifti("../labels/a.nii.gz", labels)
    (source,) = find_sources(cohort.root)
    source = replace(source, label_map=tmp_path / "labels" / "a.nii.gz")
    image = read_image(source.image)
    found = merged_codes(read_labels(source, scheme("pants-28"), image), image, case="a", name="ct.nii.gz")
    assert np.array_equal(found.mask("pancreas").voxels, labels > 0)
    assert np.array_equal(found.mask("pancreatic_lesion").voxels, labels == 28)


def test_codes_turn_with_their_masks_and_lie_in_file_order(cohort):
    cohort.case("a")
    codes, image, _ = merged(cohort)
    target = reorient(image, "RPS")
    turned = turned_codes(codes, Volume(target.voxels, target.affine + 0.0), "RPS")
    assert axis_codes(turned.volume.affine) == "RPS"
    assert turned.volume.voxels.transpose(2, 1, 0).flags.c_contiguous
    for name in codes.structures:
        assert np.array_equal(turned.mask(name).voxels, reorient(codes.mask(name), "RPS").voxels)
