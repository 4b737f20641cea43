import nibabel
import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.description import Description, write_description
from wirsung.datasets.layout import Dataset, is_case_id, is_dataset
from wirsung.errors import GeometryError, ImageError, LabelError, ManifestError
from wirsung.imaging.code_files import write_codes
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.nifti import read_mask

AFFINE = np.diag([1.0, 1.0, 2.0, 1.0])


def _save(path, array, affine=AFFINE):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(array, affine)
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)


def _case(root, case, masks, side="Tr", labels=None, image="ct"):
    voxels = np.arange(24, dtype=np.int16).reshape(2, 3, 4)
    _save(root / f"Image{side}" / case / f"{image}.nii.gz", voxels)
    for name, mask in masks.items():
        _save(root / (labels or f"Label{side}") / case / "segmentations" / f"{name}.nii.gz", mask)


def _block(*index):
    mask = np.zeros((2, 3, 4), dtype=np.uint8)
    mask[index] = 1
    return mask


def test_a_dataset_is_read_from_its_folders(tmp_path):
    write_description(tmp_path, Description("Mine", clip_hu=(-1000, 1000)))
    _case(tmp_path, "b", {"veins": _block(0), "liver": _block(1)})
    _case(tmp_path, "a", {}, side="Te", image="t1")
    dataset = Dataset.open(tmp_path)
    assert (dataset.name, dataset.clip_hu, dataset.scheme) == ("Mine", (-1000, 1000), "pants-28")
    first, second = dataset.cases
    assert (first.id, first.modality, first.subset, first.has_labels) == ("a", "t1", "test", False)
    assert (second.id, second.modality, second.subset, second.has_labels) == ("b", "ct", "train", True)
    assert second.structure_names() == ("liver", "veins")
    assert dataset.structure_names() == ("liver", "veins")
    assert dataset.case("b") == second
    assert np.array_equal(second.image().voxels, np.arange(24).reshape(2, 3, 4))
    assert np.array_equal(second.mask("liver").voxels, _block(1).astype(bool))


def test_a_release_of_pants_as_downloaded_is_a_dataset(tmp_path):
    _case(tmp_path, "PanTS_00000001", {"liver": _block(0)}, labels="LabelAll")
    _case(tmp_path, "PanTS_00009001", {"liver": _block(0)}, side="Te", labels="LabelAll")
    dataset = Dataset.open(tmp_path)
    assert is_dataset(tmp_path)
    assert [case.subset for case in dataset.cases] == ["train", "test"]
    assert all(case.structure_names() == ("liver",) for case in dataset.cases)
    assert dataset.clip_hu is None


def test_hidden_folders_are_no_cases(tmp_path):
    _case(tmp_path, "a", {})
    _case(tmp_path, ".partial-b", {})
    assert [case.id for case in Dataset.open(tmp_path).cases] == ["a"]


def test_the_label_map_is_painted_from_the_masks(tmp_path):
    masks = {
        "pancreas": _block(slice(0, 1)),
        "pancreas_head": _block(0, 0),
        "pancreatic_lesion": _block(0, 0, 0),
    }
    _case(tmp_path, "a", masks)
    case = Dataset.open(tmp_path).case("a")
    full = case.label_map(scheme("pants-28"))
    assert np.array_equal(full.affine, AFFINE)
    assert full.voxels.dtype == np.uint8
    assert np.unique(full.voxels, return_counts=True)[1].tolist() == [12, 8, 3, 1]
    assert np.unique(full.voxels).tolist() == [0, 17, 19, 28]
    assert np.unique(case.label_map(scheme("pants-2")).voxels, return_counts=True)[1].tolist() == [12, 11, 1]


def test_masks_on_two_grids_make_no_label_map(tmp_path):
    _case(tmp_path, "a", {"liver": _block(0)})
    moved = AFFINE.copy()
    moved[0, 3] = 5
    _save(tmp_path / "LabelTr/a/segmentations/spleen.nii.gz", _block(1), moved)
    with pytest.raises(GeometryError, match=r"a: .*5 mm"):
        Dataset.open(tmp_path).case("a").label_map(scheme("pants-28"))


