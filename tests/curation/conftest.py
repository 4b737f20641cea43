"""A small raw cohort, written with nibabel so that nothing of it comes from the code under test."""

from pathlib import Path

import nibabel
import numpy as np
import pytest

# LPS on the disk, as scanners have it; curated volumes are RPS.
AFFINE = np.array([[-2.0, 0, 0, 10], [0, -2.0, 0, 20], [0, 0, 3.0, -30], [0, 0, 0, 1]])
SHAPE = (12, 10, 8)


class Cohort:
    """Writes cases in the layout of a raw cohort."""

    def __init__(self, root: Path) -> None:
        self.root = root

    def nifti(self, place: str, array: np.ndarray, affine: np.ndarray = AFFINE) -> Path:
        path = self.root / place
        path.parent.mkdir(parents=True, exist_ok=True)
        image = nibabel.Nifti1Image(array, affine)
        image.header.set_xyzt_units("mm")
        nibabel.save(image, path)
        return path

    def case(
        self, case: str, *, seed: int = 0, lesion: bool = True, image: str = "ct", masks: bool = True
    ) -> dict[str, np.ndarray]:
        """One case with a pancreas in three parts, a liver, and a lesion in the head; its arrays by name."""
        found = {"image": ct(seed)}
        self.nifti(f"{case}/{image}.nii.gz", found["image"])
        if masks:
            found |= pancreas(lesion=lesion)
            for name, mask in found.items():
                if name != "image":
                    self.nifti(f"{case}/segmentations/{name}.nii.gz", mask)
        return found

    def metadata(self, text: str) -> None:
        (self.root / "metadata.csv").write_text(text)


def ct(seed: int = 0) -> np.ndarray:
    """Soft tissue with noise, between air and metal."""
    voxels = np.random.default_rng(seed).normal(40, 30, SHAPE).round().astype(np.int16)
    voxels[0] = -1500
    voxels[1, 1, 1] = 2500
    return voxels


def pancreas(*, lesion: bool = True) -> dict[str, np.ndarray]:
    """Masks: head, body and tail side by side in the pancreas, the lesion in two of them, the liver apart."""
    names = ("liver", "pancreas", "pancreas_body", "pancreas_head", "pancreas_tail", "pancreatic_lesion")
    masks = {name: np.zeros(SHAPE, dtype=np.uint8) for name in names}
    masks["liver"][8:, :, :3] = 1
    masks["pancreas"][2:8, 3:7, 2:7] = 1
    masks["pancreas_head"][2:4, 3:7, 2:7] = 1
    masks["pancreas_body"][4:6, 3:7, 2:7] = 1
    masks["pancreas_tail"][6:8, 3:7, 2:7] = 1
    if lesion:
        masks["pancreatic_lesion"][2:6, 3:7, 2:7] = 1
        masks["pancreatic_lesion"][3, 6, 6] = 0
    return masks


@pytest.fixture
def cohort(tmp_path: Path) -> Cohort:
    """An empty raw cohort in SRC."""
    (tmp_path / "src").mkdir()
    return Cohort(tmp_path / "src")
