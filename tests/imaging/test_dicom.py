from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest
import SimpleITK
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import (
    DeflatedExplicitVRLittleEndian,
    ExplicitVRBigEndian,
    ImplicitVRLittleEndian,
    JPEG2000Lossless,
    RLELossless,
)

from wirsung.errors import ImageError, WirsungError
from wirsung.imaging.dicom import read_series, read_stack, read_stacks

SHAPE = (38, 34, 12)
OBLIQUE_ROW = (0.9848077530, 0.0, -0.1736481777)
OBLIQUE_COLUMN = (0.0593911746, 0.9396926208, 0.3368240888)


def at(numbers, change):
    """An edit of some slices only."""

    def edit(ds, number):
        if number in np.atleast_1d(numbers):
            change(ds)

    return edit


def setting(**values):
    """A change that sets elements, or deletes those that become None."""

    def change(ds, number=0):
        for name, value in values.items():
            if value is None:
                delattr(ds, name)
            else:
                setattr(ds, name, value)

    return change


def moved(offset):
    def change(ds):
        ds.ImagePositionPatient = list(np.array(ds.ImagePositionPatient, dtype=float) + offset)

    return change


def stored(ds):
    return np.frombuffer(ds.PixelData, "<i2").reshape(ds.Rows, ds.Columns)


def rescaled(slope, intercept):
    """Other stored values for the same HU."""

    def change(ds, number=0):
        hu = stored(ds) - 24.0
        ds.PixelData = np.rint((hu - intercept) / slope).astype("<i2").tobytes()
        ds.RescaleSlope, ds.RescaleIntercept = slope, intercept

    return change


def per_slice_rescale(ds, number):
    rescaled(1 + number % 2, -100 - number)(ds)


def unsigned_with_overlay(ds, number):
    values = (stored(ds) - 24 + 1024).astype("<u2")
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.RescaleIntercept = 12, 11, 0, -1024
    ds.PixelData = (values | 0xA000).astype("<u2").tobytes()


def high_bit_at_the_top(ds, number):
    values = (stored(ds) - 24 + 1024).astype("<u2")
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.RescaleIntercept = 12, 15, 0, -1024
    ds.PixelData = (values << 4 | 0x5).astype("<u2").tobytes()


def signed_12_bits(ds, number):
    values = stored(ds) - 24
    ds.BitsStored, ds.HighBit, ds.RescaleIntercept = 12, 11, 0
    ds.PixelData = (values & 0x0FFF).astype("<u2").tobytes()


def hu_without_rescale(ds, number):
    values = stored(ds) - 24
    values[:3] = -1000  # air, without which stored values can't be told from HU
    ds.PixelData = values.astype("<i2").tobytes()
    del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType


def jitter(ds, number):
    moved(np.random.default_rng(number).uniform(-0.05, 0.05, 3))(ds)


def uneven(ds, number):
    if number > 6:
        moved([0, 0, 2.0 * (number - 6)])(ds)


def screenshot(ds):
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.BitsAllocated = 3, "RGB", 8
    ds.BitsStored, ds.HighBit, ds.PixelRepresentation, ds.PlanarConfiguration = 8, 7, 0, 0
    ds.PixelData = bytes(ds.Rows * ds.Columns * 3)


def volume_or_none(folder):
    try:
        return read_series(folder).volume
    except WirsungError:
        return None


