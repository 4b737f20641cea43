import gzip
import re
import tracemalloc

import nibabel
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from hypothesis.extra.numpy import arrays

from wirsung.errors import GeometryError, ImageError, LabelError, WirsungError
from wirsung.imaging.nifti import read_image, read_label_map, read_mask, write_nifti
from wirsung.imaging.volume import Volume

AFFINE = np.array([[0.0, -0.8, 0, 30], [-0.7, 0, 0, -20], [0, 0, 2.5, -100], [0, 0, 0, 1]])


def saved(path, voxels, affine=AFFINE, *, slope=None, intercept=0.0, edit=None):
    """A file written by nibabel, with its scaling fields as told."""
    image = nibabel.Nifti1Image(voxels, affine)
    image.header.set_xyzt_units("mm")
    if edit:
        edit(image.header)
    nibabel.save(image, path)
    if slope is not None:  # nibabel would scale on saving, so the fields are set in the bytes
        content = bytearray(gzip.decompress(path.read_bytes()))
        content[112:120] = np.array([slope, intercept], "<f4").tobytes()
        path.write_bytes(gzip.compress(bytes(content)))
    return path


@pytest.fixture
def path(tmp_path):
    return tmp_path / "image.nii.gz"


@pytest.mark.parametrize("dtype", ["u1", "i1", "<i2", ">i2", "<u2", "<i4", ">i4", "<i8", "<f4", ">f4", "<f8"])
def test_whole_numbers_become_int16_from_any_type(dtype, path):
    voxels = np.arange(60).reshape(3, 4, 5).astype(dtype)
    image = nibabel.Nifti1Image(voxels, AFFINE, dtype=voxels.dtype)
    if dtype.startswith(">"):
        image = nibabel.Nifti1Image(voxels, AFFINE, nibabel.Nifti1Header(endianness=">"), dtype=voxels.dtype)
    nibabel.save(image, path)
    volume = read_image(path)
    assert volume.voxels.dtype == np.int16
    np.testing.assert_array_equal(volume.voxels, np.arange(60).reshape(3, 4, 5))
    np.testing.assert_allclose(volume.affine, AFFINE, atol=1e-5)


def test_values_beyond_int16_and_fractions_become_float32(path):
    assert read_image(saved(path, np.full((2, 2, 2), 40000, "i4"))).voxels.dtype == np.float32
    assert read_image(saved(path, np.full((2, 2, 2), 40000, "i4"))).voxels[0, 0, 0] == 40000
    assert read_image(saved(path, np.full((2, 2, 2), 0.5, "f4"))).voxels[0, 0, 0] == np.float32(0.5)


@pytest.mark.parametrize(
    ("slope", "intercept", "expected"),
    [
        (0, -1024, 3),
        (np.nan, -1024, 3),
        (np.nan, np.nan, 3),
        (2, -1000, -994),
        (1, -1024, -1021),
        (0.5, 0, 1.5),
    ],
)
def test_scaling_is_applied_unless_the_slope_is_zero_or_nan(slope, intercept, expected, path):
    volume = read_image(saved(path, np.full((2, 2, 2), 3, "i2"), slope=slope, intercept=intercept))
    assert (volume.voxels == expected).all()
    assert volume.voxels.dtype == (np.int16 if expected == int(expected) else np.float32)


@pytest.mark.parametrize(("slope", "intercept"), [(np.inf, 0), (1, np.nan), (2, np.inf)])
def test_scaling_that_is_not_finite_is_refused(slope, intercept, path):
    with pytest.raises(ImageError, match=r"its scaling .* is not finite"):
        read_image(saved(path, np.full((2, 2, 2), 3, "i2"), slope=slope, intercept=intercept))


def test_nan_and_infinite_voxels_are_refused_with_their_count(path):
    voxels = np.zeros((3, 3, 3), "f4")
    voxels[0, 0, 0], voxels[1, 1, 1], voxels[2, 2, 2] = np.nan, np.inf, -np.inf
    with pytest.raises(ImageError, match="3 voxels are NaN or infinite"):
        read_image(saved(path, voxels))
    with pytest.raises(LabelError, match="at least 3 voxels are not"):
        read_label_map(saved(path, voxels))


def test_values_too_large_for_float32_are_refused(path):
    with pytest.raises(ImageError, match="too large for float32"):
        read_image(saved(path, np.full((2, 2, 2), 1e300)))


def test_a_scaled_mask_is_rounded_and_never_truncated(path):
    """As in PanTS: int8 from -128 to 127 with slope 1/255, so that foreground reads 1.0000000591."""
    voxels = np.array([[[-128, 127], [127, -128]]], "i1")
    mask = read_mask(saved(path, voxels, slope=0.00392157, intercept=0.50196))
    np.testing.assert_array_equal(mask.voxels, [[[False, True], [True, False]]])
    assert mask.voxels.dtype == np.bool_


def test_scaled_labels_are_rounded_and_never_truncated(path):
    """As in the PanTS viewer's files: slope 4.27e-4 gives 16.000183 and 26.999802."""
    voxels = np.array([[[0, 1.999969], [16.000183, 26.999802]]], "f4")
    labels = read_label_map(saved(path, voxels))
    np.testing.assert_array_equal(labels.voxels, [[[0, 2], [16, 27]]])
    assert labels.voxels.dtype == np.uint8


