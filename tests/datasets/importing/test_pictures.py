import matplotlib.image
import numpy as np
import pydicom
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.datasets.importing.pictures import stack_pictures
from wirsung.errors import GeometryError, ImageError, LabelError
from wirsung.imaging.dicom import read_series
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, write_series

AFFINE = np.array([[-1.5, 0, 0, 10], [0, -1.25, 0, -20], [0, 0, 4.0, 30], [0, 0, 0, 1]])


def save_grey(path, grey):
    matplotlib.image.imsave(path, np.dstack([np.asarray(grey, dtype=np.uint8)] * 3))
    return path


@pytest.fixture
def drawn(tmp_path):
    """A series, and for each slice a picture whose grey value tells its place along the body."""
    folder = tmp_path / "DICOM_anon"
    folder.mkdir()
    header = SeriesHeader(1, 1, "ct", "venous", "F", 50, 1, "Siemens")
    write_series(folder, Volume(np.zeros((6, 5, 4), dtype=np.int16), AFFINE), header)
    pictures = []
    for path in sorted(folder.iterdir()):
        k = round((float(pydicom.dcmread(path).ImagePositionPatient[2]) - 30) / 4)
        grey = np.zeros((5, 6), dtype=np.uint8)
        grey[1, 2] = (63, 126, 189, 252)[k]
        pictures.append(save_grey(tmp_path / f"{path.name}.png", grey))
    return folder, pictures


def test_each_picture_lies_where_its_slice_does(drawn):
    folder, pictures = drawn
    found = stack_pictures(folder, pictures, scheme("chaos-mr"))
    image = read_series(folder).volume
    assert np.allclose(found.affine, image.affine)
    points = np.argwhere(found.voxels)
    for point in points:
        x, y, z, _ = found.affine @ [*point, 1]
        assert np.allclose((x, y), (10 - 1.5 * 2, -20 - 1.25 * 1))
        assert found.voxels[tuple(point)] == (63, 126, 189, 252)[round((z - 30) / 4)]
    assert len(points) == 4


@pytest.mark.parametrize(
    ("grey", "label"), [(55, 63), (70, 63), (110, 126), (200, 189), (240, 252), (255, 252)]
)
def test_a_grey_value_of_the_published_ranges_is_its_organ(grey, label, drawn):
    folder, pictures = drawn
    for path in pictures:
        save_grey(path, np.full((5, 6), grey))
    assert np.unique(stack_pictures(folder, pictures, scheme("chaos-mr")).voxels).tolist() == [label]


def test_a_grey_value_of_no_organ_is_named(drawn):
    folder, pictures = drawn
    save_grey(pictures[2], np.full((5, 6), 90))
    with pytest.raises(LabelError, match=r"IM0003\.png holds the grey value 90"):
        stack_pictures(folder, pictures, scheme("chaos-mr"))


def test_a_picture_too_few_or_too_small_is_refused(drawn):
    folder, pictures = drawn
    with pytest.raises(GeometryError, match=r"3 pictures don't fit 1 stacks of slices \(4 slices"):
        stack_pictures(folder, pictures[:3], scheme("chaos-mr"))
    save_grey(pictures[0], np.zeros((5, 5)))
    with pytest.raises(GeometryError, match="a picture is not 6 x 5"):
        stack_pictures(folder, pictures, scheme("chaos-mr"))


def test_a_damaged_picture_is_named(drawn):
    folder, pictures = drawn
    pictures[1].write_bytes(b"PNG")
    with pytest.raises(ImageError, match=r"IM0002\.png can't be read as a picture"):
        stack_pictures(folder, pictures, scheme("chaos-mr"))
