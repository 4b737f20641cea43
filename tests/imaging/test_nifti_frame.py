import nibabel
import numpy as np
import pytest

from wirsung.errors import ImageError
from wirsung.imaging.nifti_frame import OFFSET, check_voxels, header_bytes


def test_the_header_says_the_same_place_twice_and_nothing_else():
    affine = np.array([[0.8, 0, 0, -10], [0, -0.8, 0, 20], [0, 0, 2.5, 30], [0, 0, 0, 1.0]])
    stored = header_bytes(np.dtype(np.int16), (4, 5, 6), affine)
    assert len(stored) == OFFSET
    header = nibabel.Nifti1Header(stored[:348])
    assert header.get_data_shape() == (4, 5, 6)
    np.testing.assert_allclose(header.get_sform(), affine, atol=1e-5)
    np.testing.assert_allclose(header.get_qform(), affine, atol=1e-5)
    assert (int(header["sform_code"]), int(header["qform_code"])) == (1, 1)
    assert header.get_xyzt_units()[0] == "mm"
    assert not any(
        bytes(header[name]).strip(b"\0") for name in ("descrip", "aux_file", "db_name", "intent_name")
    )


@pytest.mark.parametrize("voxels", [np.zeros((2, 2, 2), np.complex64), np.zeros((40000, 1, 1), np.uint8)])
def test_what_the_format_can_not_hold_is_refused(voxels, tmp_path):
    with pytest.raises(ImageError, match=r"x\.nii"):
        check_voxels(voxels, tmp_path / "x.nii")


def test_values_that_are_no_number_are_refused_with_their_count(tmp_path):
    voxels = np.zeros((2, 2, 2), np.float32)
    voxels[0, 0] = np.nan
    with pytest.raises(ImageError, match="2 voxels"):
        check_voxels(voxels, tmp_path / "x.nii")
