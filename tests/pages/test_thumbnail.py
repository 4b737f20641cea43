import base64
import io
import re
from xml.etree import ElementTree

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays
from PIL import Image

from wirsung.errors import GeometryError
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.pages.montage import Contour
from wirsung.pages.thumbnail import path_of, slice_of_largest_error, thumbnail

SVG = "{http://www.w3.org/2000/svg}"
# LPS, the directions of the picture, with 2 x 1 mm pixels.
LPS = np.diag([-2.0, -1.0, 5.0, 1.0])
masks = st.tuples(st.integers(1, 6), st.integers(1, 6)).flatmap(lambda shape: arrays(np.bool_, shape))


def volume(*boxes, shape=(60, 120, 6)) -> Volume:
    voxels = np.zeros(shape, dtype=bool)
    for box in boxes:
        voxels[box] = True
    return Volume(voxels, LPS)


REFERENCE = volume(np.s_[20:30, 40:60, 1:5])
PREDICTION = volume(np.s_[20:30, 40:60, 1:3], np.s_[20:24, 40:60, 3], np.s_[20:29, 40:60, 4])


def contours(reference=REFERENCE, prediction=PREDICTION) -> list[Contour]:
    return [Contour("reference", reference, "#00f"), Contour("prediction", prediction, "#f00", dashed=True)]


def svg_of(picture) -> ElementTree.Element:
    return ElementTree.fromstring(base64.b64decode(picture.data_uri.partition(",")[2]))


def filled(path: str, shape: tuple[int, int]) -> np.ndarray:
    """The voxels inside a path, by crossings from the left: an independent reading of it."""
    crossings = np.zeros((shape[0] + 1, shape[1]), dtype=int)
    i = j = i0 = j0 = 0
    for kind, numbers in re.findall(r"([Mhvz])([-\d ]*)", path):
        steps = [int(n) for n in numbers.split()]
        if kind == "M":
            i, j = i0, j0 = steps
        elif kind == "h":
            i += steps[0]
        else:
            end = j0 if kind == "z" else j + steps[0]
            assert kind == "v" or i == i0 or j == j0
            for row in range(min(j, end), max(j, end)):
                crossings[i, row] += 1
            j = end
    return np.cumsum(crossings, axis=0)[:-1] % 2 == 1


@given(masks)
def test_a_path_encloses_exactly_the_voxels(mask):
    assert (filled(path_of(mask), mask.shape) == mask).all()


def test_the_slice_of_the_largest_error_is_shown():
    assert slice_of_largest_error(REFERENCE.voxels, PREDICTION.voxels) == 3
    assert slice_of_largest_error(REFERENCE.voxels, REFERENCE.voxels) == 1


def test_the_contours_are_those_of_that_slice():
    paths = svg_of(thumbnail(contours(), alternative="w")).findall(f".//{SVG}path")
    sizes = [filled(path.get("d"), (60, 120)).sum() for path in paths]
    assert sizes == [200, 80]
    assert [path.get("stroke-dasharray") for path in paths] == [None, "4 2"]


def test_two_predictions_differ_by_more_than_colour():
    three = [*contours(), Contour("other", PREDICTION, "#0f0", dotted=True)]
    dashes = [
        path.get("stroke-dasharray") for path in svg_of(thumbnail(three, alternative="w")).iter(f"{SVG}path")
    ]
    assert len(set(dashes)) == 3


def test_a_millimetre_is_as_long_across_as_down():
    root = svg_of(thumbnail(contours(), alternative="w"))
    # 10 voxels of 2 mm across, 20 of 1 mm down: both 20 mm, in 60 mm of surroundings.
    assert [float(root.get(key)) for key in ("width", "height")] == pytest.approx([60, 60], abs=2)
    assert root.find(f"{SVG}g").get("transform") == "scale(2 1)"


@pytest.mark.parametrize("codes", ["RAI", "PIR", "SLA"])
def test_the_axes_of_the_file_do_not_change_the_picture(codes):
    image = Volume(np.random.default_rng(0).integers(-200, 300, (60, 120, 6)).astype(np.int16), LPS)
    expected = thumbnail(contours(), alternative="w", image=image)
    turned = contours(reorient(REFERENCE, codes), reorient(PREDICTION, codes))
    assert thumbnail(turned, alternative="w", image=reorient(image, codes)) == expected


def test_the_image_lies_behind_in_its_window():
    bright = np.full((60, 120, 6), -1000, np.int16)
    bright[:25] = 1000
    root = svg_of(thumbnail(contours(), alternative="w", image=Volume(bright, LPS)))
    address = root.find(f"{SVG}image").get("href")
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(address.partition(",")[2]))).convert("L"))
    assert pixels[:, :10].min() > 240
    assert pixels[:, -10:].max() < 15


def test_a_thumbnail_of_a_large_slice_is_small():
    shape = (512, 512, 3)
    noise = np.random.default_rng(0).integers(-160, 240, shape).astype(np.int16)
    large = volume(np.s_[10:500, 10:500, 1], shape=shape)
    picture = thumbnail(contours(large, large), alternative="w", image=Volume(noise, LPS))
    assert len(picture.data_uri) < 60_000


def test_empty_masks_have_a_thumbnail():
    thumbnail(contours(volume(), volume()), alternative="w")


def test_masks_on_other_grids_are_refused():
    with pytest.raises(GeometryError, match="one grid"):
        thumbnail(contours(prediction=volume(shape=(3, 3, 3))), alternative="w")
