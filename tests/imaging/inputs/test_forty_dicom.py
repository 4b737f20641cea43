"""Forty inputs that readers of DICOM are known to stumble over, each with the verdict it must get.

Accepted and repaired ones are compared with the phantom voxel by voxel, at the places that the volume claims,
so that every swap, flip, shift and inversion shows.
"""

import shutil
from collections.abc import Callable
from dataclasses import dataclass, replace

import numpy as np
import pydicom
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless, generate_uid

from wirsung.errors import ImageError
from wirsung.imaging.dicom import read_series, read_stack, read_stacks

SHAPE = (38, 34, 12)
OBLIQUE_ROW = (0.9848077530, 0.0, -0.1736481777)
OBLIQUE_COLUMN = (0.0593911746, 0.9396926208, 0.3368240888)
TOLERANCE_HU = 1.01


@dataclass(frozen=True)
class Row:
    """One input and what must become of it."""

    write: Callable
    codes: tuple[str, ...] = ()
    """Of repairs and of what was set aside, for an input that is read."""
    refused: str = ""
    """The code of an input that is refused."""
    stacks: int = 1
    check: Callable | None = None
    """In place of the comparison with the phantom."""


def tilted(degrees, **changes):
    """Slices 2 mm apart along their normal, each moved along its columns."""

    def write(phantom):
        made = replace(phantom, **changes)
        shift_mm = 2.0 * np.tan(np.radians(degrees))
        return replace(made, shear=tuple(shift_mm * np.array(made.column))).write()

    return write


def edited(change, numbers=range(99)):
    """The whole stack, with a change made to the slices of these numbers."""
    return lambda phantom: phantom.write(lambda ds, number: change(ds) if number in numbers else None)


def having(numbers=range(99), **values):
    """The whole stack with elements set, or deleted where they become None."""

    def change(ds):
        for name, value in values.items():
            if value is None:
                delattr(ds, name)
            else:
                setattr(ds, name, value)

    return edited(change, numbers)


def with_more(*makers):
    """The whole stack, with further files beside it."""

    def write(phantom):
        folder = phantom.write()
        for number, make in enumerate(makers):
            made = make(phantom)
            for index, ds in enumerate(made if isinstance(made, list) else [made]):
                phantom.save(ds, f"more-{number}-{index}")
        return folder

    return write


def hu_of(ds):
    return np.frombuffer(ds.PixelData, "<i2").reshape(ds.Rows, ds.Columns) - 24


def stored_as(ds, slope, intercept, dtype="<i2"):
    ds.PixelData = np.rint((hu_of(ds) - intercept) / slope).astype(dtype).tobytes()
    ds.RescaleSlope, ds.RescaleIntercept = slope, intercept
    ds.PixelRepresentation = int(dtype != "<u2")


def moved_by(offset_mm):
    def change(ds):
        ds.ImagePositionPatient = list(np.array(ds.ImagePositionPatient, dtype=float) + offset_mm)

    return change


def duplicates(phantom):
    """Two places again, with other pixels."""
    again = [phantom.header(4), phantom.header(5)]
    for ds in again:
        ds.PixelData = (hu_of(ds) + 60).astype("<i2").tobytes()
    return again


def copied_files(phantom):
    folder = phantom.write()
    for number, path in enumerate(sorted(folder.iterdir())[:2]):
        shutil.copyfile(path, folder / f"copy-{number}")
    return folder


def uneven(phantom):
    def edit(ds, number):
        place = phantom.position(number) + np.array([0, 0, 2.0 * max(0, number - 6)])
        ds.ImagePositionPatient = list(place)
        ds.PixelData = (phantom.hu(place) + 24).astype("<i2").tobytes()

    return phantom.write(edit)


def jittered(phantom):
    random = np.random.default_rng(6)
    return phantom.write(lambda ds, number: moved_by(random.uniform(-0.05, 0.05, 3))(ds))


def scout(phantom):
    ds = replace(phantom, row=(0, 1, 0), column=(0, 0, -1)).header(0)
    ds.ImageType = ["ORIGINAL", "PRIMARY", "LOCALIZER"]
    return ds


