import numpy as np
import pytest

from wirsung.datasets.catalog_case import CatalogTask, catalog_case
from wirsung.datasets.catalog_found import read_found
from wirsung.datasets.layout import Dataset
from wirsung.errors import ImageError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

SPACING = np.diag([1.0, 2.0, 4.0, 1.0])


@pytest.fixture
def case(tmp_path):
    lesion = np.zeros((8, 9, 10), bool)
    lesion[2:6, 4, 5] = True
    image = Volume(np.full(lesion.shape, 50, np.int16), SPACING)
    write_nifti(tmp_path / "ImageTr" / "a" / "ct.nii.gz", image)
    path = tmp_path / "LabelTr" / "a" / "segmentations" / "pancreatic_lesion.nii.gz"
    write_nifti(path, image.with_voxels(lesion.astype(np.uint8)))
    return Dataset.open(tmp_path).case("a")


def test_what_is_put_down_is_read_again(case, tmp_path):
    catalog_case(CatalogTask(case, "mark", tmp_path / "found"))
    found = read_found(tmp_path / "found", "a")
    assert found.facts.shape == (8, 9, 10)
    assert found.facts.has_lesion is True
    assert found.fingerprint.files_sha256 == "mark"
    assert found.fingerprint.levels is None  # 8 mm are too narrow for a block
    assert found.lesions[0].axial_diameter_mm == 4.0


def test_the_axial_slice_is_the_bodys_and_not_the_files(case, tmp_path):
    """Whatever the order of the file's axes, the lesion lies in one axial slice."""
    for path in (case.image_path, case.mask_path("pancreatic_lesion")):
        stored = case.image() if path == case.image_path else case.mask("pancreatic_lesion")
        write_nifti(path, reorient(Volume(stored.voxels.astype(np.int16), stored.affine), "SPL"))
    catalog_case(CatalogTask(case, "mark", tmp_path / "found"))
    (lesion,) = read_found(tmp_path / "found", "a").lesions
    # In any direction: 3 mm between the first and the last voxel, 4 mm from face to face across slices.
    assert (lesion.axial_diameter_mm, lesion.diameter_mm) == (4.0, 5.0)


def test_a_case_without_an_image_says_which_file(case, tmp_path):
    case.image_path.unlink()
    with pytest.raises(ImageError, match=r"ct\.nii\.gz"):
        catalog_case(CatalogTask(case, "mark", tmp_path / "found"))
