"""The audit of imported datasets, whose labels are one label map of another scheme."""

import gzip

import nibabel
import numpy as np
import pytest

from wirsung.curation.check import check
from wirsung.curation.settings import CheckSettings
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.layout import Dataset


def found(dataset, **settings):
    """Rule, structure and file of each finding, without what images of 64 voxels break."""
    audit = check(CheckSettings(dataset, ignore=("not_hu", "lesion_tiny", "pancreas_empty"), **settings))
    return sorted({(item.rule, item.structure, item.file) for item in audit.findings})


def rewritten(path, voxels=None, affine=None):
    """The file that is linked to, changed."""
    image = nibabel.load(path.resolve())
    voxels = np.asarray(image.dataobj) if voxels is None else voxels
    made = nibabel.Nifti1Image(voxels, image.affine if affine is None else affine)
    made.header.set_xyzt_units("mm")
    nibabel.save(made, path.resolve())


@pytest.mark.parametrize(
    "source", ["msd-pancreas", "panorama", "amos", "word", "kits", "flare23", "totalsegmentator-v2"]
)
def test_an_imported_case_is_judged_by_its_label_map(imported, source):
    dataset = imported(source)
    before = found(dataset)
    # Cases of the test come without labels; classes that PanTS has not are what the source annotates.
    assert set(before) <= {("no_labels", "", "segmentations")}
    catalog(CatalogSettings(dataset))
    assert found(dataset) == before


def test_cases_with_a_choice_of_structures_lack_none(imported):
    # AbdomenAtlas has other structures in each case, and says so beside them.
    assert found(imported("abdomen-atlas")) == []


def test_a_mask_that_nobody_annotates_is_still_a_note(imported):
    dataset = imported("pants-mini")
    folder = Dataset.open(dataset).case("PanTS_00009000").label_folder / "segmentations"
    (folder / "thing.nii.gz").symlink_to((folder / "liver.nii.gz").resolve())
    rules = {(rule, structure) for rule, structure, _ in found(dataset)}
    assert ("mask_unknown", "thing") in rules


def test_a_finding_names_the_label_map(imported, tmp_path):
    dataset = imported("msd-pancreas")
    audit = check(CheckSettings(dataset, out=tmp_path / "audit"))
    (tiny,) = [item for item in audit.findings if item.rule == "lesion_tiny"]
    assert (tiny.file, tiny.structure) == ("label_map.nii.gz", "pancreatic_lesion")
    assert "pancreas_001" in (tmp_path / "audit" / "check.html").read_text()


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({"voxels": np.full((4, 4, 4), 9, np.uint8)}, {("mask_not_binary", "")}),
        ({"affine": np.diag([0.8, 0.8, 2.6, 1.0])}, {("mask_grid", "")}),
        ({"voxels": np.eye(4, dtype=np.uint8)[:, :, None].repeat(4, 2)}, {("mask_changed", "pancreas")}),
    ],
)
def test_a_label_map_that_is_wrong_is_found(imported, change, expected):
    dataset = imported("nih-pancreas-ct")
    catalog(CatalogSettings(dataset))
    rewritten(Dataset.open(dataset).case("PANCREAS_0001").label_map_path, **change)
    assert {(rule, structure) for rule, structure, _ in found(dataset)} == expected
    assert {file for _, _, file in found(dataset)} == {"label_map.nii.gz"}


def test_a_scaled_label_map_is_found(imported):
    dataset = imported("msd-pancreas")
    path = Dataset.open(dataset).case("pancreas_001").label_map_path
    rewritten(path, np.eye(4, dtype=np.uint8)[:, :, None].repeat(4, 2))
    content = bytearray(gzip.decompress(path.resolve().read_bytes()))
    content[112:116] = np.float32(2).tobytes()  # scl_slope: the stored 1 is the lesion's 2
    path.resolve().write_bytes(gzip.compress(bytes(content)))
    assert ("mask_scaled", "", "label_map.nii.gz") in found(dataset)


def test_a_label_map_that_is_cut_is_found(imported):
    dataset = imported("nih-pancreas-ct")
    path = Dataset.open(dataset).case("PANCREAS_0001").label_map_path.resolve()
    path.write_bytes(path.read_bytes()[:-9])
    assert found(dataset) == [("mask_unreadable", "", "label_map.nii.gz")]


def test_a_label_map_in_another_axis_order_is_the_same_labels(imported):
    dataset = imported("nih-pancreas-ct")
    path = Dataset.open(dataset).case("PANCREAS_0001").label_map_path
    catalog(CatalogSettings(dataset))
    image = nibabel.load(path.resolve())
    turned = nibabel.as_closest_canonical(image)
    flipped = image.affine @ np.array([[-1.0, 0, 0, 3], [0, 1, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    rewritten(path, np.asarray(turned.dataobj)[::-1], flipped)
    assert found(dataset) == []