def plain_scout(phantom):
    """Another plane and another matrix, but no word of a localizer."""
    ds = replace(phantom, row=(0, 1, 0), column=(0, 0, -1)).header(0)
    ds.Rows, ds.PixelData = 20, ds.PixelData[: 20 * 38 * 2]
    return ds


def again(**values):
    """All slices once more, with elements set."""

    def make(phantom):
        made = [phantom.header(number) for number in range(phantom.slices)]
        for ds in made:
            for name, value in values.items():
                setattr(ds, name, value)
        return made

    return make


def alternating_rescale(phantom):
    return phantom.write(lambda ds, number: stored_as(ds, 1 + number % 2, -100 - number))


def hu_without_rescale(ds):
    hu = hu_of(ds).copy()
    hu[:3] = -1000  # air, without which stored values can't be told from HU
    ds.PixelData = hu.astype("<i2").tobytes()
    del ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType


def padded(ds):
    values = np.frombuffer(ds.PixelData, "<i2").reshape(34, 38).copy()
    values[:3] = -2000
    ds.PixelData = values.tobytes()
    ds.add_new("PixelPaddingValue", "SS", -2000)


def with_overlay(ds):
    stored_as(ds, 1, -1024, "<u2")
    ds.BitsStored, ds.HighBit = 12, 11
    ds.PixelData = (np.frombuffer(ds.PixelData, "<u2") | 0xA000).tobytes()


def brightest(ds):
    values = np.frombuffer(ds.PixelData, "<i2").astype("<i4").reshape(34, 38) - 24 + 1024
    values[:3] = 65535
    ds.PixelData = values.astype("<u2").tobytes()
    ds.PixelRepresentation, ds.RescaleIntercept = 0, -1024


def header_cut(phantom):
    folder = phantom.write()
    victim = sorted(folder.iterdir())[4]
    victim.write_bytes(victim.read_bytes()[:700])
    return folder


def with_rubbish(phantom):
    folder = phantom.write()
    (folder / "empty").touch()
    (folder / "notes.txt").write_text("not DICOM")
    return folder


def without_preamble(phantom):
    folder = phantom.write()
    for path in folder.iterdir():
        ds = pydicom.dcmread(path)
        ds.file_meta, ds.preamble = FileMetaDataset(), None
        ds.save_as(path, implicit_vr=True, little_endian=True, enforce_file_format=False)
    return folder


def screenshot(phantom):
    ds = phantom.header(3)
    ds.SamplesPerPixel, ds.PhotometricInterpretation, ds.PlanarConfiguration = 3, "RGB", 0
    ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 8, 8, 7, 0
    ds.PixelData = bytes(34 * 38 * 3)
    return ds


def enhanced(phantom):
    """One file of all slices, its frames shuffled, everything else in its functional groups."""
    singles = [phantom.header(int(number)) for number in np.random.default_rng(1).permutation(12)]
    ds = phantom.header(0)
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = "1.2.840.10008.5.1.4.1.1.2.1"
    for name in ("ImagePositionPatient", "ImageOrientationPatient", "PixelSpacing", "RescaleSlope"):
        delattr(ds, name)
    del ds.RescaleIntercept, ds.RescaleType
    shared, orientation, measures, values = (Dataset() for _ in range(4))
    orientation.ImageOrientationPatient = singles[0].ImageOrientationPatient
    measures.PixelSpacing = singles[0].PixelSpacing
    values.RescaleSlope, values.RescaleIntercept, values.RescaleType = 1, -24, "HU"
    shared.PlaneOrientationSequence, shared.PixelMeasuresSequence = [orientation], [measures]
    shared.PixelValueTransformationSequence = [values]
    frames = [Dataset() for _ in singles]
    for frame, single in zip(frames, singles, strict=True):
        place = Dataset()
        place.ImagePositionPatient = single.ImagePositionPatient
        frame.PlanePositionSequence = [place]
    ds.SharedFunctionalGroupsSequence, ds.PerFrameFunctionalGroupsSequence = [shared], frames
    ds.NumberOfFrames, ds.PixelData = 12, b"".join(single.PixelData for single in singles)
    phantom.save(ds, "enhanced")
    return phantom.folder


