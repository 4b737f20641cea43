"""Every transfer syntax that can be written here, written by a library that is not the one that reads."""

import numpy as np
import pydicom
import pytest

from wirsung.errors import ImageError, MissingDependencyError
from wirsung.imaging import dicom_pixels
from wirsung.imaging.dicom import read_series

LOSSLESS = {
    "ImplicitVRLittleEndian": "1.2.840.10008.1.2",
    "ExplicitVRLittleEndian": "1.2.840.10008.1.2.1",
    "DeflatedExplicitVRLittleEndian": "1.2.840.10008.1.2.1.99",
    "ExplicitVRBigEndian": "1.2.840.10008.1.2.2",
    "JPEGLosslessProcess14": "1.2.840.10008.1.2.4.57",
    "JPEGLosslessProcess14_1": "1.2.840.10008.1.2.4.70",
    "JPEGLSLossless": "1.2.840.10008.1.2.4.80",
    "JPEG2000Lossless": "1.2.840.10008.1.2.4.90",
    "RLELossless": "1.2.840.10008.1.2.5",
}
LOSSY = {
    "JPEGLSNearLossless": ("1.2.840.10008.1.2.4.81", 4),
    "JPEG2000": ("1.2.840.10008.1.2.4.91", 8),
}
COMPRESSED = sorted({*LOSSLESS, *LOSSY} - {name for name in LOSSLESS if "Endian" in name})


def unsigned_12_bits(ds, number):
    values = np.frombuffer(ds.PixelData, "<i2") - 24 + 1024
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.RescaleIntercept = 12, 11, 0, -1024
    ds.PixelData = values.astype("<u2").tobytes()


def transcoded(folder, name):
    """Every file in another transfer syntax, by GDCM."""
    gdcm = pytest.importorskip("gdcm")
    for path in folder.iterdir():
        reader = gdcm.ImageReader()
        reader.SetFileName(str(path))
        assert reader.Read()
        change = gdcm.ImageChangeTransferSyntax()
        change.SetTransferSyntax(gdcm.TransferSyntax(getattr(gdcm.TransferSyntax, name)))
        change.SetInput(reader.GetImage())
        assert change.Change()
        writer = gdcm.ImageWriter()
        writer.SetFileName(str(path))
        writer.SetFile(reader.GetFile())
        writer.SetImage(change.GetOutput())
        assert writer.Write()
    return folder


def syntax_of(folder):
    return str(pydicom.dcmread(next(folder.iterdir())).file_meta.TransferSyntaxUID)


@pytest.mark.parametrize("edit", [None, unsigned_12_bits], ids=["signed", "12 bits"])
@pytest.mark.parametrize("name", LOSSLESS)
def test_every_lossless_transfer_syntax_is_exact(name, edit, dicom_phantom):
    folder = transcoded(dicom_phantom.write(edit), name)
    assert syntax_of(folder) == LOSSLESS[name]
    series = read_series(folder)
    assert dicom_phantom.error_hu(series.volume) == 0
    assert series.notes == {}


@pytest.mark.parametrize("name", LOSSY)
def test_lossy_transfer_syntaxes_are_read_and_near(name, dicom_phantom):
    syntax, largest_hu = LOSSY[name]
    folder = transcoded(dicom_phantom.write(unsigned_12_bits), name)
    assert syntax_of(folder) == syntax
    assert dicom_phantom.error_hu(read_series(folder).volume) <= largest_hu


def test_lossy_jpeg_of_12_bits_is_refused_as_no_decoder_is_trusted_with_it(dicom_phantom):
    folder = transcoded(dicom_phantom.write(unsigned_12_bits), "JPEGExtendedProcess2_4")
    with pytest.raises(ImageError, match=r"NO_DECODER.*is compressed as lossy JPEG of 12 bits"):
        read_series(folder)


def test_images_that_lost_something_are_marked(dicom_phantom):
    folder = dicom_phantom.write(lambda ds, number: setattr(ds, "LossyImageCompression", "01"))
    assert read_series(folder).notes == {"LOSSY": 1}


@pytest.mark.parametrize("name", COMPRESSED)
def test_cut_and_broken_streams_are_refused(name, dicom_phantom):
    folder = transcoded(dicom_phantom.write(unsigned_12_bits), name)
    victim = next(folder.iterdir())
    content = victim.read_bytes()
    for share in (0.6, 0.8, 0.99):
        victim.write_bytes(content[: int(len(content) * share)])
        with pytest.raises(ImageError, match=r": [A-Z]+_[A-Z]+, "):
            read_series(folder)


def test_a_missing_decoder_is_named_with_the_command_that_brings_it(dicom_phantom, monkeypatch):
    folder = transcoded(dicom_phantom.write(unsigned_12_bits), "JPEGLosslessProcess14_1")
    monkeypatch.setattr(dicom_pixels, "_PLUGINS", ("pydicom", "pylibjpeg"))
    with pytest.raises(MissingDependencyError, match=r"JPEG Lossless.*pip install pyjpegls python-gdcm"):
        read_series(folder)
