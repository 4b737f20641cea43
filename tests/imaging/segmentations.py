"""DICOM SEG files written by highdicom, a library that shares no code with ours."""

import warnings

import highdicom as hd
import numpy as np
import pydicom
from highdicom.seg import SegmentAlgorithmTypeValues, Segmentation, SegmentDescription
from pydicom.sr.codedict import codes
from pydicom.uid import generate_uid


def complete(ds, _number=0):
    """What a CT header needs for highdicom to refer to it."""
    ds.StudyDate = ds.StudyTime = ds.AccessionNumber = ds.PatientBirthDate = ds.PatientSex = ""
    ds.StudyID = ds.ReferringPhysicianName = ds.PositionReferenceIndicator = ""


def slices_of(folder):
    """The slices of a folder in the order of their positions along the normal, with their pixels."""
    found = [pydicom.dcmread(path) for path in sorted(folder.glob("*.dcm"))]
    found = [ds for ds in found if ds.SOPClassUID.name == "CT Image Storage"]
    row, column = np.array(found[0].ImageOrientationPatient, dtype=float).reshape(2, 3)
    normal = np.cross(row, column)
    return sorted(found, key=lambda ds: float(normal @ np.array(ds.ImagePositionPatient, dtype=float)))


def described(number, label, code=None):
    return SegmentDescription(
        segment_number=number,
        segment_label=label,
        segmented_property_category=codes.SCT.Organ,
        segmented_property_type=code or hd.sr.CodedConcept("1", "99LOCAL", "something"),
        algorithm_type=SegmentAlgorithmTypeValues.MANUAL,
    )


def snomed(value, meaning="organ"):
    return hd.sr.CodedConcept(value, "SCT", meaning)


def write_seg(path, slices, array, descriptions, kind="BINARY", **options):
    """`array` is slice, row, column and, where segments overlap, segment."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        seg = Segmentation(
            source_images=slices,
            pixel_array=array,
            segmentation_type=kind,
            segment_descriptions=descriptions,
            series_instance_uid=generate_uid(),
            series_number=9,
            sop_instance_uid=generate_uid(),
            instance_number=1,
            manufacturer="Maker",
            manufacturer_model_name="Model",
            software_versions="1",
            device_serial_number="1",
            **options,
        )
        path.parent.mkdir(parents=True, exist_ok=True)
        seg.save_as(path)
    return path
