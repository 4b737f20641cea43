from dataclasses import replace

from wirsung.datasets.contents import contents_of
from wirsung.datasets.describe.outliers import find_outliers
from wirsung.datasets.describe.pictures import outlier_pictures
from wirsung.pages.template import Notice, Picture


def test_an_outlying_case_is_drawn_with_its_reason(contents):
    found = find_outliers(contents)
    (picture,) = outlier_pictures(contents, found, most=5)
    assert isinstance(picture, Picture)
    assert picture.data_uri.startswith("data:image/jpeg")
    assert picture.caption == f"first-07: {found[0].reason}."


def test_no_more_are_drawn_than_asked_for(contents):
    assert list(outlier_pictures(contents, find_outliers(contents), most=0)) == []
    assert list(outlier_pictures(replace(contents, dataset=None), find_outliers(contents), most=5)) == []


def test_a_case_that_is_far_out_in_itself_is_shown_by_its_pancreas(contents):
    whole = replace(find_outliers(contents)[0], structure="", quantity="age")
    (picture,) = outlier_pictures(contents, [whole] * 5, most=1)
    assert isinstance(picture, Picture)
    assert picture.caption.endswith("and 2 more.")


def test_a_case_that_can_not_be_read_is_told_and_the_others_are_drawn(small_dataset):
    root = small_dataset(huge=(3, 7), cases=15)
    contents = contents_of(root)
    found = find_outliers(contents)
    (root / "ImageTr" / "small-03" / "ct.nii.gz").write_bytes(b"no image")
    (root / "LabelTr" / "small-07" / "segmentations" / "liver.nii.gz").unlink()
    blocks = {
        block.caption if isinstance(block, Picture) else block.text: block
        for block in outlier_pictures(contents, found, most=5)
    }
    notices = [text for text, block in blocks.items() if isinstance(block, Notice)]
    assert len(blocks) == 2
    assert len(notices) == 1
    assert "small-03" in notices[0]
    assert "No picture" in notices[0]
