import base64
import io

import numpy as np
import pytest
from matplotlib.image import imread

from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import Leak, Scan
from wirsung.datasets.manifest import ManifestRow
from wirsung.datasets.pair_pictures import pair_picture
from wirsung.errors import ImageError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume


@pytest.fixture
def folder(tmp_path):
    """A body of 100 x 80 x 60 mm whose upper half is bright; in `cropped` only that half is left."""
    voxels = np.full((50, 40, 30), -60, np.int16)
    voxels[:, :, 15:] = 240
    for case, part in (("whole", voxels), ("cropped", voxels[:, :, 15:])):
        write_nifti(tmp_path / "ImageTr" / case / "ct.nii.gz", Volume(part, np.diag([2.0, 2, 2, 1])))
    return tmp_path


def leak(shift_mm):
    one, other = (Scan("set", ManifestRow(case, case)) for case in ("whole", "cropped"))
    return Leak("near", one, other, "nearly the same scan", 0.01, shift_mm)


def pixels(picture):
    return imread(io.BytesIO(base64.b64decode(picture.data_uri.partition(",")[2])), format="jpeg")[:, :, 0]


def test_both_scans_are_shown_at_the_same_level_of_the_body(folder):
    picture = pair_picture(leak(30.0), {"set": Dataset.open(folder)})
    grey = pixels(picture)
    # Coronal 40 x 24 and axial 40 x 32 pixels of 2.5 mm each, twice, with gaps of 4 between.
    assert grey.shape == (32, 4 * 40 + 3 * 4)
    axial = [grey[4:28, start + 4 : start + 36].mean() for start in (44, 132)]
    assert axial == pytest.approx([axial[0]] * 2, abs=2)
    assert axial[0] > 150
    assert picture.caption.startswith("whole of set (left) and cropped of set (right)")


def test_without_a_shift_each_is_shown_in_the_middle(folder):
    assert pixels(pair_picture(leak(None), {"set": Dataset.open(folder)})).shape == (32, 172)


def test_an_image_that_is_gone_is_an_error(folder):
    (folder / "ImageTr" / "cropped" / "ct.nii.gz").unlink()
    with pytest.raises(ImageError):
        pair_picture(leak(0.0), {"set": Dataset.open(folder)})
