"""A dataset of five small patients made of ellipsoids, with two folds."""

import json

import numpy as np
import pytest

from wirsung.imaging.nifti import read_image, write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume

SHAPE = (32, 28, 24)
AFFINE = np.diag([4.0, 4.0, 5.0, 1.0])
ORGANS = {
    "liver": ((9, 14, 14), (7, 9, 8), 110),
    "spleen": ((25, 10, 15), (4, 4, 5), 130),
    "pancreas": ((17, 17, 10), (6, 3, 3), 90),
}


def ellipsoid(centre, radii):
    grid = np.indices(SHAPE)
    parts = [((grid[axis] - centre[axis]) / radii[axis]) ** 2 for axis in range(3)]
    return sum(parts) <= 1


def write_patient(root, case, seed, *, organs=ORGANS, codes="RPS"):
    """One patient; the organs lie a little elsewhere in each."""
    random = np.random.default_rng(seed)
    voxels = random.normal(-80, 15, SHAPE)
    folder = root / "LabelTr" / case / "segmentations"
    for name, (centre, radii, hu) in organs.items():
        mask = ellipsoid(np.array(centre) + random.integers(-1, 2, 3), radii)
        voxels[mask] = random.normal(hu, 15, mask.sum())
        write_nifti(folder / f"{name}.nii.gz", reorient(Volume(mask, AFFINE), codes))
    volume = Volume(voxels.round().astype(np.int16), AFFINE)
    write_nifti(root / "ImageTr" / case / "ct.nii.gz", reorient(volume, codes))


def write_splits(root, test=("p4",)):
    folds = [
        {"train": ["p0", "p1"], "validation": ["p2", "p3"]},
        {"train": ["p2", "p3"], "validation": ["p0", "p1"]},
    ]
    split = {"schema": 1, "seed": 0, "test_centres": [], "test": list(test), "folds": folds}
    (root / "splits.json").write_text(json.dumps(split))


def make_dataset(root):
    for index in range(5):
        write_patient(root, f"p{index}", index)
    write_splits(root)
    return root


@pytest.fixture
def dataset(tmp_path):
    return make_dataset(tmp_path / "dataset")


def as_mr(root, case, modality, gain):
    """Make the patient's CT an MR in another unit, dark and bright exchanged in T2, with a zero border."""
    folder = root / "ImageTr" / case
    image = read_image(folder / "ct.nii.gz")
    signal = image.voxels.astype(np.float32) + 200
    signal = (gain * (signal if modality == "t1" else 500 - signal)).clip(1)
    inner = np.zeros(signal.shape, bool)
    inner[2:-2, 2:-2, 1:-1] = True
    write_nifti(folder / f"{modality}.nii.gz", image.with_voxels((signal * inner).round().astype(np.int16)))
    (folder / "ct.nii.gz").unlink()


@pytest.fixture(scope="module")
def joint_dataset(tmp_path_factory):
    """Two CTs, two T1 and two T2, the last of each kind validated on; for tests that change nothing."""
    root = tmp_path_factory.mktemp("joint") / "dataset"
    for index, case in enumerate(["ct1", "ct2", "t11", "t12", "t21", "t22"]):
        write_patient(root, case, index)
        if not case.startswith("ct"):
            as_mr(root, case, case[:2], gain=1 + index)
    folds = [{"train": ["ct1", "t11", "t21"], "validation": ["ct2", "t12", "t22"]}]
    split = {"schema": 1, "seed": 0, "test_centres": [], "test": [], "folds": folds}
    (root / "splits.json").write_text(json.dumps(split))
    return root


@pytest.fixture
def patient():
    """The function that writes one patient."""
    return write_patient


@pytest.fixture(scope="module")
def shared_dataset(tmp_path_factory):
    """For tests that change nothing."""
    return make_dataset(tmp_path_factory.mktemp("data") / "dataset")
