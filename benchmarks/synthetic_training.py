"""The real scans that experiment (g) tests on, as two datasets: CT in the soft-tissue window, and MR.

Reads the folder of real scans and writes ct/ and mr/ for configs/experiments/synthetic.toml.

    .venv/bin/python benchmarks/synthetic_training.py ../shared/data REAL
"""

import argparse
from pathlib import Path

import numpy as np

from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, write_nifti
from wirsung.imaging.orientation import axis_codes, reorient
from wirsung.imaging.volume import Volume
from wirsung.phantom.randomised.contrast import FULL, WINDOW_HU, window

STRUCTURES = {"spleen": 1, "kidney_right": 2, "kidney_left": 3, "liver": 5, "pancreas": 7}
"""Their values in TotalSegmentator's label maps of CT and of MR."""


def windowed(volume: Volume) -> Volume:
    """The CT as the randomised phantoms show one: 0 to 1000 over the soft-tissue window."""
    shown = np.clip(window(volume.voxels.astype(np.float32), *WINDOW_HU), 0, FULL)
    return volume.with_voxels(np.rint(shown).astype(np.int16))


def write_case(folder: Path, image: Volume, labels: Volume) -> None:
    """The image as MRI of no known sequence, whose scale means nothing, and a mask a structure."""
    write_nifti(folder / "mr.nii.gz", image)
    labels = reorient(labels, axis_codes(image.affine))
    for name, value in STRUCTURES.items():
        mask = Volume((labels.voxels == value).astype(np.uint8), image.affine)
        write_nifti(folder / "segmentations" / f"{name}.nii.gz", mask)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("source", type=Path, help="the folder of real scans")
    parser.add_argument("out", type=Path, help="where ct/ and mr/ are written")
    given = parser.parse_args()
    source, raw = given.source, given.out / "raw"
    abdomen, series, mr = source / "ct_abdomen", source / "ct_dicom", source / "mr_abdomen"
    write_case(
        raw / "ct" / "native-phase",
        windowed(read_image(abdomen / "ct_crop.nii.gz")),
        read_image(abdomen / "ct_crop_totalsegmentator_v2.nii.gz"),
    )
    write_case(
        raw / "ct" / "upper-slices",
        windowed(read_series(series / "series").volume),
        read_image(series / "totalsegmentator_v2.nii.gz"),
    )
    write_case(raw / "mr" / "mr", read_image(mr / "mr.nii.gz"), read_image(mr / "totalsegmentator_mr.nii.gz"))
    for name in ("ct", "mr"):
        for outcome in curate(CurateSettings(raw / name, given.out / name, name=f"real-{name}")):
            print(f"{name}, case {outcome.case}: {outcome.status} {outcome.message or ''}")


if __name__ == "__main__":
    main()
