"""Imported datasets held against what their catalog recorded."""

import shutil

import nibabel
import numpy as np
import pytest

from wirsung.cli import main
from wirsung.curation.settings import VerifySettings
from wirsung.curation.verify import verify
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.layout import Dataset
from wirsung.errors import ManifestError


def problems(dataset):
    """By case, the files with a problem."""
    found = {}
    for item in verify(VerifySettings(dataset)).problems:
        found.setdefault(item.case, []).append(item.file)
    return found


def replaced(path, change):
    """The file that is linked to, with other voxels."""
    image = nibabel.load(path.resolve())
    voxels = np.asarray(image.dataobj).copy()
    change(voxels)
    nibabel.save(nibabel.Nifti1Image(voxels, image.affine, image.header), path.resolve())


def first_voxel(voxels):
    voxels[0, 0, 0] = int(voxels[0, 0, 0] == 0)


@pytest.fixture
def cataloged(imported):
    """A function that imports and catalogs the fake of a source."""

    def make(source):
        dataset = imported(source)
        catalog(CatalogSettings(dataset))
        return dataset

    return make


def test_before_the_catalog_one_sentence_says_what_to_do(imported, capsys):
    dataset = imported("msd-pancreas")
    message = f"{dataset} has no checksums yet to verify it by: run wirsung catalog {dataset} first."
    with pytest.raises(ManifestError) as refused:
        verify(VerifySettings(dataset))
    assert str(refused.value) == message
    assert main(["verify", str(dataset)]) == 2
    assert "run wirsung catalog" in " ".join(capsys.readouterr().err.split())


@pytest.mark.parametrize(
    ("source", "files"),
    # Each image, and each label map or mask; TotalSegmentator's lungs are masks already counted.
    [("msd-pancreas", 3), ("amos", 5), ("pants", 10), ("totalsegmentator-v2", 10), ("lits", 3)],
)
def test_what_the_catalog_recorded_is_verified(cataloged, source, files):
    result = verify(VerifySettings(cataloged(source)))
    assert {item.status for item in result} == {"done"}
    assert result.lines() == [f"{files} files read whole, every voxel as it was written."]


def test_a_label_map_that_changed_is_found(cataloged):
    dataset = cataloged("msd-pancreas")
    replaced(Dataset.open(dataset).case("pancreas_001").label_map_path, first_voxel)
    assert problems(dataset) == {"pancreas_001": ["label_map.nii.gz"]}
    (message,) = [item.message for item in verify(VerifySettings(dataset)) if item.message]
    assert "if the change was meant, run wirsung catalog" in message
    catalog(CatalogSettings(dataset))
    assert problems(dataset) == {}


def test_a_mask_that_changed_is_found_and_its_union_is_not_told_twice(cataloged):
    dataset = cataloged("totalsegmentator-v2")
    replaced(Dataset.open(dataset).case("s0000").mask_path("lung_upper_lobe_left"), first_voxel)
    assert problems(dataset) == {"s0000": ["segmentations/lung_upper_lobe_left.nii.gz"]}


def test_an_image_that_changed_is_found(cataloged):
    dataset = cataloged("amos")
    replaced(Dataset.open(dataset).case("amos_0508").image_path, first_voxel)
    assert problems(dataset) == {"amos_0508": ["mr.nii.gz"]}


@pytest.mark.parametrize("kind", ["image", "label"])
def test_a_file_that_is_gone_or_cut_fails_its_case_alone(cataloged, kind):
    dataset = cataloged("amos")
    case = Dataset.open(dataset).case("amos_0001")
    path = case.image_path if kind == "image" else case.label_map_path
    content = path.resolve().read_bytes()
    path.resolve().write_bytes(content[:-9])
    assert problems(dataset) == {"amos_0001": [path.name]}
    if kind == "label":
        path.unlink()
        shutil.rmtree(path.parent)
        assert problems(dataset) == {"amos_0001": ["label_map.nii.gz"]}


def test_a_case_that_came_after_the_catalog_is_sent_there(cataloged):
    dataset = cataloged("amos")
    shutil.copytree(dataset / "ImageTr" / "amos_0001", dataset / "ImageTr" / "amos_0002", symlinks=True)
    shutil.rmtree(dataset / "ImageTr" / "amos_0001")
    told = {item.case: item.message for item in verify(VerifySettings(dataset)) if item.status == "failed"}
    assert told == {
        "amos_0001": "manifest.parquet has case amos_0001, but there is no folder of it. "
        "Run wirsung catalog again.",
        "amos_0002": "Case amos_0002 is not in the catalog. Run wirsung catalog first.",
    }
