"""The best plain SimpleITK script for the work of `wirsung curate`, run by benchmarks/curation.py as a peer.

DICOM series to CT, clipped, in RPS; 28 masks in RPS; one label map; everything read back and compared. No
check of the series, no de-identification, no measurements, no checksums, no codes.

    python benchmarks/curation_sitk.py CASE OUT
"""

import sys
from pathlib import Path

import numpy as np
import SimpleITK


def write(image: SimpleITK.Image, path: Path) -> None:
    """Write, read back and compare."""
    SimpleITK.WriteImage(image, str(path), useCompression=True)
    back = SimpleITK.ReadImage(str(path))
    if not np.array_equal(SimpleITK.GetArrayViewFromImage(back), SimpleITK.GetArrayViewFromImage(image)):
        msg = f"{path} reads back as something else"
        raise SystemExit(msg)


def main(case: Path, out: Path) -> None:
    SimpleITK.ProcessObject.SetGlobalDefaultNumberOfThreads(1)
    (out / "segmentations").mkdir(parents=True)
    reader = SimpleITK.ImageSeriesReader()
    reader.SetFileNames(reader.GetGDCMSeriesFileNames(str(case / "dicom")))
    ct = SimpleITK.Clamp(reader.Execute(), SimpleITK.sitkInt16, -1000, 1000)
    write(SimpleITK.DICOMOrient(ct, "RPS"), out / "ct.nii.gz")
    combined = None
    for value, path in enumerate(sorted((case / "segmentations").glob("*.nii.gz")), start=1):
        mask = SimpleITK.DICOMOrient(SimpleITK.ReadImage(str(path)), "RPS")
        write(mask, out / "segmentations" / path.name)
        voxels = SimpleITK.GetArrayViewFromImage(mask)
        combined = np.zeros(voxels.shape, np.uint8) if combined is None else combined
        np.copyto(combined, value, where=voxels.view(bool))
    labels = SimpleITK.GetImageFromArray(combined)
    labels.CopyInformation(mask)
    write(labels, out / "combined_labels.nii.gz")


if __name__ == "__main__":
    main(Path(sys.argv[1]), Path(sys.argv[2]))
