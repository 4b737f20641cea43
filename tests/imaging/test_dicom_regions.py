import importlib.util
from pathlib import Path

import numpy as np
import pytest

from wirsung.errors import ImageError
from wirsung.imaging.dicom_regions import read_references


def _beside(name):
    spec = importlib.util.spec_from_file_location(name, Path(__file__).with_name(f"{name}.py"))
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


seg, rt = _beside("segmentations"), _beside("structure_sets")


def test_a_segmentation_says_which_slices_it_was_drawn_on(dicom_phantom, tmp_path):
    slices = seg.slices_of(dicom_phantom.write(seg.complete))
    array = np.ones((12, 34, 38), dtype=np.uint8)
    found = read_references(seg.write_seg(tmp_path / "s.dcm", slices, array, [seg.described(1, "a")]))
    assert (found.kind, found.frame_of_reference) == ("SEG", "1.2.9")
    assert {ds.SOPInstanceUID for ds in slices} <= set(found.instances)
    assert "1.2.3.4" in found.series
    assert "1.2.3.4" not in repr(found)


def test_a_structure_set_says_which_slices_it_was_drawn_on(dicom_phantom, tmp_path):
    slices = seg.slices_of(dicom_phantom.write())
    found = read_references(rt.write(tmp_path / "r.dcm", {}, slices))
    assert (found.kind, found.series, found.frame_of_reference) == ("RTSTRUCT", ("1.2.3.4",), "1.2.9")
    assert found.instances[1:] == tuple(ds.SOPInstanceUID for ds in slices)


def test_an_image_refers_to_nothing(dicom_phantom):
    assert read_references(next(dicom_phantom.write().glob("*.dcm"))) is None


def test_a_damaged_header_is_an_error_that_shows_nothing_of_it(tmp_path):
    path = rt.write(tmp_path / "r.dcm", {"a": []})
    path.write_bytes(path.read_bytes()[:-46])  # in a sequence; how long UIDs are is chance
    with pytest.raises(ImageError, match="LABELS_DAMAGED") as caught:
        read_references(path)
    assert "CANARY" not in str(caught.value)
