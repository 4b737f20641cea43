"""A phantom scan as one DICOM series; all about the patient is visibly made up. LPS+ stays in here."""

import hashlib
from dataclasses import dataclass
from pathlib import Path
from typing import Any, Literal

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.uid import UID, CTImageStorage, ExplicitVRLittleEndian, MRImageStorage
from pydicom.valuerep import DSfloat

from wirsung.imaging.volume import Volume
from wirsung.phantom.settings import Phase

INTERCEPT_HU = -1024
"""Stored values of a CT are HU minus this."""

_TO_LPS = np.diag([-1.0, -1.0, 1.0, 1.0])
_DATE, _TIME = "20000101", "120000"
_WINDOWS = {"ct": (40, 400), "t1": (300, 600), "t2": (450, 900)}
# Echo and repetition time in ms, flip angle in degrees, sequence, variant, options, echo train.
_SEQUENCES: dict[str, tuple[float, float, float, str, str, str, int]] = {
    "t1": (2.4, 4.6, 10.0, "GR", "SP", "FS", 1),
    "t2": (90.0, 1200.0, 150.0, "SE", "SK", "PFP", 160),
}


@dataclass(frozen=True)
class SeriesHeader:
    """What the headers of one series say."""

    seed: int
    """Of the cohort; all unique identifiers derive from it and from the case."""
    number: int
    """Of the case, from 1."""
    modality: Literal["ct", "t1", "t2"]
    """Which storage class, and which sequence."""
    phase: Phase
    """Contrast phase."""
    sex: Literal["F", "M"]
    """Of the made-up patient."""
    age_years: int
    """Of the made-up patient."""
    centre_number: int
    """From 1."""
    manufacturer: str
    """Of the made-up scanner."""


def write_series(folder: Path, volume: Volume, header: SeriesHeader) -> None:
    """Write a file per slice, IM0001 and so on; as in a real archive, the order tells no place.

    Args:
        folder: Exists, and is empty.
        volume: Integers; CT in HU from -1024 to 3071, MR from 0 to 4095. Its k axis is the slices'; i, j and
            k make a right-handed frame, as in the order L, P, S.
        header: What to say of patient and scanner.
    """
    affine_lps = _TO_LPS @ volume.affine
    stored = volume.voxels - (INTERCEPT_HU if header.modality == "ct" else 0)
    planes = np.ascontiguousarray(stored.astype("<u2").transpose(2, 1, 0))
    template = _series(volume, affine_lps, header)
    order = np.random.default_rng([header.seed, header.number, 8]).permutation(len(planes))
    for place, k in enumerate(order):
        path = folder / f"IM{place + 1:04d}"
        _slice(template, affine_lps, int(k), header)
        template.PixelData = planes[k].tobytes()
        template.save_as(path, enforce_file_format=True)


def made_up_uid(seed: int, *names: object) -> str:
    """A unique identifier below 2.25 that is the same for the same names.

    Source:
        DICOM PS3.5 B.2: 2.25 followed by a UUID as one decimal number; here a hash stands for the UUID.
    """
    digest = hashlib.sha256("/".join(map(str, (seed, *names))).encode()).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"


def _series(volume: Volume, affine_lps: Any, header: SeriesHeader) -> FileDataset:  # noqa: ANN401
    """All that the slices share."""
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID = CTImageStorage if header.modality == "ct" else MRImageStorage
    meta.TransferSyntaxUID = ExplicitVRLittleEndian
    meta.ImplementationClassUID = UID(made_up_uid(0, "wirsung"))
    meta.ImplementationVersionName = "WIRSUNG"
    found = FileDataset("", {}, file_meta=meta, preamble=b"\0" * 128)
    found.SOPClassUID = meta.MediaStorageSOPClassUID
    _patient_and_study(found, header)
    _equipment(found, header)
    _plane(found, volume, affine_lps, header)
    if header.modality == "ct":
        _ct(found, header)
    else:
        _mr(found, header)
    return found


