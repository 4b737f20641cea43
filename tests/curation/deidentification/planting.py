"""A CT series with identifying strings in every place of a DICOM file that can hold one."""

from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from pydicom.dataset import Dataset, FileDataset, FileMetaDataset
from pydicom.sequence import Sequence
from pydicom.uid import CTImageStorage, ExplicitVRLittleEndian

TEXTS = {
    "PN": (
        *("OtherPatientNames", "PatientBirthName", "PatientMotherBirthName", "ReferringPhysicianName"),
        *("PerformingPhysicianName", "OperatorsName", "PhysiciansOfRecord", "NameOfPhysiciansReadingStudy"),
        *("RequestingPhysician", "ResponsiblePerson", "ConsultingPhysicianName"),
    ),
    "LO": (
        *("PatientID", "PatientAddress", "PatientReligiousPreference", "InstitutionName", "StudyDescription"),
        *("InstitutionalDepartmentName", "SeriesDescription", "ProtocolName", "ManufacturerModelName"),
        *("SoftwareVersions", "DeviceSerialNumber", "RequestedProcedureDescription", "Allergies"),
        *("PerformedProcedureStepDescription", "AdmittingDiagnosesDescription", "CurrentPatientLocation"),
        *(
            "MedicalAlerts",
            "ResponsibleOrganization",
            "IssuerOfPatientID",
            "ContrastBolusAgent",
            "AdmissionID",
        ),
    ),
    "SH": (
        *(
            "AccessionNumber",
            "StationName",
            "StudyID",
            "EthnicGroup",
            "Occupation",
            "PatientTelephoneNumbers",
        ),
        *("ConvolutionKernel", "PerformedProcedureStepID", "FilterType"),
    ),
    "LT": ("PatientComments", "AdditionalPatientHistory", "ImageComments"),
    "ST": ("InstitutionAddress", "DerivationDescription"),
    "CS": ("BodyPartExamined", "ScanOptions", "PatientPosition"),
}
UIDS = ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID", "SOPInstanceUID", "DeviceUID")
DATES = (
    "StudyDate",
    "SeriesDate",
    "AcquisitionDate",
    "ContentDate",
    "PatientBirthDate",
    "InstanceCreationDate",
)
LEVELS = 5
SHAPE = (16, 18, 6)


@dataclass
class Planted:
    """The strings, by the place where each was planted."""

    texts: dict[str, str] = field(default_factory=dict)

    def text(self, place: str, form: str = "ZYX{}QW") -> str:
        """A new string that occurs nowhere else."""
        number = len(self.texts) + 101
        self.texts[place] = form.format(number)
        return self.texts[place]

    def uid(self, place: str) -> str:
        return self.text(place, "1.2.276.0.815.{}.4711.9")

    def date(self, place: str) -> str:
        self.texts[place] = f"19{37 + len(self.texts) % 50}1{len(self.texts) % 3}{10 + len(self.texts) % 19}"
        return self.texts[place]


def plant(folder: Path) -> Planted:
    """Write the series below the folder; names of folder and files hold strings too."""
    planted = Planted()
    place = folder / planted.text("folder name") / planted.text("inner folder name")
    place.mkdir(parents=True)
    name = planted.text("file name")
    header = _header(planted)
    noise = np.random.default_rng(5).normal(40, 25, SHAPE).round().astype("<i2")
    for number in range(SHAPE[2]):
        header.InstanceNumber = number + 1
        header.ImagePositionPatient = [-7, -8, 2.5 * number]
        header.SOPInstanceUID = f"{planted.texts['SOPInstanceUID']}.{number}"
        header.file_meta.MediaStorageSOPInstanceUID = header.SOPInstanceUID
        header.PixelData = noise[:, :, number].T.tobytes()
        header.save_as(place / f"{name}-{number}.dcm", enforce_file_format=True)
    return planted


def _header(planted: Planted) -> FileDataset:
    header = FileDataset("", {}, file_meta=_meta(planted), preamble=_preamble(planted))
    header.SpecificCharacterSet = "ISO_IR 192"
    for vr, names in TEXTS.items():
        for name in names:
            setattr(header, name, planted.text(name) + ("^ERIKA" if vr == "PN" else ""))
    header.PatientName = planted.text("PatientName", "MÜLLER{}^ÄNNE")
    header.Manufacturer = "SIEMENS " + planted.text("Manufacturer")
    header.ImageType = ["ORIGINAL", "PRIMARY", "AXIAL", planted.text("ImageType")]
    header.PatientAge, header.PatientSex = "095Y", "F"
    for name in UIDS:
        setattr(header, name, planted.uid(name))
    for name in DATES:
        setattr(header, name, planted.date(name))
    header.AcquisitionDateTime = planted.date("AcquisitionDateTime") + "112233.445566"
    _plant_sequences(header, planted)
    _plant_private(header, planted)
    _plant_bulk(header, planted)
    _image(header)
    return header


