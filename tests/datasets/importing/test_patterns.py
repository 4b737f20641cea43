import pytest

from wirsung.datasets.importing.patterns import compiled


@pytest.mark.parametrize(
    ("pattern", "path", "root", "case"),
    [
        ("imagesTr/{case}.nii.gz", "imagesTr/p1.nii.gz", "", "p1"),
        ("imagesTr/{case}.nii.gz", "a/b/imagesTr/p1.nii.gz", "a/b/", "p1"),
        ("{case}/ct.nii.gz", "p1/ct.nii.gz", "", "p1"),
        ("**/{case}_0000.nii.gz", "batch 1/x/p1_0000.nii.gz", "", "p1"),
        ("*Part*/{case}.nii.gz", "SomePart2/p1.nii.gz", "", "p1"),
        ("{case}/{case}.nii.gz", "p1/p1.nii.gz", "", "p1"),
    ],
)
def test_a_pattern_finds_folder_and_case(pattern, path, root, case):
    found = compiled(pattern, r"p\d").fullmatch(path)
    assert (found["root"], found["case"]) == (root, case)


@pytest.mark.parametrize(
    ("pattern", "path"),
    [
        ("imagesTr/{case}.nii.gz", "imagesTr/q1.nii.gz"),
        ("imagesTr/{case}.nii.gz", "imagesTr/p1xnii.gz"),
        ("imagesTr/{case}.nii.gz", "myimagesTr/p1.nii.gz"),
        ("{case}/{case}.nii.gz", "p1/p2.nii.gz"),
        ("{case}*.nii.gz", "p1/a.nii.gz"),
        ("**/{case}.nii.gz", "xp1.nii.gz"),
    ],
)
def test_what_only_looks_alike_is_not_found(pattern, path):
    assert compiled(pattern, r"p\d").fullmatch(path) is None


def test_a_mask_is_named_by_its_file():
    found = compiled("{case}/segmentations/{mask}.nii.gz", r"s\d+").fullmatch(
        "s1/segmentations/rib_left_1.nii.gz"
    )
    assert found["mask"] == "rib_left_1"
