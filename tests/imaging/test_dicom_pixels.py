from dataclasses import replace

import numpy as np
import pydicom
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydicom.uid import JPEG2000Lossless, JPEGLSLossless

from wirsung.errors import MissingDependencyError
from wirsung.imaging import dicom_pixels
from wirsung.imaging.dicom_headers import read_headers
from wirsung.imaging.dicom_pixels import UnreadablePixels, read_voxels, same_content


def headers(phantom, count=3):
    return [read_headers(phantom.save(phantom.header(number), f"{number}.dcm"))[0] for number in range(count)]


def test_voxels_are_column_row_slice(dicom_phantom):
    voxels, mapped = read_voxels(headers(dicom_phantom))
    assert voxels.shape == (38, 34, 3)
    assert not mapped
    column, row = 5, 7
    place = dicom_phantom.position(2) + np.array([column * 1.2, row * 1.5, 0])
    assert voxels[column, row, 2] == np.rint(place @ [1.1, 1.7, 2.9] + 40)


@given(
    bits=st.integers(2, 16),
    shift=st.integers(0, 14),
    signed=st.booleans(),
    values=st.tuples(*[st.integers(0, 65535)] * 4),
)
def test_stored_bits_are_read_whatever_lies_around_them(bits, shift, signed, values):
    shift = min(shift, 16 - bits)
    meant = [value % (1 << bits) - ((1 << (bits - 1)) if signed else 0) for value in values]
    around = np.uint16(~(((1 << bits) - 1) << shift) & 0xFFFF)
    packed = np.array([(value & ((1 << bits) - 1)) << shift for value in meant], np.uint16) | around
    ds = pydicom.Dataset()
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation = bits, bits + shift - 1, int(signed)
    np.testing.assert_array_equal(dicom_pixels._unpacked(packed.reshape(1, 2, 2), ds).ravel(), meant)


def test_copies_have_the_same_content_and_others_do_not(dicom_phantom):
    first, second, _ = headers(dicom_phantom)
    copy = read_headers(dicom_phantom.save(dicom_phantom.header(0), "copy.dcm"))[0]
    assert same_content(first, copy)
    assert not same_content(first, second)
    assert not same_content(first, replace(copy, intercept=-25.0))
    changed = dicom_phantom.header(0)
    changed.PixelData = b"\0" + changed.PixelData[1:]
    assert not same_content(first, read_headers(dicom_phantom.save(changed, "changed.dcm"))[0])


@pytest.mark.parametrize(
    ("change", "code"),
    [
        ({"slope": 0.0}, "SLOPE_ZERO"),
        ({"slope": float("nan")}, "SLOPE_ZERO"),
        ({"slope": None}, "NO_RESCALE"),
        ({"slope": -1.0}, "SLOPE_MIXED"),
        ({"has_lookup_table": True}, "LOOKUP_TABLE"),
        ({"rescale_type": "OD"}, "NOT_HU"),
    ],
)
def test_values_without_meaning_are_refused(change, code, dicom_phantom):
    first, *others = headers(dicom_phantom)
    with pytest.raises(UnreadablePixels, match=code):
        read_voxels([replace(first, **change), *others])


def test_values_beyond_32_bits_are_refused(dicom_phantom):
    with pytest.raises(UnreadablePixels, match="VALUE_RANGE"):
        read_voxels([replace(item, slope=1e9) for item in headers(dicom_phantom)])


def test_a_matrix_that_the_file_does_not_have_is_refused(dicom_phantom):
    with pytest.raises(UnreadablePixels, match="PIXELS_DAMAGED"):
        read_voxels([replace(item, shape=(38, 34)) for item in headers(dicom_phantom)])


def test_a_missing_decoder_is_named_with_its_remedy(dicom_phantom, monkeypatch):
    ds = dicom_phantom.header(0)
    ds.compress(JPEG2000Lossless)
    ds.file_meta.TransferSyntaxUID = JPEGLSLossless
    found = read_headers(dicom_phantom.save(ds, "jpeg-ls.dcm"))
    if pydicom.pixels.get_decoder(JPEGLSLossless).is_available:
        pytest.skip("this machine has a decoder of JPEG-LS")
    with pytest.raises(MissingDependencyError, match="is compressed as JPEG-LS Lossless"):
        read_voxels(found)
