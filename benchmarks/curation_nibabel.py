"""A plain pydicom and nibabel script for the work of `wirsung curate`: a peer of benchmarks/curation.py.

The same work as in curation_sitk.py. Masks are kept as they are stored; the float64 arrays of `get_fdata`,
which many scripts make, would cost several times as much.

    python benchmarks/curation_nibabel.py CASE OUT
"""

import sys
from pathlib import Path

import nibabel
import numpy as np
import pydicom
from nibabel.orientations import axcodes2ornt, io_orientation, ornt_transform

RPS = axcodes2ornt("RPS")


def turned(image: nibabel.Nifti1Image) -> nibabel.Nifti1Image:
    """The image in RPS."""
    return image.as_reoriented(ornt_transform(io_orientation(image.affine), RPS))


def write(image: nibabel.Nifti1Image, path: Path) -> np.ndarray:
    """Write, read back and compare; the voxels."""
    nibabel.save(image, path)
    voxels = np.asanyarray(image.dataobj)
    if not np.array_equal(np.asanyarray(nibabel.load(path).dataobj), voxels):
        msg = f"{path} reads back as something else"
        raise SystemExit(msg)
    return voxels


def read_series(folder: Path) -> nibabel.Nifti1Image:
    """HU, clipped; the slices sorted by position."""
    slices = [pydicom.dcmread(path) for path in sorted(folder.iterdir())]
    first = slices[0]
    rows, columns = np.array(first.ImageOrientationPatient, float).reshape(2, 3)
    normal = np.cross(rows, columns)
    slices.sort(key=lambda item: float(normal @ np.array(item.ImagePositionPatient, float)))
    origin = np.array(slices[0].ImagePositionPatient, float)
    step = (np.array(slices[-1].ImagePositionPatient, float) - origin) / (len(slices) - 1)
    hu = [
        item.pixel_array.astype(np.int32) * int(item.RescaleSlope) + int(item.RescaleIntercept)
        for item in slices
    ]
    voxels = np.clip(np.stack(hu), -1000, 1000).astype(np.int16).transpose(2, 1, 0)
    affine = np.eye(4)
    down, across = (float(value) for value in first.PixelSpacing)
    affine[:3] = np.column_stack([rows * across, columns * down, step, origin])
    return nibabel.Nifti1Image(voxels, np.diag([-1.0, -1.0, 1.0, 1.0]) @ affine)


def main(case: Path, out: Path) -> None:
    (out / "segmentations").mkdir(parents=True)
    write(turned(read_series(case / "dicom")), out / "ct.nii.gz")
    combined = None
    for value, path in enumerate(sorted((case / "segmentations").glob("*.nii.gz")), start=1):
        mask = turned(nibabel.load(path))
        voxels = write(mask, out / "segmentations" / path.name)
        combined = np.zeros(voxels.shape, np.uint8, order="F") if combined is None else combined
        np.copyto(combined, value, where=voxels.view(bool))
    write(nibabel.Nifti1Image(combined, mask.affine), out / "combined_labels.nii.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