def _meta(planted: Planted) -> FileMetaDataset:
    meta = FileMetaDataset()
    meta.MediaStorageSOPClassUID, meta.TransferSyntaxUID = CTImageStorage, ExplicitVRLittleEndian
    meta.SourceApplicationEntityTitle = planted.text("SourceApplicationEntityTitle")
    meta.PrivateInformationCreatorUID = planted.uid("PrivateInformationCreatorUID")
    meta.PrivateInformation = planted.text("PrivateInformation").encode().ljust(16)
    return meta


def _preamble(planted: Planted) -> bytes:
    return planted.text("preamble").encode().ljust(128, b"\0")


def _plant_sequences(header: Dataset, planted: Planted) -> None:
    inner: Dataset | None = None
    for level in range(LEVELS, 0, -1):
        item = Dataset()
        item.PatientName = planted.text(f"name at level {level}") + "^ERIKA"
        item.add_new(0x00400007, "LO", planted.text(f"text at level {level}"))
        if inner is not None:
            item.RequestAttributesSequence = Sequence([inner])
        inner = item
    header.RequestAttributesSequence = Sequence([inner])
    code = Dataset()
    code.CodeValue, code.CodingSchemeDesignator = "1", "99X"
    code.CodeMeaning = planted.text("CodeMeaning")
    header.ProcedureCodeSequence = Sequence([code])
    reference = Dataset()
    reference.ReferencedSOPInstanceUID = planted.uid("ReferencedSOPInstanceUID")
    header.ReferencedImageSequence = Sequence([reference])
    before = Dataset()
    before.PatientName = planted.text("original attributes") + "^ERIKA"
    original = Dataset()
    original.ModifiedAttributesSequence = Sequence([before])
    header.OriginalAttributesSequence = Sequence([original])
    report = Dataset()
    report.ValueType, report.TextValue = "TEXT", planted.text("report text")
    header.ContentSequence = Sequence([report])


def _plant_private(header: Dataset, planted: Planted) -> None:
    block = header.private_block(0x0029, planted.text("private creator"), create=True)
    block.add_new(0x01, "LO", planted.text("private text"))
    block.add_new(0x02, "UN", planted.text("private bytes").encode() + b"\0\1\2\3")
    nested = Dataset()
    inner = nested.private_block(0x0031, "NESTED", create=True)
    inner.add_new(0x01, "LT", planted.text("nested private text"))
    nested.PatientID = planted.text("PatientID in a private sequence")
    block.add_new(0x03, "SQ", Sequence([nested]))


def _plant_bulk(header: Dataset, planted: Planted) -> None:
    def padded(place: str) -> bytes:
        return planted.text(place).encode().ljust(32, b"\0")

    header.add_new(0x60000010, "US", 16)
    header.add_new(0x60000011, "US", 16)
    header.add_new(0x60000022, "LO", planted.text("overlay description"))
    header.add_new(0x60001500, "LO", planted.text("overlay label"))
    header.add_new(0x60003000, "OW", padded("overlay"))
    header.add_new(0x50000022, "LO", planted.text("curve description"))
    header.add_new(0x50003000, "OW", padded("curve"))
    icon = Dataset()
    icon.Rows, icon.Columns, icon.BitsAllocated = 4, 8, 8
    icon.PixelData = padded("icon pixels")
    header.IconImageSequence = Sequence([icon])
    header.add_new(0x0010FFF7, "LO", planted.text("unknown standard tag"))
    header.add_new(0xFFFCFFFC, "OB", padded("trailing padding"))


def _image(header: Dataset) -> None:
    header.SOPClassUID, header.Modality = CTImageStorage, "CT"
    header.ImageOrientationPatient, header.PixelSpacing = [1, 0, 0, 0, 1, 0], [0.8, 0.9]
    header.SliceThickness, header.KVP, header.SeriesNumber, header.AcquisitionNumber = 2.5, 120, 3, 1
    header.Columns, header.Rows = SHAPE[:2]
    header.SamplesPerPixel, header.PhotometricInterpretation = 1, "MONOCHROME2"
    header.BitsAllocated, header.BitsStored, header.HighBit, header.PixelRepresentation = 16, 16, 15, 1
    header.RescaleIntercept, header.RescaleSlope, header.RescaleType = 0, 1, "HU"
