"""Images and a model for `presets.py`: the network of `make demo`, longer, on five structures.

It learns from phantoms and from the slices of one real CT whose label map another program made. That is far
too little to be good on other patients, and what it says of that CT is no test of it; but it answers on real
tissue, and the presets are compared by the same weights.
"""

from dataclasses import dataclass
from pathlib import Path

import numpy as np

from wirsung.cli import main
from wirsung.imaging.dicom import read_series
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

STRUCTURES = {"spleen": 1, "kidney_right": 2, "kidney_left": 3, "liver": 5, "pancreas": 7}
"""Their values in TotalSegmentator's label maps."""
SPACING_MM = 3.0
PHANTOMS = 20
COPIES = 5
"""Of the real CT, beside so many phantoms."""


@dataclass(frozen=True)
class Case:
    """An image and its truth."""

    name: str
    image: Volume
    labels: Volume
    """1, 2 and so on in the order of STRUCTURES."""


def phantoms(folder: Path, count: int, seed: int) -> list[Case]:
    """Phantoms of 2 x 2 x 4 mm."""
    phantom(PhantomSettings(folder, cases=count, preset="small", seed=seed))
    return [_phantom(path) for path in sorted(folder.rglob("ct.nii.gz"))]


def real(data: Path) -> list[Case]:
    """Labelled slices of two CTs of the shared data, 30 and 20; the model learns from the first."""
    abdomen, series = data / "ct_abdomen", data / "ct_dicom"
    # Images and label maps lie in different axis orders.
    crop = reorient(read_image(abdomen / "ct_crop.nii.gz"), "LPS")
    labels = reorient(read_label_map(abdomen / "ct_crop_totalsegmentator_v2.nii.gz"), "LPS")
    image = reorient(read_series(series / "series").volume, "LPS")
    thin = reorient(read_label_map(series / "totalsegmentator_v2.nii.gz"), "LPS")
    return [Case("real, learnt from", crop, _own(labels)), Case("real, never seen", image, _own(thin))]


def make_model(folder: Path, seen: Case, epochs: int) -> Path:
    """A model folder, by the verbs of Wirsung: from phantoms, and from one real CT under several names."""
    raw, dataset, model = folder / "raw", folder / "dataset", folder / "model"
    if (model / "fold_all" / "weights.safetensors").is_file():
        return model
    for number, case in enumerate([*phantoms(folder / "phantoms", PHANTOMS, seed=0), *[seen] * COPIES]):
        _write(raw / f"case_{number}", case)
    scheme = folder / "five.toml"
    classes = [f'{{ value = {value}, name = "{name}" }}' for value, name in enumerate(STRUCTURES, start=1)]
    scheme.write_text(f'schema = 1\nname = "five"\nclasses = [{", ".join(classes)}]\n')
    words = ["--preset", "demo", "--finest-mm", str(SPACING_MM), "--epochs", str(epochs), "--fold", "all"]
    for line in (
        ["curate", raw, dataset],
        ["split", dataset, "--folds", "2"],
        ["train", dataset, model, "--scheme", scheme, *words],
    ):
        if main([str(word) for word in line]):
            msg = f"wirsung {line[0]} failed; what it said stands above."
            raise SystemExit(msg)
    return model


def _write(folder: Path, case: Case) -> None:
    """A case of a cohort."""
    (folder / "segmentations").mkdir(parents=True, exist_ok=True)
    write_nifti(folder / "ct.nii.gz", case.image)
    for index, name in enumerate(STRUCTURES, start=1):
        mask = (case.labels.voxels == index).astype(np.uint8)
        write_nifti(folder / "segmentations" / f"{name}.nii.gz", case.image.with_voxels(mask))


def pancreas_only(model: Path) -> Path:
    """A table by which the model gives its pancreas alone."""
    path = model.parent / "pancreas.toml"
    path.write_text(f'schema = 1\n[classes]\npancreas = 1\n[[parts]]\nmodel = "{model.name}"\n')
    return path


def _phantom(path: Path) -> Case:
    image = reorient(read_image(path), "LPS")
    labels = np.zeros(image.shape, np.uint8)
    for value, name in enumerate(STRUCTURES, start=1):
        mask = path.parent / "segmentations" / f"{name}.nii.gz"
        labels[reorient(read_label_map(mask), "LPS").voxels > 0] = value
    return Case(f"phantom {path.parent.name}", image, image.with_voxels(labels))


def _own(labels: Volume) -> Volume:
    made = np.zeros(labels.shape, np.uint8)
    for index, value in enumerate(STRUCTURES.values(), start=1):
        made[labels.voxels == value] = index
    return labels.with_voxels(made)
