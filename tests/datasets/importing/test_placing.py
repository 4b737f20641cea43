import pytest
from source_fakes import save

from wirsung.compute.cases import Skip
from wirsung.datasets.foreign_labels import LabelStyle
from wirsung.datasets.importing.placing import CaseImport, import_case, place_link, recorded_row
from wirsung.errors import GeometryError, ManifestError, StorageError


@pytest.fixture
def task(tmp_path):
    """A case of one image and one label map."""
    save(tmp_path / "raw/image.nii.gz", [1])
    save(tmp_path / "raw/label.nii.gz", [0, 2])
    (tmp_path / "out").mkdir()
    return CaseImport(
        id="a",
        folder=tmp_path / "raw",
        out=tmp_path / "out",
        images=("image.nii.gz",),
        labels=("label.nii.gz",),
        masks={},
        subset="train",
        modality="ct",
        link="symbolic",
        style=LabelStyle("msd-pancreas"),
        annotated=("pancreas", "pancreatic_lesion"),
        partial=False,
        told={"sex": "F"},
    )


def test_a_case_is_placed_whole_and_recorded(task):
    row = import_case(task)
    assert (row.case, row.patient, row.sex, row.has_labels) == ("a", "a", "F", True)
    assert row.structures == ("pancreas", "pancreatic_lesion")
    assert recorded_row(task.out, "a") == row
    with pytest.raises(Skip) as skipped:
        import_case(task)
    assert skipped.value.value == row


def test_a_case_that_moves_to_the_other_side_leaves_this_one(task):
    from dataclasses import replace

    import_case(task)
    import_case(replace(task, subset="test"))
    assert not (task.out / "ImageTr/a").exists()
    assert not (task.out / "LabelTr/a").exists()
    assert (task.out / "ImageTe/a/ct.nii.gz").is_file()


def test_a_case_that_fails_leaves_nothing_behind(task):
    save(task.folder / "label.nii.gz", shape=(4, 4, 3))
    with pytest.raises(GeometryError):
        import_case(task)
    assert not [path for path in task.out.rglob("*") if path.is_file()]


def test_a_case_that_fails_later_keeps_what_it_was(task):
    import_case(task)
    save(task.folder / "label.nii.gz", shape=(4, 4, 3))
    with pytest.raises(GeometryError):
        import_case(task)
    assert (task.out / "ImageTr/a/ct.nii.gz").is_file()
    assert not list(task.out.rglob(".partial-*"))


def test_two_different_files_for_one_image_are_refused(task):
    from dataclasses import replace

    save(task.folder / "other.nii.gz", [2])
    with pytest.raises(ManifestError, match=r"image\.nii\.gz and other\.nii\.gz"):
        import_case(replace(task, images=("image.nii.gz", "other.nii.gz")))


def test_a_hard_link_across_disks_names_the_other_ways(task, monkeypatch):
    from pathlib import Path

    def refuse(self, target):
        raise OSError(18, "Invalid cross-device link")

    monkeypatch.setattr(Path, "hardlink_to", refuse)
    with pytest.raises(StorageError, match=r"no hard links .*cross-device.*Use --link symbolic, or --copy"):
        place_link(task.folder / "image.nii.gz", task.out / "x", "hard")


def test_an_unknown_case_has_no_row(tmp_path):
    assert recorded_row(tmp_path, "a") is None
