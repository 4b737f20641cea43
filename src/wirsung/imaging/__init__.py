"""Voxels at a known place: volumes, orientation, geometry, NIfTI and DICOM."""
