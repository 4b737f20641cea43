import base64
import io

import numpy as np
import pytest
from PIL import Image

from wirsung.errors import GeometryError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.montage import Contour, montage, slice_indices

RAS = np.diag([2.0, 2.0, 3.0, 1.0])


def pixels(picture) -> np.ndarray:
    content = base64.b64decode(picture.data_uri.partition("base64,")[2])
    return np.asarray(Image.open(io.BytesIO(content)).convert("RGB")).astype(int)


def mask(*places: tuple[slice, ...]) -> Volume:
    voxels = np.zeros((30, 30, 5), bool)
    for place in places:
        voxels[place] = True
    return Volume(voxels, RAS)


def centre_of(image: np.ndarray, colour: tuple[int, int, int]) -> tuple[float, float]:
    """Row and column of the pixels near that colour, above the legend."""
    found = np.argwhere(np.abs(image[: image.shape[0] * 3 // 4] - colour).max(axis=2) < 40)
    assert len(found)
    row, column = found.mean(axis=0)
    return float(row), float(column)


def draw(red: Volume, green: Volume, **options) -> np.ndarray:
    contours = [Contour("red", red, "#ff0000"), Contour("green", green, "#00ff00")]
    return pixels(montage(contours, alternative="words", slices=1, **options))


def test_the_patients_right_is_on_the_viewers_left():
    left, right = (
        mask(np.s_[2:6, 10:20, 2]),
        mask(np.s_[24:28, 10:20, 2]),
    )
    image = draw(left, right)
    # In RAS+ i grows towards the patient's right, so that small i is on the left, the viewer's right.
    assert centre_of(image, (255, 0, 0))[1] > centre_of(image, (0, 255, 0))[1]


def test_anterior_is_up():
    posterior, anterior = mask(np.s_[10:20, 2:6, 2]), mask(np.s_[10:20, 24:28, 2])
    image = draw(posterior, anterior)
    assert centre_of(image, (255, 0, 0))[0] > centre_of(image, (0, 255, 0))[0]


@pytest.mark.parametrize("codes", ["RPS", "LAI", "SPR", "ALS"])
def test_the_axes_of_the_file_do_not_change_the_picture(codes):
    one, other = mask(np.s_[2:6, 10:20, 1:4]), mask(np.s_[24:28, 3:20, 1:4])
    expected = draw(one, other)
    assert (draw(reorient(one, codes), reorient(other, codes)) == expected).all()


def test_a_millimetre_is_as_long_across_as_up():
    voxels = np.zeros((20, 60, 3), bool)
    voxels[5:15, 15:45, 1] = True
    image = pixels(
        montage([Contour("m", Volume(voxels, np.diag([3.0, 1.0, 5.0, 1.0])), "#ff0000")], alternative="w")
    )
    red = np.argwhere(np.abs(image[: image.shape[0] * 3 // 4] - (255, 0, 0)).max(axis=2) < 40)
    height, width = np.ptp(red, axis=0)
    assert width == pytest.approx(height, rel=0.03)


def test_the_image_lies_behind_in_its_window():
    grey = np.full((30, 30, 5), -2000, np.int16)
    grey[15:] = 3000
    one = mask(np.s_[10:20, 10:20, 2])
    image = pixels(
        montage([Contour("m", one, "#ff0000")], image=Volume(grey, RAS), alternative="w", slices=1)
    )
    middle = image[image.shape[0] // 3]
    assert (middle == 255).all(axis=1).any()
    assert (middle == 0).all(axis=1).any()


def test_contours_keep_their_colour_on_an_image():
    one = mask(np.s_[10:20, 10:20, 2])
    grey = np.random.default_rng(0).integers(-160, 240, (30, 30, 5)).astype(np.int16)
    contours = [Contour("m", one, "#ff0000")]
    behind = montage(contours, image=Volume(grey, RAS), alternative="w", slices=1)
    assert behind.data_uri.startswith("data:image/jpeg;base64,")
    assert montage(contours, alternative="w", slices=1).data_uri.startswith("data:image/png;base64,")
    image = pixels(behind)[:-60]
    red = np.argwhere(np.abs(image - (255, 0, 0)).max(axis=2) < 60)
    # 20 mm x 20 mm in a crop of the whole 60 mm: the four sides of a third of the width.
    assert np.ptp(red, axis=0) == pytest.approx(image.shape[1] / 3, rel=0.05)


def test_masks_on_other_grids_are_refused():
    other = Volume(np.ones((3, 3, 3), bool), RAS)
    with pytest.raises(GeometryError, match="one grid"):
        montage([Contour("a", mask(), "#ff0000"), Contour("b", other, "#00ff00")], alternative="w")


def test_empty_masks_can_be_drawn():
    assert montage([Contour("a", mask(), "#ff0000")], alternative="nothing").alternative == "nothing"


def test_slices_lie_where_the_voxels_are():
    voxels = np.zeros((2, 2, 20), bool)
    voxels[..., 4] = voxels[..., 9] = voxels[..., 17] = True
    assert slice_indices(voxels, 3) == (17, 9, 4)
    voxels[...] = False
    voxels[..., 7] = True
    assert slice_indices(voxels, 3) == (7,)