def test_a_case_without_masks_has_no_label_map(tmp_path):
    _case(tmp_path, "a", {})
    with pytest.raises(LabelError, match="case a has no mask"):
        Dataset.open(tmp_path).case("a").label_map(scheme("pants-28"))


def test_a_mask_that_is_not_there_is_refused_with_near_names(tmp_path):
    _case(tmp_path, "a", {"liver": _block(0)})
    with pytest.raises(LabelError, match="Did you mean liver"):
        Dataset.open(tmp_path).case("a").mask("livr")


def test_an_unknown_case_is_refused_with_near_names(tmp_path):
    _case(tmp_path, "case-1", {})
    with pytest.raises(ManifestError, match="Did you mean case-1"):
        Dataset.open(tmp_path).case("case-11")


def test_a_folder_that_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="is not a dataset"):
        Dataset.open(tmp_path)
    with pytest.raises(ManifestError, match="does not exist"):
        Dataset.open(tmp_path / "nowhere")


def test_a_case_on_both_sides_is_refused(tmp_path):
    _case(tmp_path, "a", {})
    _case(tmp_path, "a", {}, side="Te")
    with pytest.raises(ManifestError, match="case a is in ImageTr/ and in ImageTe/"):
        Dataset.open(tmp_path)


def test_two_images_in_a_case_are_refused(tmp_path):
    _case(tmp_path, "a", {})
    _case(tmp_path, "a", {}, image="t2")
    with pytest.raises(ManifestError, match="ct and t2"):
        Dataset.open(tmp_path)


def test_a_missing_image_is_named_when_it_is_read(tmp_path):
    (tmp_path / "ImageTr" / "a").mkdir(parents=True)
    with pytest.raises(ImageError, match=r"ct\.nii\.gz"):
        Dataset.open(tmp_path).case("a").image()


@pytest.mark.parametrize("text", ["", ".", "..", "a/b", "a b", "ä", ".a", "a\n", "x" * 129])
def test_what_could_leave_its_folder_is_no_case_id(text):
    assert not is_case_id(text)


@pytest.fixture
def curated(tmp_path):
    """A case with two masks, one in the other, and their codes as curation writes them."""
    _case(tmp_path, "a", {"pancreas": _block(0), "pancreas_head": _block(0, slice(1))})
    folder = tmp_path / "LabelTr" / "a"
    masks = {name: folder / "segmentations" / f"{name}.nii.gz" for name in ("pancreas", "pancreas_head")}
    codes = merge_masks((name, read_mask(path)) for name, path in masks.items())
    write_codes(folder, codes, {"pancreas": 17, "pancreas_head": 19}, masks)
    return Dataset.open(tmp_path).case("a")


@pytest.mark.parametrize("name", ["pants-28", "pants-2", "pants-xl"])
def test_a_label_map_from_codes_is_the_one_from_masks(curated, name):
    found = curated.label_map(scheme(name))
    assert curated.stored_codes() is not None
    for path in curated.label_folder.glob("labels.*"):
        path.unlink()
    expected = curated.label_map(scheme(name))
    assert np.array_equal(found.voxels, expected.voxels)
    assert found.voxels.dtype == expected.voxels.dtype
    assert np.array_equal(found.affine, expected.affine)


def test_codes_stand_in_for_masks_that_did_not_change(curated):
    curated.mask_path("pancreas").write_bytes(curated.mask_path("pancreas").read_bytes())  # a copy
    assert curated.stored_codes() is not None
    assert dict(curated.codes().voxel_counts()) == {"pancreas": 12, "pancreas_head": 4}


def test_an_edited_mask_counts_and_not_its_codes(curated, tmp_path):
    _case(tmp_path, "a", {"pancreas_head": _block(0, slice(2))})
    assert curated.stored_codes() is None
    assert curated.codes().voxel_counts() == {"pancreas": 12, "pancreas_head": 8}
    assert np.count_nonzero(curated.label_map(scheme("pants-28")).voxels == 19) == 8