RIGHT: dict[str, Callable] = {
    "shuffled file names": lambda phantom: phantom.write(),
    "descending positions": lambda phantom: phantom.write(
        lambda ds, number: setattr(ds, "InstanceNumber", 100 - number)
    ),
    "constant instance numbers": lambda phantom: phantom.write(setting(InstanceNumber=1)),
    "jitter below a tenth of a millimetre": lambda phantom: phantom.write(jitter),
    "oblique": lambda phantom: replace(phantom, row=OBLIQUE_ROW, column=OBLIQUE_COLUMN).write(),
    "sagittal": lambda phantom: replace(phantom, row=(0, 1, 0), column=(0, 0, -1)).write(),
    "coronal": lambda phantom: replace(phantom, row=(1, 0, 0), column=(0, 0, -1)).write(),
    "feet first": lambda phantom: replace(phantom, row=(-1, 0, 0), column=(0, 1, 0)).write(),
    "rescale differs by slice": lambda phantom: phantom.write(per_slice_rescale),
    "slope one half": lambda phantom: phantom.write(rescaled(0.5, -1024)),
    "negative slope": lambda phantom: phantom.write(rescaled(-1, 50)),
    "overlay in the high bits": lambda phantom: phantom.write(unsigned_with_overlay),
    "values in the top bits": lambda phantom: phantom.write(high_bit_at_the_top),
    "signed 12 bits": lambda phantom: phantom.write(signed_12_bits),
    "MONOCHROME1 is never inverted": lambda phantom: phantom.write(
        setting(PhotometricInterpretation="MONOCHROME1")
    ),
    "thickness 0 and spacing negative": lambda phantom: phantom.write(
        setting(SliceThickness=0, SpacingBetweenSlices=-7)
    ),
    "no identifiers at all": lambda phantom: phantom.write(
        setting(SOPClassUID="", SOPInstanceUID="", StudyInstanceUID="", SeriesInstanceUID="", PatientID="")
    ),
    "an acquisition each four slices": lambda phantom: phantom.write(
        lambda ds, number: setattr(ds, "AcquisitionNumber", number // 4)
    ),
}

REFUSED: dict[str, tuple[str, Callable]] = {
    "a slice is missing": ("SLICE_GAP", lambda phantom: phantom.write(leave_out=(5,))),
    "three in a row are missing": ("SLICE_GAP", lambda phantom: phantom.write(leave_out=(5, 6, 7))),
    "the second slice is missing": ("SLICE_GAP", lambda phantom: phantom.write(leave_out=(1,))),
    "2 mm, then 4 mm": ("SPACING_UNEVEN", lambda phantom: phantom.write(uneven)),
    "a shear that no gantry makes": ("TILT", lambda phantom: replace(phantom, shear=(0, 2.0, 0)).write()),
    "one slice has another orientation": (
        "ORIENTATION_MIXED",
        lambda phantom: phantom.write(at(4, setting(ImageOrientationPatient=[1, 0, 0, 0, 0.98, 0.199]))),
    ),
    "the last slice claims to be sagittal": (
        "ORIENTATION_MIXED",
        lambda phantom: phantom.write(at(11, setting(ImageOrientationPatient=[0, 1, 0, 0, 0, -1]))),
    ),
    "no position": ("NO_POSITION", lambda phantom: phantom.write(setting(ImagePositionPatient=None))),
    "one slice has no position": (
        "NO_POSITION",
        lambda phantom: phantom.write(at(11, setting(ImagePositionPatient=None))),
    ),
    "no orientation": (
        "NO_ORIENTATION",
        lambda phantom: phantom.write(setting(ImageOrientationPatient=None)),
    ),
    "no pixel spacing": ("NO_SPACING", lambda phantom: phantom.write(setting(PixelSpacing=None))),
    "pixel spacing 0": ("BAD_SPACING", lambda phantom: phantom.write(setting(PixelSpacing=[0, 1]))),
    "orientation of skewed vectors": (
        "BAD_ORIENTATION",
        lambda phantom: phantom.write(setting(ImageOrientationPatient=[1, 0, 0, 0.1, 1, 0])),
    ),
    "slope 0": ("SLOPE_ZERO", lambda phantom: phantom.write(setting(RescaleSlope=0))),
    "the sign of the slope changes": ("SLOPE_MIXED", lambda phantom: phantom.write(at(4, rescaled(-1, 0)))),
    "no rescale, values not like HU": (
        "NO_RESCALE",
        lambda phantom: phantom.write(setting(RescaleSlope=None, RescaleIntercept=None)),
    ),
    "one slice without rescale": (
        "NO_RESCALE",
        lambda phantom: phantom.write(at(0, setting(RescaleSlope=None, RescaleIntercept=None))),
    ),
    "values that are no HU": ("NOT_HU", lambda phantom: phantom.write(setting(RescaleType="MGML"))),
    "one slice is an MR": ("MODALITY_MIXED", lambda phantom: phantom.write(at(11, setting(Modality="MR")))),
    "a PET": ("MODALITY", lambda phantom: phantom.write(setting(Modality="PT"))),
    "one slice has another kernel": (
        "KERNEL_MIXED",
        lambda phantom: phantom.write(at(11, setting(ConvolutionKernel="B70f"))),
    ),
    "one slice has another frame of reference": (
        "FRAME_MIXED",
        lambda phantom: phantom.write(at(0, setting(FrameOfReferenceUID="1.2.10"))),
    ),
    "one slice has another image type": (
        "IMAGE_TYPE_MIXED",
        lambda phantom: phantom.write(at(0, setting(ImageType=["DERIVED", "SECONDARY"]))),
    ),
    "pixel spacing changes midway": (
        "SPACING_MIXED",
        lambda phantom: phantom.write(at(range(6, 12), setting(PixelSpacing=[1.5, 1.5]))),
    ),
    "one slice has another matrix": (
        "MATRIX_MIXED",
        lambda phantom: phantom.write(at(11, setting(Rows=7, PixelData=bytes(7 * 38 * 2)))),
    ),
    "one slice": ("TOO_FEW_SLICES", lambda phantom: replace(phantom, slices=1).write()),
    "two slices": ("TOO_FEW_SLICES", lambda phantom: replace(phantom, slices=2).write()),
    "the pixels of a slice are cut": (
        "PIXELS_TRUNCATED",
        lambda phantom: phantom.write(at(6, lambda ds: setattr(ds, "PixelData", ds.PixelData[:-40]))),
    ),
    "a slice without pixels": (
        "PIXELS_TRUNCATED",
        lambda phantom: phantom.write(at(6, setting(PixelData=None))),
    ),
    "too many pixels": (
        "PIXELS_DAMAGED",
        lambda phantom: phantom.write(at(6, lambda ds: setattr(ds, "PixelData", ds.PixelData * 2))),
    ),
    "a frame without a place": (
        "NO_POSITION",
        lambda phantom: phantom.write(setting(NumberOfFrames=2, ImagePositionPatient=None)),
    ),
}


@pytest.mark.parametrize("name", RIGHT)
def test_a_good_series_is_right_to_the_unit(name, dicom_phantom):
    series = read_series(RIGHT[name](dicom_phantom))
    assert series.volume.shape == SHAPE
    assert dicom_phantom.error_hu(series.volume) <= 1.01
    assert series.volume.voxels.dtype == np.int16


@pytest.mark.parametrize("name", REFUSED)
def test_a_series_that_cannot_be_right_is_refused_with_its_code(name, dicom_phantom):
    code, write = REFUSED[name]
    with pytest.raises(ImageError, match=f": {code}, ") as refusal:
        read_series(write(dicom_phantom))
    assert "CANARY" not in str(refusal.value)


def test_stored_values_that_look_like_hu_need_no_rescale(dicom_phantom):
    volume = read_series(dicom_phantom.write(hu_without_rescale)).volume
    assert (volume.voxels[:, :3] == -1000).all()
    inner = replace(volume, voxels=np.where(volume.voxels == -1000, 0, volume.voxels))
    assert dicom_phantom.error_hu(inner) >= 1  # the rows of air are not the phantom's
    assert volume.voxels[0, 13, 0] == round(1.1 * -60 + 1.7 * (-55 + 13 * 1.5) + 2.9 * -70 + 40)


def test_exact_copies_of_slices_are_dropped_and_noted(dicom_phantom):
    folder = dicom_phantom.write()
    for number in (3, 7):
        dicom_phantom.save(dicom_phantom.header(number), f"copy-{number}.dcm")
    series = read_series(folder)
    assert series.volume.shape == SHAPE
    assert dicom_phantom.error_hu(series.volume) <= 1.01
    assert series.notes == {"DUP_FILE_DROPPED": 2}


def test_two_different_slices_at_one_place_are_refused(dicom_phantom):
    folder = dicom_phantom.write()
    other = dicom_phantom.header(3)
    other.PixelData = (stored(other) + 1).astype("<i2").tobytes()
    dicom_phantom.save(other, "other.dcm")
    with pytest.raises(ImageError, match="DUP_POSITION, 1 places have two slices that differ"):
        read_series(folder)


@pytest.mark.parametrize(
    "difference",
    [
        {"AcquisitionNumber": 2},
        {"ConvolutionKernel": "B70f"},
        {"AcquisitionTime": "101010"},
        {"SeriesInstanceUID": "9"},
    ],
    ids=lambda difference: next(iter(difference)),
)
def test_two_stacks_at_the_same_place_are_told_apart(difference, dicom_phantom):
    dicom_phantom.write(setting(AcquisitionTime="090000"))
    for number in range(12):
        ds = dicom_phantom.header(number)
        ds.AcquisitionTime = "090000"
        setting(**difference)(ds)
        dicom_phantom.save(ds, f"second-{number}.dcm")
    stacks = read_stacks(dicom_phantom.folder)
    assert [len(stack.slices) for stack in stacks.usable] == [12, 12]
    for stack in stacks.usable:
        assert dicom_phantom.error_hu(read_stack(stack, where="here").volume) <= 1.01
    with pytest.raises(ImageError, match="SEVERAL_STACKS, there are 2 stacks of 12, 12 slices"):
        read_series(dicom_phantom.folder)


def test_two_acquisitions_half_a_step_apart_are_two_stacks(dicom_phantom):
    dicom_phantom.write()
    later = replace(dicom_phantom, origin=(-60.0, -55.0, -69.0))
    for number in range(12):
        ds = later.header(number)
        ds.AcquisitionNumber = 2
        later.save(ds, f"later-{number}.dcm")
    assert len(read_stacks(dicom_phantom.folder).usable) == 2


def test_mr_slices_taken_in_two_interleaved_passes_are_one_stack(dicom_phantom):
    def edit(ds, number):
        ds.Modality, ds.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
        ds.AcquisitionNumber = number % 2
        del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType

    series = read_series(dicom_phantom.write(edit))
    assert series.modality == "MR"
    assert series.volume.shape == SHAPE
    assert dicom_phantom.error_hu(series.volume.with_voxels(series.volume.voxels - 24)) <= 1.01


def test_mr_values_keep_their_fractions(dicom_phantom):
    def edit(ds, number):
        ds.Modality, ds.SOPClassUID = "MR", "1.2.840.10008.5.1.4.1.1.4"
        ds.RescaleSlope, ds.RescaleIntercept = 0.25, 0

    series = read_series(dicom_phantom.write(edit))
    assert series.volume.voxels.dtype == np.float32
    assert dicom_phantom.error_hu(series.volume.with_voxels(series.volume.voxels * 4 - 24)) <= 1.01


def test_localizers_screenshots_and_other_files_are_set_aside_and_counted(dicom_phantom):
    folder = dicom_phantom.write()
    scout = replace(dicom_phantom, row=(0, 1, 0), column=(0, 0, -1)).header(0)
    scout.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    dicom_phantom.save(scout, "scout")
    plain_scout = replace(dicom_phantom, row=(0, 1, 0), column=(0, 0, -1)).header(0)
    plain_scout.PixelSpacing = [1, 1]
    dicom_phantom.save(plain_scout, "plain-scout")
    capture = dicom_phantom.header(3)
    screenshot(capture)
    dicom_phantom.save(capture, "capture")
    report = dicom_phantom.header(3)
    report.SOPClassUID = "1.2.840.10008.5.1.4.1.1.88.22"
    dicom_phantom.save(report, "report")
    (folder / "notes.txt").write_text("not DICOM")
    (folder / "empty").touch()
    (folder / "more").mkdir()
    single = replace(dicom_phantom, series="7.7").header(0)
    dicom_phantom.save(single, "more/single")
    series = read_series(folder)
    assert dicom_phantom.error_hu(series.volume) <= 1.01
    assert series.notes == {
        "LOCALIZER": 2,
        "SECONDARY_CAPTURE": 1,
        "OTHER_OBJECT": 1,
        "NOT_DICOM": 2,
        "TOO_FEW_SLICES": 1,
    }


def test_values_beyond_16_bits_are_kept(dicom_phantom):
    def edit(ds, number):
        ds.PixelRepresentation, ds.RescaleIntercept = 0, -1024
        ds.PixelData = np.full((34, 38), 65535, "<u2").tobytes()

    volume = read_series(dicom_phantom.write(edit)).volume
    assert volume.voxels.dtype == np.int32
    assert (volume.voxels == 64511).all()


@pytest.mark.parametrize(("padding", "expected"), [(-2000, -1000), (8000, -1000), (-1000, -1024)])
def test_padding_outside_tissue_becomes_air(padding, expected, dicom_phantom):
    def edit(ds, number):
        values = stored(ds).copy()
        values[0] = padding
        ds.PixelData = values.astype("<i2").tobytes()
        ds.add_new("PixelPaddingValue", "SS", padding)

    series = read_series(dicom_phantom.write(edit))
    assert (series.volume.voxels[:, 0] == expected).all()
    assert series.notes == ({"PADDING_MAPPED": 1} if expected == -1000 else {})


@pytest.mark.parametrize(
    "syntax", [ImplicitVRLittleEndian, RLELossless, JPEG2000Lossless, DeflatedExplicitVRLittleEndian]
)
def test_every_lossless_transfer_syntax_gives_the_same_values(syntax, dicom_phantom):
    def edit(ds, number):
        if syntax == RLELossless:
            ds.compress(RLELossless)
        elif syntax == JPEG2000Lossless:
            ds.compress(JPEG2000Lossless)
        else:
            ds.file_meta.TransferSyntaxUID = syntax

    assert dicom_phantom.error_hu(read_series(dicom_phantom.write(edit)).volume) <= 1.01


def test_big_endian_gives_the_same_values(dicom_phantom):
    def edit(ds, number):
        ds.PixelData = stored(ds).astype(">i2").tobytes()
        ds["PixelData"].VR = "OW"
        ds.file_meta.TransferSyntaxUID = ExplicitVRBigEndian

    assert dicom_phantom.error_hu(read_series(dicom_phantom.write(edit)).volume) <= 1.01


def test_files_without_preamble_are_read(dicom_phantom):
    folder = dicom_phantom.write()
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        ds.file_meta, ds.preamble = FileMetaDataset(), None
        ds.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
        assert path.read_bytes()[128:132] != b"DICM"
    assert dicom_phantom.error_hu(read_series(folder).volume) <= 1.01


@pytest.mark.parametrize("compressed", [False, True], ids=["native", "jpeg2000"])
@pytest.mark.parametrize(("number", "cuts"), [(5, 10), (11, 40)], ids=["inner", "last"])
def test_no_truncation_of_a_file_goes_unnoticed(compressed, number, cuts, dicom_phantom):
    folder = dicom_phantom.write((lambda ds, _: ds.compress(JPEG2000Lossless)) if compressed else None)
    victim = next(
        path for path in folder.iterdir() if int(pydicom.dcmread(path).InstanceNumber) == number + 1
    )
    content = victim.read_bytes()
    for size in np.linspace(1, len(content) - 1, cuts).astype(int):
        victim.write_bytes(content[:size])
        volume = volume_or_none(folder)
        assert volume is None or volume.shape == SHAPE, size
        assert volume is None or dicom_phantom.error_hu(volume) <= 1.01, size


def test_an_enhanced_multi_frame_file_is_sorted_by_its_positions(dicom_phantom):
    order = np.random.default_rng(1).permutation(12)
    ds = dicom_phantom.header(0)
    ds.SOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    del (
        ds.ImagePositionPatient,
        ds.ImageOrientationPatient,
        ds.PixelSpacing,
        ds.RescaleSlope,
        ds.RescaleIntercept,
    )
    del ds.RescaleType
    frames, pixels = [], []
    for number in order:
        single = dicom_phantom.header(int(number))
        frames.append(Dataset())
        place = Dataset()
        place.ImagePositionPatient = single.ImagePositionPatient
        frames[-1].PlanePositionSequence = [place]
        pixels.append(single.PixelData)
    shared, orientation, measures, values = Dataset(), Dataset(), Dataset(), Dataset()
    orientation.ImageOrientationPatient = single.ImageOrientationPatient
    measures.PixelSpacing = single.PixelSpacing
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -24, "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.PixelValueTransformationSequence = [values]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    ds.NumberOfFrames, ds.PixelData = 12, b"".join(pixels)
    path = dicom_phantom.save(ds, "enhanced.dcm")
    assert dicom_phantom.error_hu(read_series([path]).volume) <= 1.01
    ds.PerFrameFunctionalGroupsSequence = frames[:-1]
    dicom_phantom.save(ds, "enhanced.dcm")
    with pytest.raises(ImageError, match="FRAMES_MISSING"):
        read_series([path])


def test_two_patients_in_one_folder_are_two_stacks(dicom_phantom):
    dicom_phantom.write()
    for number in range(12):
        ds = dicom_phantom.header(number)
        ds.PatientID = "CANARY-OTHER"
        dicom_phantom.save(ds, f"other-{number}.dcm")
    with pytest.raises(ImageError, match="SEVERAL_STACKS"):
        read_series(dicom_phantom.folder)


def test_nothing_that_names_a_patient_shows(dicom_phantom):
    def edit(ds, number):
        ds.PatientSex, ds.PatientAge = "F", "062Y"
        ds.KVP = None
        ds["KVP"]._value = "CANARY"  # as a broken writer would

    series = read_series(dicom_phantom.write(edit))
    assert series.identity.patient_id == "CANARY-ID"
    assert series.identity.institution == "CANARY HOSPITAL"
    assert series.identity.series_uid == "1.2.3.4"
    assert "CANARY" not in repr(series)
    assert "CANARY" not in repr(series.identity)
    assert "CANARY" not in repr(read_stacks(dicom_phantom.folder))
    assert series.attributes == {
        "modality": "CT",
        "patient_sex": "F",
        "patient_age_years": 62.0,
        "convolution_kernel": "B30f",
        "slice_thickness_mm": 5.0,
    }


def test_a_folder_without_dicom_is_refused(tmp_path):
    (tmp_path / "readme.txt").write_text("nothing here")
    with pytest.raises(ImageError, match=r"NO_STACK.*found 1 NOT_DICOM"):
        read_series(tmp_path)
    with pytest.raises(ImageError, match="does not exist"):
        read_series(tmp_path / "absent")


def test_a_link_to_nothing_is_no_slice_left_out(dicom_phantom):
    folder = dicom_phantom.write(leave_out=(11,))
    (folder / "last.dcm").symlink_to(folder / "never-fetched")
    with pytest.raises(ImageError, match=r"last\.dcm is a link to nothing"):
        read_series(folder)


def test_the_real_series_is_right_to_the_unit(shared_data):
    folder = shared_data / "ct_dicom" / "series"
    series = read_series(folder)
    assert series.volume.shape == (512, 512, 20)
    np.testing.assert_allclose(series.volume.spacing_mm, (0.9765625, 0.9765625, 2.0))
    reference = [SimpleITK.ReadImage(str(path)) for path in sorted(folder.iterdir())]
    reference.sort(key=lambda image: image.GetOrigin()[2])
    values = np.stack([SimpleITK.GetArrayFromImage(image)[0] for image in reference])
    np.testing.assert_array_equal(series.volume.voxels, values.transpose(2, 1, 0))
    first_lps = np.array(reference[0].GetOrigin())
    np.testing.assert_allclose(series.volume.affine[:3, 3], first_lps * [-1, -1, 1])
    assert series.attributes["manufacturer"] == "Siemens"
    assert series.notes == {}


def test_files_may_be_named_one_by_one(dicom_phantom):
    paths = sorted(dicom_phantom.write().iterdir())
    assert read_series(iter(paths)).volume.shape == SHAPE
    assert read_series(Path(dicom_phantom.folder)).volume.shape == SHAPE