def rows_from(first):
    """The phantom holds from this row on; the rows before hold what the input says."""

    def check(phantom, series, other):
        voxels = series.volume.voxels
        assert (voxels[:, :first] == other).all()
        affine = series.volume.affine @ np.array(
            [[1, 0, 0, 0], [0, 1, 0, first], [0, 0, 1, 0], [0, 0, 0, 1.0]]
        )
        inner = replace(series.volume, voxels=voxels[:, first:], affine=affine)
        assert phantom.error_hu(inner) <= TOLERANCE_HU

    return check


def first_rows(value):
    return lambda phantom, series: rows_from(3)(phantom, series, value)


def straightened(phantom, series):
    """Right wherever a slice was; air where none was, which is less than the shear can explain."""
    voxels = series.volume.voxels
    covered = voxels != -1000
    truth = replace(series.volume, voxels=np.where(covered, voxels, phantom_at(phantom, series.volume)))
    assert phantom.error_hu(truth) <= TOLERANCE_HU
    assert SHAPE[0] * (SHAPE[1] - 1) * SHAPE[2] <= np.count_nonzero(covered) <= np.prod(SHAPE)
    np.testing.assert_allclose(np.abs(np.linalg.det(series.volume.affine[:3, :3])), 1.2 * 1.5 * 2.0)


def phantom_at(phantom, volume):
    index = np.moveaxis(np.indices(volume.shape), 0, -1)
    lps = (index @ volume.affine[:3, :3].T + volume.affine[:3, 3]) * [-1, -1, 1]
    return np.rint(np.clip(lps @ [1.1, 1.7, 2.9] + 40, -1000, 3000)).astype(volume.voxels.dtype)


