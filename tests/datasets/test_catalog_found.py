import os

import numpy as np
import pytest

from wirsung.datasets.catalog_found import files_sha256, read_found
from wirsung.datasets.description import Description
from wirsung.datasets.layout import Dataset
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume


@pytest.fixture
def case(tmp_path):
    image = Volume(np.zeros((4, 4, 4), np.int16), np.eye(4))
    write_nifti(tmp_path / "ImageTr" / "a" / "ct.nii.gz", image)
    path = tmp_path / "LabelTr" / "a" / "segmentations" / "pancreatic_lesion.nii.gz"
    write_nifti(path, Volume(np.ones((4, 4, 4), np.uint8), np.eye(4)))
    return Dataset.open(tmp_path).case("a")


@pytest.mark.parametrize("content", ["", "{", "[]", '{"schema": 2}', '{"schema": 1}', "null"])
def test_what_is_damaged_counts_as_not_found(tmp_path, content):
    (tmp_path / "a.json").write_text(content)
    assert read_found(tmp_path, "a") is None
    assert read_found(tmp_path, "b") is None


def test_a_file_that_changed_came_or_went_changes_the_mark(case):
    description = Description("x")
    mask = case.mask_path("pancreatic_lesion")
    marks = [files_sha256(case, description)]
    os.utime(mask, ns=(0, 0))
    marks.append(files_sha256(case, description))
    mask.with_name("pancreas.nii.gz").write_bytes(b"")
    marks.append(files_sha256(case, description))
    marks.append(files_sha256(case, Description("x", label_grid="image")))
    assert len(set(marks)) == 4
    mask.with_name(".hidden").write_bytes(b"")
    assert files_sha256(case, description) == marks[2]