def test_an_added_or_removed_mask_counts_and_not_the_codes(curated, tmp_path):
    _case(tmp_path, "a", {"liver": _block(1)})
    assert curated.codes().structures == ("liver", "pancreas", "pancreas_head")
    curated.mask_path("liver").unlink()
    assert curated.stored_codes() is not None
    curated.mask_path("pancreas_head").unlink()
    assert curated.codes().structures == ("pancreas",)


def test_damaged_codes_are_passed_over(curated):
    path = curated.label_folder / "labels.nii.gz"
    path.write_bytes(path.read_bytes()[:-4])
    assert curated.stored_codes() is None
    assert curated.codes().voxel_counts() == {"pancreas": 12, "pancreas_head": 4}
    (curated.label_folder / "labels.json").write_text("{")
    assert curated.stored_codes() is None


def test_a_case_without_masks_has_no_codes(tmp_path):
    _case(tmp_path, "a", {})
    with pytest.raises(LabelError, match="no mask"):
        Dataset.open(tmp_path).case("a").codes()


@pytest.fixture
def imported(tmp_path):
    """A case with a label map of another scheme, and an uncompressed image."""
    write_description(tmp_path, Description("Imported", label_scheme="word"))
    _save(tmp_path / "ImageTr/a/ct.nii", np.zeros((2, 3, 4), dtype=np.int16))
    labels = np.zeros((2, 3, 4), dtype=np.uint8)
    labels[0, 0, :3], labels[1, 1, 1] = (8, 12, 1), 7
    _save(tmp_path / "LabelTr/a/label_map.nii.gz", labels)
    return Dataset.open(tmp_path).case("a")


def test_a_label_map_of_another_scheme_answers_by_our_names(imported):
    assert imported.image().shape == (2, 3, 4)
    assert imported.image_path.name == "ct.nii"
    assert imported.has_labels
    names = imported.structure_names()
    assert names[: names.index("adrenal_glands")].count("pancreas") == 1
    assert "adrenal_gland_left" not in names
    assert np.argwhere(imported.mask("pancreas").voxels).tolist() == [[0, 0, 0]]
    assert np.argwhere(imported.mask("adrenal_glands").voxels).tolist() == [[0, 0, 1]]
    assert imported.codes().voxel_counts()["esophagus"] == 1
    assert imported.label_map(scheme("pants-28")).voxels[0, 0].tolist() == [17, 0, 14, 0]
    assert imported.label_files == (imported.label_map_path,)
    assert imported.file_of("pancreas") == imported.label_map_path
    with pytest.raises(LabelError, match="no mask of 'kidney'"):
        imported.mask("kidney")


def test_a_mask_beside_the_label_map_counts_before_it(imported, tmp_path):
    _save(tmp_path / "LabelTr/a/segmentations/pancreas.nii.gz", _block(1))
    assert imported.mask("pancreas").voxels.sum() == 12
    assert np.count_nonzero(imported.label_map(scheme("pants-28")).voxels == 17) == 12
    assert imported.codes().voxel_counts()["liver"] == 1
    assert len(imported.label_files) == 2


def test_several_masks_that_are_one_structure_together_are_joined(tmp_path):
    description = Description("Lobes", unions={"lung_left": ("lung_upper_lobe_left", "lung_lower_lobe_left")})
    write_description(tmp_path, description)
    masks = {"lung_upper_lobe_left": _block(0, 0), "lung_lower_lobe_left": _block(0, 1), "liver": _block(1)}
    _case(tmp_path, "a", masks)
    _case(tmp_path, "b", {"lung_upper_lobe_left": _block(0)})
    case = Dataset.open(tmp_path).case("a")
    assert case.structure_names()[:2] == ("liver", "lung_left")
    assert case.mask("lung_left").voxels.sum() == 8
    assert case.file_of("lung_left").name == "lung_upper_lobe_left.nii.gz"
    assert case.file_of("liver") == case.mask_path("liver")
    assert case.codes().voxel_counts()["lung_left"] == 8
    assert np.count_nonzero(case.label_map(scheme("pants-28")).voxels == 15) == 8
    lobes = case.label_map(scheme("totalsegmentator-v2")).voxels
    assert np.unique(lobes, return_counts=True)[1].tolist() == [4, 12, 4, 4]
    assert "lung_left" not in Dataset.open(tmp_path).case("b").structure_names()