FORTY: dict[str, Row] = {
    "01 duplicate positions, new SOP UIDs": Row(with_more(duplicates), refused="DUP_POSITION"),
    "02 exact copies of files": Row(copied_files, ("DUP_FILE_DROPPED",)),
    "03 one slice missing": Row(lambda phantom: phantom.write(leave_out=(5,)), refused="SLICE_GAP"),
    "04 three in a row missing": Row(
        lambda phantom: replace(phantom, slices=20).write(leave_out=(8, 9, 10)), refused="SLICE_GAP"
    ),
    "05 2 mm, then 4 mm": Row(uneven, refused="SPACING_UNEVEN"),
    "06 positions jitter": Row(jittered),
    "07 gantry tilt of 15 degrees": Row(tilted(15), ("TILT_DESHEARED",), check=straightened),
    "07 gantry tilt of -15 degrees": Row(tilted(-15), ("TILT_DESHEARED",), check=straightened),
    "08 tilt of 2 degrees": Row(tilted(2), ("TILT_DESHEARED",), check=straightened),
    "08 tilt of -2 degrees": Row(tilted(-2), ("TILT_DESHEARED",), check=straightened),
    "09 oblique": Row(lambda phantom: replace(phantom, row=OBLIQUE_ROW, column=OBLIQUE_COLUMN).write()),
    "10 one slice's header has another orientation": Row(
        having([4], ImageOrientationPatient=[1, 0, 0, 0, 0.98, 0.199]), refused="ORIENTATION_MIXED"
    ),
    "11 localizer in the same series": Row(with_more(scout, plain_scout), ("LOCALIZER",)),
    "12 two series in a folder": Row(with_more(again(SeriesInstanceUID="1.2.3.5")), stacks=2),
    "13 no ImagePositionPatient": Row(having(ImagePositionPatient=None), refused="NO_POSITION"),
    "14 no ImageOrientationPatient": Row(having(ImageOrientationPatient=None), refused="NO_ORIENTATION"),
    "15 InstanceNumber reversed": Row(
        lambda phantom: phantom.write(lambda ds, number: setattr(ds, "InstanceNumber", 40 - number))
    ),
    "16 InstanceNumber constant": Row(having(InstanceNumber=1)),
    "17 rescale differs by slice": Row(alternating_rescale),
    "18 no rescale, stored values are HU": Row(edited(hu_without_rescale), check=first_rows(-1000)),
    "18 no rescale, stored values are not": Row(
        having(RescaleSlope=None, RescaleIntercept=None), refused="NO_RESCALE"
    ),
    "19 slope 0": Row(having(RescaleSlope=0), refused="SLOPE_ZERO"),
    "20 padding of -2000": Row(edited(padded), ("PADDING_MAPPED",), check=first_rows(-1000)),
    "21 12 bits stored, overlay above": Row(edited(with_overlay)),
    "22 compressed": Row(edited(lambda ds: ds.compress(JPEG2000Lossless))),
    "22 implicit VR": Row(
        edited(lambda ds: setattr(ds.file_meta, "TransferSyntaxUID", ImplicitVRLittleEndian))
    ),
    "23 pixel data cut": Row(
        edited(lambda ds: setattr(ds, "PixelData", ds.PixelData[:-40]), [6]), refused="PIXELS_TRUNCATED"
    ),
    "24 header cut": Row(header_cut, refused="HEADER_(TRUNCATED|DAMAGED)"),
    "25 empty and text files": Row(with_rubbish, ("NOT_DICOM",)),
    "26 no preamble": Row(without_preamble),
    "27 one slice says MR": Row(having([11], Modality="MR"), refused="MODALITY_MIXED"),
    "27 all slices say MR": Row(having(Modality="MR"), refused="MODALITY"),
    "28 two time points": Row(
        with_more(again(AcquisitionNumber=2, AcquisitionTime="101112")), ("STACK_SPLIT",), stacks=2
    ),
    "29 two kernels": Row(with_more(again(ConvolutionKernel="B70f")), ("STACK_SPLIT",), stacks=2),
    "30 one slice of another matrix": Row(
        having([11], Rows=7, PixelData=bytes(7 * 38 * 2)), refused="MATRIX_MIXED"
    ),
    "31 PixelSpacing changes midway": Row(
        having(range(6, 12), PixelSpacing=[1.5, 1.5]), refused="SPACING_MIXED"
    ),
    "32 NaN position in one slice": Row(
        edited(lambda ds: setattr(ds["ImagePositionPatient"], "_value", ["nan", "-55", "-60"]), [5]),
        refused="BAD_POSITION",
    ),
    "33 one slice": Row(lambda phantom: replace(phantom, slices=1).write(), refused="TOO_FEW_SLICES"),
    "34 thickness and spacing contradict": Row(having(SliceThickness=5, SpacingBetweenSlices=-3.3)),
    "34 thickness and spacing are 0": Row(having(SliceThickness=0, SpacingBetweenSlices=0)),
    "35 slope one half": Row(edited(lambda ds: stored_as(ds, 0.5, -1024))),
    "36 value 65535": Row(edited(brightest), check=first_rows(64511)),
    "37 enhanced multi-frame, shuffled": Row(enhanced),
    "38 MONOCHROME1": Row(having(PhotometricInterpretation="MONOCHROME1")),
    "39 RGB screenshot in the series": Row(with_more(screenshot), ("SECONDARY_CAPTURE",)),
    "40 oblique and tilted": Row(
        tilted(12, row=OBLIQUE_ROW, column=OBLIQUE_COLUMN), ("TILT_DESHEARED",), check=straightened
    ),
    "40 oblique and tilted the other way": Row(
        tilted(-20, row=OBLIQUE_ROW, column=OBLIQUE_COLUMN), ("TILT_DESHEARED",), check=straightened
    ),
}


def test_no_row_of_the_forty_is_left_out():
    assert {int(name[:2]) for name in FORTY} == set(range(1, 41))


@pytest.mark.parametrize("name", [name for name, row in FORTY.items() if row.refused])
def test_what_cannot_be_right_is_refused_with_its_code(name, dicom_phantom):
    with pytest.raises(ImageError, match=f": {FORTY[name].refused}, ") as refusal:
        read_series(FORTY[name].write(dicom_phantom))
    assert "CANARY" not in str(refusal.value)


