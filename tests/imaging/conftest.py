"""DICOM stacks of which every voxel's true value is known from its place."""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import pytest
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from wirsung.imaging.volume import Volume

CT = "1.2.840.10008.5.1.4.1.1.2"
ROWS, COLUMNS = 34, 38
ROW_SPACING, COLUMN_SPACING, STEP = 1.5, 1.2, 2.0
ORIGIN = np.array([-60.0, -55.0, -70.0])

Edit = Callable[[Dataset, int], None]


def true_hu(lps_mm: np.ndarray) -> np.ndarray:
    """The phantom: a plane wave front that tells every place, direction and swap from every other."""
    return np.rint(np.clip(lps_mm @ [1.1, 1.7, 2.9] + 40, -1000, 3000))


@dataclass
class DicomPhantom:
    """Writes slices of the phantom, and says whether a volume agrees with it."""

    folder: Path
    slices: int = 12
    row: tuple[float, float, float] = (1.0, 0.0, 0.0)
    column: tuple[float, float, float] = (0.0, 1.0, 0.0)
    shear: tuple[float, float, float] = (0.0, 0.0, 0.0)
    """Added to the step from slice to slice, mm."""
    origin: tuple[float, float, float] = (-60.0, -55.0, -70.0)
    series: str = "1.2.3.4"

    def position(self, number: float) -> np.ndarray:
        normal = np.cross(self.row, self.column)
        return np.array(self.origin) + number * (STEP * normal + np.array(self.shear))

    def header(self, number: int, position: np.ndarray | None = None) -> Dataset:
        """One slice, HU true to its place, stored signed with slope 1 and intercept -24."""
        ds = Dataset()
        ds.file_meta = FileMetaDataset()
        ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        ds.SOPClassUID, ds.SOPInstanceUID = CT, generate_uid()
        ds.file_meta.MediaStorageSOPClassUID = CT
        ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID
        ds.Modality, ds.ImageType = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"]
        ds.PatientID, ds.PatientName = "CANARY-ID", "CANARY^NAME"
        ds.InstitutionName, ds.StudyDescription = "CANARY HOSPITAL", "CANARY STUDY"
        ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", self.series
        ds.FrameOfReferenceUID, ds.ConvolutionKernel = "1.2.9", "B30f"
        ds.InstanceNumber, ds.AcquisitionNumber = number + 1, 1
        place = self.position(number) if position is None else position
        ds.ImagePositionPatient = [f"{value:.6f}" for value in place]
        ds.ImageOrientationPatient = [f"{value:.10f}" for value in (*self.row, *self.column)]
        ds.PixelSpacing = [ROW_SPACING, COLUMN_SPACING]
        ds.SliceThickness = 5
        ds.Rows, ds.Columns, ds.SamplesPerPixel = ROWS, COLUMNS, 1
        ds.PhotometricInterpretation = "MONOCHROME2"
        ds.BitsAllocated, ds.BitsStored, ds.HighBit, ds.PixelRepresentation = 16, 16, 15, 1
        ds.RescaleSlope, ds.RescaleIntercept, ds.RescaleType = 1, -24, "HU"
        ds.PixelData = (self.hu(place) + 24).astype("<i2").tobytes()
        return ds

    def hu(self, place: np.ndarray) -> np.ndarray:
        j, i = np.mgrid[:ROWS, :COLUMNS]
        lps = place + i[..., None] * COLUMN_SPACING * np.array(self.row)
        return true_hu(lps + j[..., None] * ROW_SPACING * np.array(self.column))

    def write(self, edit: Edit | None = None, leave_out: tuple[int, ...] = ()) -> Path:
        """The whole stack, file names in shuffled order."""
        order = np.random.default_rng(3).permutation(self.slices)
        for number in range(self.slices):
            if number not in leave_out:
                ds = self.header(number)
                if edit:
                    edit(ds, number)
                self.save(ds, f"{self.series}-{order[number]:03d}.dcm")
        return self.folder

    def save(self, ds: Dataset, name: str) -> Path:
        self.folder.mkdir(parents=True, exist_ok=True)
        ds.save_as(self.folder / name, enforce_file_format=True)
        return self.folder / name

    @staticmethod
    def error_hu(volume: Volume) -> float:
        """The largest difference to the truth at the places that the volume claims."""
        index = np.moveaxis(np.indices(volume.shape), 0, -1)
        ras = index @ volume.affine[:3, :3].T + volume.affine[:3, 3]
        return float(np.abs(volume.voxels - true_hu(ras * [-1, -1, 1])).max())


@pytest.fixture
def dicom_phantom(tmp_path: Path) -> DicomPhantom:
    return DicomPhantom(tmp_path / "series")
