import importlib.util
from pathlib import Path

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.curation.drawn_labels import Repairs, drawn_mask, read_drawn, structures_of
from wirsung.errors import GeometryError, ImageError
from wirsung.imaging.volume import Volume

_PATH = Path(__file__).parents[1] / "imaging/structure_sets.py"
_SPEC = importlib.util.spec_from_file_location("structure_sets", _PATH)
rt = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(rt)

IMAGE = Volume(np.zeros((10, 9, 4)), np.diag([-1.0, -1.0, 2.0, 1.0]))


def box(k, left, right, points=4):
    corners = [(left, 1.5), (right, 1.5), (right, 4.5), (left, 4.5)]
    return rt.contour([(x, y, 2 * k) for x, y in corners[:points]])


def read(path):
    return read_drawn((path,), scheme("pants-28"), case="a")


def test_regions_of_one_structure_are_joined_and_others_dropped(tmp_path):
    regions = {
        "pancreatic_lesion_1": [box(1, 0.5, 2.5)],
        "body": [box(k, -0.5, 9.5) for k in range(4)],
        "pancreatic_lesion_2": [box(2, 5.5, 8.5)],
    }
    found, dropped = read(rt.write(tmp_path / "r.dcm", regions))
    assert dropped == ("body",)
    (name, drawn), *others = structures_of(found)
    assert (name, others) == ("pancreatic_lesion", [])
    mask = drawn_mask(drawn, name, IMAGE, Repairs(), case="a")
    assert mask.sum(axis=(0, 1)).tolist() == [0, 6, 9, 0]


def test_what_encloses_nothing_is_counted(tmp_path):
    found, _ = read(rt.write(tmp_path / "r.dcm", {"liver": [box(1, 0.5, 2.5), box(2, 0.5, 2.5, points=2)]}))
    repairs = Repairs()
    drawn_mask(found[0], "liver", IMAGE, repairs, case="a")
    assert repairs.counts == {"CONTOURS_LEFT_OUT": 1}


def test_a_file_is_called_by_its_number(tmp_path):
    path = rt.write(tmp_path / "DOE_JANE.dcm", {"liver": [box(1, 0.5, 2.5)]})
    path.write_bytes(path.read_bytes()[:-10])
    with pytest.raises(ImageError) as caught:
        read(path)
    assert "DOE" not in str(caught.value)


def test_a_mask_that_shares_no_voxel_with_the_image_is_refused():
    far = np.eye(4)
    far[:3, 3] = 500
    mask = Volume(np.ones((3, 3, 3), dtype=bool), far)
    repairs = Repairs(may_resample=True)
    with pytest.raises(GeometryError, match="Case a: no voxel of liver lies in the image"):
        repairs.resampled(mask, IMAGE, "liver", "a")
    assert repairs.counts == {}
