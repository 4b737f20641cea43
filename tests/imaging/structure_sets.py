"""RTSTRUCT files written element by element, and by rt-utils."""

import numpy as np
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

STRUCTURE_SET = "1.2.840.10008.5.1.4.1.1.481.3"


def contour(points, kind="CLOSED_PLANAR"):
    item = Dataset()
    item.ContourGeometricType, item.NumberOfContourPoints = kind, len(points)
    item.ContourData = [f"{value:.4f}" for value in np.asarray(points, dtype=float).ravel()]
    return item


def structure_set(regions, slices=(), frame="1.2.9"):
    """`regions` is name to contours (see `contour`); points are LPS mm."""
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.file_meta.MediaStorageSOPClassUID = ds.SOPClassUID = STRUCTURE_SET
    ds.file_meta.MediaStorageSOPInstanceUID = ds.SOPInstanceUID = generate_uid()
    ds.Modality, ds.PatientID, ds.PatientName = "RTSTRUCT", "CANARY-ID", "CANARY^NAME"
    ds.StudyInstanceUID, ds.SeriesInstanceUID = "1.2.3", generate_uid()
    reference, study, series = Dataset(), Dataset(), Dataset()
    reference.FrameOfReferenceUID = frame
    if slices:
        series.SeriesInstanceUID = slices[0].SeriesInstanceUID
        series.ContourImageSequence = []
        for item in slices:
            image = Dataset()
            image.ReferencedSOPClassUID, image.ReferencedSOPInstanceUID = (
                item.SOPClassUID,
                item.SOPInstanceUID,
            )
            series.ContourImageSequence.append(image)
        study.ReferencedSOPClassUID, study.ReferencedSOPInstanceUID = "1.2.840.10008.3.1.2.3.1", "1.2.3"
        study.RTReferencedSeriesSequence = [series]
        reference.RTReferencedStudySequence = [study]
    ds.ReferencedFrameOfReferenceSequence = [reference]
    ds.StructureSetROISequence, ds.ROIContourSequence, ds.RTROIObservationsSequence = [], [], []
    for number, (name, contours) in enumerate(regions.items(), start=1):
        region, drawn = Dataset(), Dataset()
        region.ROINumber, region.ROIName, region.ReferencedFrameOfReferenceUID = number, name, frame
        drawn.ReferencedROINumber, drawn.ContourSequence = number, list(contours)
        ds.StructureSetROISequence.append(region)
        ds.ROIContourSequence.append(drawn)
    return ds


def write(path, *args, **options):
    path.parent.mkdir(parents=True, exist_ok=True)
    structure_set(*args, **options).save_as(path, enforce_file_format=True)
    return path
