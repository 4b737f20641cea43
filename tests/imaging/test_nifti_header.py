from pathlib import Path

import nibabel
import numpy as np
import pytest
from scipy.spatial.transform import Rotation

from wirsung.errors import GeometryError, ImageError
from wirsung.imaging.nifti_header import orthogonal_affine, parse_header

NAME = Path("case.nii.gz")
AFFINE = np.diag([-0.8, -0.8, 2.5, 1.0])
AFFINE[:3, 3] = 100, 120, -300


def header(
    kind=nibabel.Nifti1Header, *, sform=AFFINE, qform=AFFINE, shape=(100, 90, 80), dtype="i2", **fields
):
    """The bytes of a single file's header; a form of None gets code 0."""
    made = kind()
    made.set_data_shape(shape)
    made.set_data_dtype(dtype)
    made.set_xyzt_units("mm")
    made.set_qform(AFFINE if qform is None else qform, code=1)
    made.set_sform(AFFINE if sform is None else sform, code=1)
    made["qform_code"], made["sform_code"] = qform is not None, sform is not None
    made["vox_offset"] = 352 if kind is nibabel.Nifti1Header else 544
    for name, value in fields.items():
        made[name] = value
    return made.binaryblock


@pytest.mark.parametrize("kind", [nibabel.Nifti1Header, nibabel.Nifti2Header])
def test_both_versions_say_the_same(kind):
    parsed = parse_header(header(kind), NAME)
    assert parsed.shape == (100, 90, 80)
    assert parsed.dtype == np.int16
    assert parsed.file_bytes == (352 if kind is nibabel.Nifti1Header else 544) + 100 * 90 * 80 * 2
    assert not parsed.is_scaled
    np.testing.assert_allclose(parsed.affine, AFFINE, atol=1e-5)


def test_big_endian_is_read():
    little = nibabel.Nifti1Header(header())
    np.testing.assert_allclose(
        parse_header(little.as_byteswapped(">").binaryblock, NAME).affine, AFFINE, atol=1e-5
    )


@pytest.mark.parametrize("forms", [{"sform": None}, {"qform": None}])
def test_one_form_alone_is_believed(forms):
    np.testing.assert_allclose(parse_header(header(**forms), NAME).affine, AFFINE, atol=1e-5)


def test_forms_that_disagree_are_refused_with_the_distance():
    moved = AFFINE.copy()
    moved[2, 3] += 3
    with pytest.raises(GeometryError, match="put a corner of the grid 3 mm apart"):
        parse_header(header(qform=moved), NAME)


def test_forms_that_disagree_by_less_than_a_twentieth_of_a_voxel_are_taken():
    moved = AFFINE.copy()
    moved[2, 3] += 0.1
    np.testing.assert_allclose(parse_header(header(qform=moved), NAME).affine, AFFINE, atol=1e-5)


def test_forms_that_differ_by_a_flip_are_refused():
    with pytest.raises(GeometryError, match="sform and qform"):
        parse_header(header(qform=AFFINE @ np.diag([-1, 1, 1, 1])), NAME)


def test_no_form_at_all_is_refused():
    with pytest.raises(GeometryError, match="does not say where its voxels are"):
        parse_header(header(sform=None, qform=None), NAME)


@pytest.mark.parametrize("bad", [np.nan, np.inf])
def test_an_sform_that_is_not_finite_is_refused(bad):
    sform = AFFINE.copy()
    sform[0, 3] = bad
    with pytest.raises(GeometryError, match="not finite"):
        parse_header(header(sform=sform, qform=None), NAME)


@pytest.mark.parametrize(
    ("column", "reason"), [([0, 0, 0], "degenerate"), ([0, -0.8, 0], "two axes of its affine are parallel")]
)
def test_a_degenerate_sform_is_refused(column, reason):
    sform = AFFINE.copy()
    sform[:3, 0] = column
    with pytest.raises(GeometryError, match=reason):
        parse_header(header(sform=sform, qform=None), NAME)


@pytest.mark.parametrize("pixdim", [[1, -0.8, 0.8, 2.5], [7, 0.8, 0.8, 2.5]])
def test_a_qform_with_negative_spacing_or_odd_sign_is_refused(pixdim):
    with pytest.raises(GeometryError, match="qform is not a rotation"):
        parse_header(header(sform=None, pixdim=[*pixdim, 0, 0, 0, 0]), NAME)


def test_a_spacing_that_contradicts_the_sform_is_refused():
    with pytest.raises(GeometryError, match=r"pixdim says \(1, 0.8, 2.5\) mm .* its sform \(0.8, 0.8, 2.5\)"):
        parse_header(header(qform=None, pixdim=[1, 1, 0.8, 2.5, 0, 0, 0, 0]), NAME)


