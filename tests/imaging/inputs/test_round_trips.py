"""DICOM to NIfTI and back: every voxel stays where it is, however the patient lay."""

import nibabel
import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid
from scipy.spatial.transform import Rotation

from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, write_nifti
from wirsung.imaging.orientation import ALL_CODES, reorient

CT = "1.2.840.10008.5.1.4.1.1.2"
SHAPE = (5, 4, 3)
"""Columns, rows, slices."""
LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
WITHIN_MM = 1e-4

POSITIONS = {
    "head first, supine": ((1, 0, 0), (0, 1, 0)),
    "head first, prone": ((-1, 0, 0), (0, -1, 0)),
    "feet first, supine": ((-1, 0, 0), (0, 1, 0)),
    "feet first, prone": ((1, 0, 0), (0, -1, 0)),
    "head first, on the right side": ((0, 1, 0), (-1, 0, 0)),
    "sagittal": ((0, 1, 0), (0, 0, -1)),
    "coronal": ((1, 0, 0), (0, 0, -1)),
}
ANGLES = st.tuples(*[st.floats(-180, 180)] * 3)
SPACINGS = st.tuples(*[st.floats(0.3, 6)] * 3)
PLACES = st.tuples(*[st.floats(-500, 500)] * 3)


def write_dicom(folder, values, affine_lps):
    """A series of those values (column, row, slice), 16 characters a number as DICOM allows."""
    folder.mkdir(parents=True)
    spacing = np.linalg.norm(affine_lps[:3, :3], axis=0)
    directions = affine_lps[:3, :3] / spacing
    series = generate_uid()
    for k in range(values.shape[2]):
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CT
        ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
        ds.Modality, ds.ImageType, ds.SeriesInstanceUID = "CT", ["ORIGINAL", "PRIMARY"], series
        ds.ImagePositionPatient = [_text(value) for value in affine_lps[:3] @ [0, 0, k, 1]]
        ds.ImageOrientationPatient = [_text(value) for value in directions[:, :2].T.ravel()]
        ds.PixelSpacing = [_text(spacing[1]), _text(spacing[0])]
        ds.Rows, ds.Columns, ds.SamplesPerPixel = values.shape[1], values.shape[0], 1
        ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "MONOCHROME2", 16, 16, 15
        ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = 1, 1, 0
        ds.PixelData = values[..., k].T.astype("<i2").tobytes()
        ds.save_as(folder / f"{values.shape[2] - k}.dcm", enforce_file_format=True)
    return folder


def _text(value):
    return f"{value:.12f}"[:16].rstrip(".")


def grid(row, column, spacing, place):
    """Column, row and slice to LPS mm."""
    affine = np.eye(4)
    directions = np.stack([row, column, np.cross(row, column)], axis=1)
    affine[:3, :3] = directions * spacing
    affine[:3, 3] = place
    return affine


def places_mm(values, affine):
    """Where each value lies, in the order of the values; every one occurs once."""
    index = np.stack(np.unravel_index(np.argsort(values, axis=None), values.shape), axis=1)
    return index @ affine[:3, :3].T + affine[:3, 3]


def check(tmp_path, affine_lps, codes):
    values = np.random.default_rng(0).permutation(np.prod(SHAPE)).reshape(SHAPE).astype(np.int16)
    truth = places_mm(values, affine_lps) * [-1, -1, 1]
    folder = tmp_path / generate_uid()
    first = read_series(write_dicom(folder / "first", values, affine_lps)).volume
    path = folder / "ct.nii.gz"
    write_nifti(path, reorient(first, codes))
    loaded = nibabel.load(path)  # knows nothing of us
    stored = np.asarray(loaded.dataobj)
    assert np.abs(places_mm(stored, loaded.affine) - truth).max() < WITHIN_MM
    # Back, with the axes as NIfTI has them; a left-handed grid is run through from its other end.
    again = read_image(path)
    if np.linalg.det(LPS[:3, :3] @ again.affine[:3, :3]) < 0:
        flipped = again.affine.copy()
        flipped[:3, 3] += again.affine[:3, 2] * (again.shape[2] - 1)
        flipped[:3, 2] *= -1
        second = write_dicom(folder / "second", again.voxels[..., ::-1], LPS @ flipped)
    else:
        second = write_dicom(folder / "second", again.voxels, LPS @ again.affine)
    volume = read_series(second).volume
    assert np.abs(places_mm(volume.voxels, volume.affine) - truth).max() < WITHIN_MM


@pytest.fixture(scope="module")
def place(tmp_path_factory):
    return tmp_path_factory.mktemp("round")


@given(ANGLES, SPACINGS, PLACES, st.sampled_from(ALL_CODES))
@example((0, 0, 0), (0.7, 0.7, 2.5), (-200.0, -200.0, -900.0), "RPS")
@settings(max_examples=20)
def test_any_oblique_grid_comes_back(place, angles, spacing, origin, codes):
    turn = Rotation.from_euler("xyz", angles, degrees=True).as_matrix()
    check(place, grid(turn[:, 0], turn[:, 1], spacing, origin), codes)


@pytest.mark.parametrize("position", POSITIONS)
def test_however_the_patient_lay_the_grid_comes_back(place, position):
    row, column = POSITIONS[position]
    for codes in ALL_CODES[::16]:
        check(place, grid(row, column, (0.6, 0.7, 2.5), (-210.123456, 33.25, -999.75)), codes)


@pytest.mark.parametrize("codes", ALL_CODES)
def test_all_48_orders_of_axes_come_back(place, codes):
    check(place, grid((1, 0, 0), (0, 1, 0), (0.6, 0.7, 2.5), (-210.125, 33.25, -999.75)), codes)