@pytest.mark.parametrize("name", [name for name, row in FORTY.items() if not row.refused and row.stacks == 1])
def test_what_is_read_is_right_in_every_voxel(name, dicom_phantom):
    row = FORTY[name]
    series = read_series(row.write(dicom_phantom))
    assert tuple(sorted(series.notes)) == tuple(sorted(row.codes))
    if row.check is not None:
        row.check(dicom_phantom, series)
    else:
        assert series.volume.shape == SHAPE
        assert dicom_phantom.error_hu(series.volume) <= TOLERANCE_HU


@pytest.mark.parametrize("name", [name for name, row in FORTY.items() if row.stacks > 1])
def test_what_is_several_stacks_is_read_as_each_of_them(name, dicom_phantom):
    row = FORTY[name]
    found = read_stacks(row.write(dicom_phantom))
    assert len(found.usable) == len(found.stacks) == row.stacks
    for stack in found.usable:
        series = read_stack(stack, where="here")
        assert tuple(series.notes) == row.codes
        assert series.volume.shape == SHAPE
        assert dicom_phantom.error_hu(series.volume) <= TOLERANCE_HU


@pytest.mark.parametrize("degrees", [-15, 2, 15])
def test_the_angle_of_the_tilt_is_recorded(degrees, dicom_phantom):
    series = read_series(tilted(degrees)(dicom_phantom))
    assert series.tilt_degrees == pytest.approx(degrees, abs=1e-3)


def test_uneven_slices_are_evened_out_where_that_is_asked_for(dicom_phantom):
    series = read_series(uneven(dicom_phantom), resample_uneven=True)
    assert series.notes == {"SPACING_RESAMPLED": 1}
    assert dicom_phantom.error_hu(series.volume) <= TOLERANCE_HU
    np.testing.assert_allclose(series.volume.spacing_mm, (1.2, 1.5, 2.0))
    assert series.volume.shape == (38, 34, 17)  # heights of 0 to 12 mm by 2 and to 32 mm by 4


@pytest.mark.parametrize("name", ["03 one slice missing", "04 three in a row missing"])
def test_a_missing_slice_is_never_made_up(name, dicom_phantom):
    with pytest.raises(ImageError, match="SLICE_GAP"):
        read_series(FORTY[name].write(dicom_phantom), resample_uneven=True)


@pytest.mark.parametrize("syntax", [ExplicitVRLittleEndian, ImplicitVRLittleEndian, JPEG2000Lossless])
@pytest.mark.parametrize("dtype", ["<i2", "<u2"])
@pytest.mark.parametrize(
    ("row", "column"),
    [
        ((1, 0, 0), (0, 1, 0)),
        ((-1, 0, 0), (0, -1, 0)),
        ((-1, 0, 0), (0, 1, 0)),
        ((1, 0, 0), (0, -1, 0)),
        ((0, 1, 0), (0, 0, -1)),
        ((1, 0, 0), (0, 0, -1)),
        (OBLIQUE_ROW, OBLIQUE_COLUMN),
    ],
    ids=["supine", "prone", "feet first", "feet first prone", "sagittal", "coronal", "oblique"],
)
def test_no_good_series_is_refused(row, column, dtype, syntax, dicom_phantom):
    """Each with all that varies between scanners and harms nothing."""
    phantom = replace(dicom_phantom, row=row, column=column, slices=5)

    def edit(ds, number):
        stored_as(ds, 1, -1024, dtype)
        ds.InstanceNumber, ds.AcquisitionTime, ds.SOPInstanceUID = (
            7 - number,
            f"10111{number}",
            generate_uid(),
        )
        ds.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", "CT_SOM5 SPI"]
        ds.SliceThickness, ds.GantryDetectorTilt = 2.5, 0
        if syntax.is_encapsulated:
            ds.compress(syntax)
        else:
            ds.file_meta.TransferSyntaxUID = syntax

    series = read_series(phantom.write(edit))
    assert series.notes == {}
    assert phantom.error_hu(series.volume) <= TOLERANCE_HU