def _patient_and_study(found: Dataset, header: SeriesHeader) -> None:
    found.SpecificCharacterSet = "ISO_IR 192"
    found.PatientName = f"PHANTOM^CASE-{header.number:04d}"
    found.PatientID = f"PHANTOM-{header.number:04d}"
    found.PatientBirthDate = ""
    found.PatientSex = header.sex
    found.PatientAge = f"{header.age_years:03d}Y"
    found.StudyInstanceUID = made_up_uid(header.seed, header.number, "study")
    found.SeriesInstanceUID = made_up_uid(header.seed, header.number, header.modality)
    found.FrameOfReferenceUID = made_up_uid(header.seed, header.number, "frame")
    found.StudyID = f"{header.number}"
    found.AccessionNumber = f"PHANTOM{header.number:04d}"
    found.StudyDate = found.SeriesDate = found.AcquisitionDate = found.ContentDate = _DATE
    found.StudyTime = found.SeriesTime = found.AcquisitionTime = found.ContentTime = _TIME
    found.ReferringPhysicianName = ""
    found.StudyDescription = "Synthetic abdomen, no patient"
    found.SeriesNumber = 2
    found.AcquisitionNumber = 1
    found.PositionReferenceIndicator = ""
    found.PatientPosition = "HFS"
    found.BodyPartExamined = "ABDOMEN"


def _equipment(found: Dataset, header: SeriesHeader) -> None:
    found.Manufacturer = header.manufacturer
    found.ManufacturerModelName = "Synthetic"
    found.InstitutionName = f"Phantom centre {header.centre_number}"
    found.StationName = f"PHANTOM{header.centre_number}"
    found.DeviceSerialNumber = f"{header.centre_number}"
    found.SoftwareVersions = "wirsung"


def _plane(found: Dataset, volume: Volume, affine_lps: Any, header: SeriesHeader) -> None:  # noqa: ANN401
    columns, rows, _ = volume.shape
    spacing_mm = volume.spacing_mm
    found.SamplesPerPixel = 1
    found.PhotometricInterpretation = "MONOCHROME2"
    found.Rows, found.Columns = rows, columns
    found.PixelSpacing = [_decimal(spacing_mm[1]), _decimal(spacing_mm[0])]
    found.SliceThickness = _decimal(spacing_mm[2])
    found.SpacingBetweenSlices = _decimal(spacing_mm[2])
    directions = affine_lps[:3, :2] / np.linalg.norm(affine_lps[:3, :2], axis=0)
    found.ImageOrientationPatient = [_decimal(value) for value in directions.T.ravel()]
    found.BitsAllocated, found.BitsStored, found.HighBit, found.PixelRepresentation = 16, 12, 11, 0
    centre, width = _WINDOWS[header.modality]
    found.WindowCenter, found.WindowWidth = centre, width
    found.BurnedInAnnotation = "NO"


def _ct(found: Dataset, header: SeriesHeader) -> None:
    found.Modality = "CT"
    found.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL"]
    found.SeriesDescription = f"Synthetic CT, {header.phase}"
    found.RescaleIntercept, found.RescaleSlope, found.RescaleType = INTERCEPT_HU, 1, "HU"
    found.KVP = 120
    found.ExposureTime, found.XRayTubeCurrent, found.ConvolutionKernel = 500, 200, "SYNTHETIC"
    if header.phase != "non-contrast":
        found.ContrastBolusAgent = "SYNTHETIC"


def _mr(found: Dataset, header: SeriesHeader) -> None:
    echo_ms, repetition_ms, flip_deg, sequence, variant, options, train = _SEQUENCES[header.modality]
    found.Modality = "MR"
    found.ImageType = ["ORIGINAL", "PRIMARY", "M"]
    found.SeriesDescription = f"Synthetic {header.modality.upper()}"
    found.ScanningSequence, found.SequenceVariant, found.ScanOptions = sequence, variant, options
    found.MRAcquisitionType = "3D" if header.modality == "t1" else "2D"
    found.EchoTime, found.RepetitionTime, found.FlipAngle, found.EchoTrainLength = (
        echo_ms,
        repetition_ms,
        flip_deg,
        train,
    )
    found.MagneticFieldStrength = 1.5


def _slice(template: FileDataset, affine_lps: Any, k: int, header: SeriesHeader) -> None:  # noqa: ANN401
    """Turn the template into slice k."""
    uid = UID(made_up_uid(header.seed, header.number, header.modality, k))
    template.SOPInstanceUID = template.file_meta.MediaStorageSOPInstanceUID = uid
    position = affine_lps @ np.array([0.0, 0.0, k, 1.0])
    template.ImagePositionPatient = [_decimal(value) for value in position[:3]]
    normal = affine_lps[:3, 2] / np.linalg.norm(affine_lps[:3, 2])
    template.SliceLocation = _decimal(float(normal @ position[:3]))
    template.InstanceNumber = k + 1


def _decimal(value: float) -> DSfloat:
    """DICOM's decimal string holds 16 characters."""
    return DSfloat(float(value), auto_format=True)