def test_a_spacing_that_is_not_set_contradicts_nothing():
    parsed = parse_header(header(qform=None, pixdim=[1, 0, 0, 0, 0, 0, 0, 0]), NAME)
    np.testing.assert_allclose(parsed.affine, AFFINE, atol=1e-5)


@pytest.mark.parametrize(("code", "factor"), [(0, 1), (1, 1000), (2, 1), (3, 0.001), (10, 1)])
def test_units_become_millimetres(code, factor):
    parsed = parse_header(header(xyzt_units=code), NAME)
    np.testing.assert_allclose(parsed.affine[:3], AFFINE[:3] * factor, rtol=1e-6)


def test_an_unknown_unit_is_refused():
    with pytest.raises(ImageError, match="unit of length has code 5"):
        parse_header(header(xyzt_units=5), NAME)


def sheared(amount):
    affine = np.eye(4)
    rotation = Rotation.from_euler("xyz", [10, 20, 30], degrees=True).as_matrix()
    affine[:3, :3] = rotation @ np.array([[1, amount, 0], [0, 1, 0], [0, 0, 1]]) @ np.diag([0.7, 0.7, 3])
    affine[:3, 3] = 10, 20, 30
    return affine


def test_right_angles_are_kept_to_the_bit():
    affine, moved_mm = orthogonal_affine(sheared(5e-6), (10, 10, 10), NAME)
    np.testing.assert_array_equal(affine, sheared(5e-6))
    assert moved_mm == 0


@pytest.mark.parametrize("amount", [2e-5, 4e-4, 9e-4])
def test_a_slight_shear_is_mended_by_the_nearest_rotation(amount):
    affine, moved_mm = orthogonal_affine(sheared(amount), (500, 500, 100), NAME)
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    np.testing.assert_allclose(directions.T @ directions, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(np.linalg.norm(affine[:3, :3], axis=0), [0.7, 0.7, 3], rtol=1e-6)
    nearest, _ = Rotation.align_vectors(
        (sheared(amount)[:3, :3] / np.linalg.norm(sheared(amount)[:3, :3], axis=0)).T, np.eye(3)
    )
    np.testing.assert_allclose(directions, nearest.as_matrix(), atol=1e-7)
    assert 0 < moved_mm < amount * 500


def test_a_strong_shear_is_refused():
    with pytest.raises(GeometryError, match=r"not at right angles \(their cosines reach 0.002"):
        orthogonal_affine(sheared(2e-3), (10, 10, 10), NAME)


@pytest.mark.parametrize(
    ("shape", "text"),
    [((5, 4), "5 x 4"), ((5, 4, 3, 2), "5 x 4 x 3 x 2"), ((5, 4, 3, 1, 3), "5 x 4 x 3 x 1 x 3")],
)
def test_anything_but_one_volume_is_refused(shape, text):
    with pytest.raises(ImageError, match=f"its axes are {text}"):
        parse_header(header(shape=shape), NAME)


@pytest.mark.parametrize("shape", [(5, 4, 3, 1), (5, 4, 3, 1, 1)])
def test_further_axes_of_length_one_are_dropped(shape):
    assert parse_header(header(shape=shape), NAME).shape == (5, 4, 3)


@pytest.mark.parametrize(
    "dim", [[0] * 8, [9, 1, 1, 1, 1, 1, 1, 1], [3, 4, 0, 5, 0, 0, 0, 0], [3, 4, -2, 5, 0, 0, 0, 0]]
)
def test_impossible_axes_are_refused(dim):
    with pytest.raises(ImageError, match="one volume of three axes"):
        parse_header(header(dim=dim), NAME)


@pytest.mark.parametrize(
    "fields",
    [{"datatype": 128, "bitpix": 24}, {"datatype": 32, "bitpix": 64}, {"datatype": 999}, {"bitpix": 8}],
)
def test_number_types_that_are_no_scalars_are_refused(fields):
    with pytest.raises(ImageError, match="its number type"):
        parse_header(header(**fields), NAME)


@pytest.mark.parametrize("offset", [0, 348, 352.5, np.nan, -1])
def test_an_impossible_offset_is_refused(offset):
    with pytest.raises(ImageError, match="its voxels begin at byte"):
        parse_header(header(vox_offset=offset), NAME)


def test_half_of_a_pair_is_refused():
    with pytest.raises(ImageError, match="half of a pair"):
        parse_header(header(magic=b"ni1"), NAME)


@pytest.mark.parametrize("content", [b"", b"hello", bytes(400), header(magic=b"xxx"), header()[:300]])
def test_what_is_no_nifti_is_called_so(content):
    with pytest.raises(ImageError, match="is not a NIfTI file"):
        parse_header(content, NAME)