@pytest.mark.parametrize("bad", [0.5, 1.002, -1, 65536, 1e9])
def test_values_that_are_no_labels_are_refused_by_name(bad, path):
    voxels = np.zeros((2, 2, 2), "f4")
    voxels[1, 1, 1] = bad
    with pytest.raises(LabelError, match=re.escape(f"such as {bad:g}")):
        read_label_map(saved(path, voxels))


def test_labels_above_255_become_uint16(path):
    labels = read_label_map(saved(path, np.array([[[0, 256, 65535]]], "i4")))
    assert labels.voxels.dtype == np.uint16
    np.testing.assert_array_equal(labels.voxels.ravel(), [0, 256, 65535])


@pytest.mark.parametrize(
    ("values", "expected"), [([0, 1], [0, 1]), ([0, 255], [0, 1]), ([0, 0], [0, 0]), ([1, 1], [1, 1])]
)
def test_masks_of_one_or_of_255_are_read(values, expected, path):
    mask = read_mask(saved(path, np.array([[values]], "u1")))
    np.testing.assert_array_equal(mask.voxels.ravel(), np.array(expected, bool))


@pytest.mark.parametrize(
    ("values", "named"), [([0, 2], 2), ([1, 255], 255), ([0, 1, 7], 7), ([3, 255, 0], 3)]
)
def test_a_label_map_is_no_mask(values, named, path):
    with pytest.raises(LabelError, match=f"but this one holds {named}\\."):
        read_mask(saved(path, np.array([[values]], "u1")))


@given(
    arrays(
        st.sampled_from([np.uint8, np.int16, np.float32]),
        st.tuples(*[st.integers(1, 5)] * 3),
        elements=st.integers(0, 200),
    )
)
def test_writing_and_reading_gives_the_same_voxels(tmp_path_factory, voxels):
    path = tmp_path_factory.mktemp("round-trip") / "image.nii.gz"
    write_nifti(path, Volume(voxels, AFFINE))
    back = read_image(path)
    np.testing.assert_array_equal(back.voxels, voxels)
    np.testing.assert_allclose(back.affine, AFFINE, atol=1e-5)


def test_every_real_file_reads_as_nibabel_reads_it(shared_data):
    for path in [
        *sorted((shared_data / "ct_abdomen").glob("*.nii.gz")),
        *sorted((shared_data / "mr_abdomen").glob("*.nii.gz")),
    ]:
        volume, image = read_image(path), nibabel.load(path)
        np.testing.assert_array_equal(volume.voxels, image.get_fdata())
        np.testing.assert_allclose(volume.affine, image.affine, atol=1e-4)


@pytest.fixture(scope="module")
def large_file(tmp_path_factory):
    """Some hundred kilobytes compressed, so that no reader holds the whole of it in its first buffer."""
    path = tmp_path_factory.mktemp("large") / "image.nii.gz"
    voxels = np.random.default_rng(0).normal(0, 300, (80, 70, 60)).astype(np.int16)
    write_nifti(path, Volume(voxels, AFFINE))
    assert path.stat().st_size > 400_000
    return path


def test_no_truncation_goes_unnoticed(large_file, tmp_path):
    content, path = large_file.read_bytes(), tmp_path / "cut.nii.gz"
    sizes = [0, 1, 2, 10, 17, 100, 400, *range(1000, len(content), len(content) // 20)]
    for size in [*sizes, *(len(content) - end for end in (1, 4, 8, 9, 20))]:
        path.write_bytes(content[:size])
        with pytest.raises(WirsungError):
            read_image(path)


def test_no_flipped_bit_changes_a_voxel_silently(large_file, tmp_path):
    content, path = bytearray(large_file.read_bytes()), tmp_path / "flipped.nii.gz"
    truth = read_image(large_file)
    frame = 12 + int.from_bytes(content[10:12], "little")  # the gzip header with its extra field
    random = np.random.default_rng(7)
    places = [*random.integers(0, len(content), 150), *range(20), *range(len(content) - 8, len(content))]
    noticed = 0
    for place in places:
        bit = 1 << int(random.integers(8))
        content[place] ^= bit
        path.write_bytes(content)
        content[place] ^= bit
        try:
            volume = read_image(path)
        except WirsungError:
            noticed += 1
        else:  # only the file's time, system, compression hint or index of slabs may differ
            np.testing.assert_array_equal(volume.voxels, truth.voxels)
            assert place < frame
    assert noticed >= len(places) - sum(place < frame for place in places)


def test_geometry_that_is_unsure_is_refused(path):
    def without_codes(header):
        header["sform_code"] = header["qform_code"] = 0

    image = nibabel.Nifti1Image(np.zeros((2, 2, 2), "i2"), AFFINE)
    image.set_sform(None, code=0)
    image.set_qform(None, code=0)
    without_codes(image.header)
    nibabel.save(image, path)
    with pytest.raises(GeometryError, match="sform and qform codes are 0"):
        read_image(path)


@pytest.mark.parametrize("name", ["scan.nii", "scan.nii.gz"])
def test_an_int16_image_is_in_memory_but_once(tmp_path, name):
    voxels = np.zeros((80, 90, 100), np.int16)
    voxels[20:40] = 70
    path = saved(tmp_path / name, voxels)
    read_image(path)
    tracemalloc.start()
    try:
        read_image(path)
        _, peak_bytes = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert peak_bytes < 1.5 * voxels.nbytes
