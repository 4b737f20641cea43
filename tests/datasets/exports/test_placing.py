import os
from dataclasses import replace
from pathlib import Path

import nibabel
import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.compute.cases import Skip
from wirsung.datasets.exports.classes import export_classes
from wirsung.datasets.exports.placing import NOTES, Places, Placing, link_or_copy, place, read_note, remove
from wirsung.datasets.layout import Dataset
from wirsung.errors import GeometryError, ImageError, StorageError


@pytest.fixture
def task(small_dataset, tmp_path):
    case = Dataset.open(small_dataset(cases=1)).cases[0]
    classes = export_classes(scheme("msd-pancreas"), [case])
    places = Places("images/a.nii.gz", "labels/a.nii.gz", {"images/a.json": {"Modality": "CT"}})
    return Placing(case, tmp_path / "out", places, classes, copy=False)


def files(root):
    return sorted(str(path.relative_to(root)) for path in root.rglob("*") if not path.is_dir())


WHOLE = [f"{NOTES}/small-00.json", "images/a.json", "images/a.nii.gz", "labels/a.nii.gz"]


def test_an_image_is_linked_by_a_way_that_stays_right_when_both_move(task, tmp_path):
    assert place(task).axis_codes == "LPS"
    assert files(task.root) == WHOLE
    link = task.root / "images/a.nii.gz"
    assert link.is_symlink()
    assert not link.readlink().is_absolute()
    assert link.resolve() == task.case.image_path.resolve()


def test_a_link_leads_to_the_file_itself_and_not_to_another_link(tmp_path):
    (tmp_path / "real.bin").write_bytes(b"x")
    (tmp_path / "first.bin").symlink_to("real.bin")
    link_or_copy(tmp_path / "first.bin", tmp_path / "far" / "second.bin", copy=False)
    assert (tmp_path / "far" / "second.bin").readlink() == Path("../real.bin")


def test_a_copy_is_a_file_of_its_own(task):
    place(replace(task, copy=True))
    made = task.root / "images/a.nii.gz"
    assert not made.is_symlink()
    assert made.read_bytes() == task.case.image_path.read_bytes()


def test_the_label_map_lies_on_the_grid_of_the_image(task, read):
    place(task)
    labels = nibabel.load(task.root / "labels/a.nii.gz")
    assert np.array_equal(labels.affine, nibabel.load(task.case.image_path).affine)
    assert np.bincount(read(task.root / "labels/a.nii.gz").ravel())[1:].tolist() == [10, 2]


def test_masks_in_another_axis_order_are_turned_to_the_image(task, read):
    for path in task.case.label_files:
        flipped = nibabel.load(path).as_reoriented([[0, -1], [1, 1], [2, 1]])
        nibabel.save(flipped, path)
    place(task)
    labels = read(task.root / "labels/a.nii.gz")
    assert labels[7, 5, 3] == 2
    assert labels[6, 5, 3] == 1


def test_masks_elsewhere_are_refused_and_leave_nothing(task):
    for path in task.case.label_files:
        image = nibabel.load(path)
        image.affine[0, 3] += 20
        nibabel.save(nibabel.Nifti1Image(image.get_fdata().astype(np.uint8), image.affine), path)
    with pytest.raises(GeometryError, match="small-00"):
        place(task)
    assert files(task.root) == []


def test_what_is_there_and_made_of_the_same_is_left_alone(task):
    first = place(task)
    with pytest.raises(Skip) as skipped:
        place(task)
    assert skipped.value.value == first


@pytest.mark.parametrize("change", ["image", "mask", "missing", "scheme", "copy", "names"])
def test_whatever_changes_makes_the_case_anew(task, change):
    place(task)
    if change == "image":
        os.utime(task.case.image_path, ns=(1, 1))
    elif change == "mask":
        os.utime(task.case.label_files[0], ns=(1, 1))
    elif change == "missing":
        (task.root / "labels/a.nii.gz").unlink()
    elif change == "scheme":
        task = replace(task, classes=export_classes(scheme("pants-2"), [task.case]))
    elif change == "copy":
        task = replace(task, copy=True)
    else:
        task = replace(task, places=Places("test/a.nii.gz"))
    place(task)
    expected = [f"{NOTES}/small-00.json", "test/a.nii.gz"] if change == "names" else WHOLE
    assert files(task.root) == expected


def test_a_case_that_became_bad_leaves_the_export(task):
    place(task)
    task.case.image_path.write_bytes(b"no image")
    with pytest.raises(ImageError):
        place(task)
    assert files(task.root) == []
    assert not (task.root / "images").exists()


def test_a_plain_image_is_packed_because_the_export_is_of_one_kind(task, read, tmp_path):
    path = task.case.image_path
    voxels = read(path)
    nibabel.save(nibabel.load(path), path.with_name("ct.nii"))
    path.unlink()
    place(task)
    assert not (task.root / "images/a.nii.gz").is_symlink()
    assert np.array_equal(read(task.root / "images/a.nii.gz"), voxels)


def test_an_image_whose_axes_are_not_quite_orthogonal_is_written_so_that_itk_reads_it(task, read):
    import SimpleITK

    path = task.case.image_path
    affine = nibabel.load(path).affine.copy()
    affine[0, 1] = 8e-4  # of spacings of 2 mm: 4e-4, as about 24 cases of PanTS have
    nibabel.save(nibabel.Nifti1Image(read(path), affine), path)
    place(task)
    for name in ("images/a.nii.gz", "labels/a.nii.gz"):
        found = SimpleITK.ReadImage(str(task.root / name))
        direction = np.array(found.GetDirection()).reshape(3, 3)
        assert np.allclose(direction @ direction.T, np.eye(3), atol=1e-6)
    assert not (task.root / "images/a.nii.gz").is_symlink()


def test_a_disk_without_links_is_told_to_copy(tmp_path, monkeypatch):
    (tmp_path / "a").write_bytes(b"x")

    def refuse(self, target):
        raise OSError(1, "Operation not permitted")

    monkeypatch.setattr(Path, "symlink_to", refuse)
    with pytest.raises(StorageError, match=r"can hold no links .* --copy"):
        link_or_copy(tmp_path / "a", tmp_path / "b" / "a", copy=False)


def test_a_damaged_note_counts_as_none(task):
    made = place(task)
    note = task.root / NOTES / "small-00.json"
    assert read_note(note)[1] == made
    note.write_text("{}")
    assert read_note(note) is None
    assert place(task) == made
    remove(task.root, note, made)
    assert files(task.root) == []
