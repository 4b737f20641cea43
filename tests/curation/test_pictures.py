import io

import matplotlib.image
import numpy as np
import pytest

from wirsung.curation.pictures import axial_picture, write_picture
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume


def a_volume():
    """Air but for a bright corner at the patient's right and back, on voxels twice as long as wide."""
    voxels = np.full((40, 30, 5), -1000, np.int16)
    voxels[30:, :10] = 400  # RAS: a high i is the patient's right, a low j the back
    return Volume(voxels, np.diag([1.0, 2.0, 3.0, 1.0]))


@pytest.mark.parametrize("codes", ["RAS", "RPS", "LPS", "SAR"])
def test_the_patients_right_is_on_the_left_and_the_front_is_up(codes):
    picture = axial_picture(reorient(a_volume(), codes), is_ct=True)
    assert picture.shape == (160, 107)  # 60 mm from front to back, 40 mm across
    bright = picture > 0.5
    down, across = (np.flatnonzero(bright.any(axis=axis)) for axis in (1, 0))
    assert (down.min() > 100, down.max()) == (True, 159)
    assert (across.min(), across.max() < 30) == (0, True)


def test_values_without_a_unit_fill_the_range():
    voxels = np.random.default_rng(0).integers(0, 5000, (20, 20, 3)).astype(np.int16)
    picture = axial_picture(Volume(voxels, np.eye(4)), is_ct=False)
    assert (picture.min(), picture.max()) == (0, 1)
    flat = axial_picture(Volume(np.zeros((4, 4, 4)), np.eye(4)), is_ct=False)
    assert (flat == 0).all()


def test_the_file_is_a_small_png(tmp_path):
    path = tmp_path / "pictures" / "a.png"
    write_picture(path, a_volume(), is_ct=True)
    content = path.read_bytes()
    shown = matplotlib.image.imread(io.BytesIO(content), format="png")
    assert shown.shape[:2] == (160, 107)
    assert len(content) < 20_000
    write_picture(path, a_volume(), is_ct=True)
    assert path.read_bytes() == content
