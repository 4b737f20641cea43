"""Small references and predictions whose scores are known by hand."""

import json
import sys
from collections.abc import Callable, Mapping
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

# Tests and worker processes import what stands beside this file by name.
sys.path.insert(0, str(Path(__file__).parent))

SHAPE = (14, 12, 10)
AFFINE = np.array([[-1.0, 0, 0, 40], [0, -1.5, 0, 30], [0, 0, 2.0, -10], [0, 0, 0, 1]])
PANCREAS = np.s_[3:9, 3:9, 2:8]
LESION = np.s_[4:6, 4:6, 4:6]


def label_map(*boxes: tuple[tuple[slice, ...], int]) -> Volume:
    """Background with boxes of one value each, later ones over earlier ones."""
    voxels = np.zeros(SHAPE, dtype=np.uint8)
    for box, value in boxes:
        voxels[box] = value
    return Volume(voxels, AFFINE)


def shifted(box: tuple[slice, ...], steps: int) -> tuple[slice, ...]:
    """The box moved along i."""
    return (slice(box[0].start + steps, box[0].stop + steps), *box[1:])


def write_label_maps(folder: Path, volumes: Mapping[str, Volume]) -> Path:
    """Writes <folder>/<case>.nii.gz."""
    for case, volume in volumes.items():
        write_nifti(folder / f"{case}.nii.gz", volume)
    return folder


def write_references(folder: Path) -> Path:
    """Four cases in pants-2: two with a lesion, two without."""
    with_lesion, without = label_map((PANCREAS, 1), (LESION, 2)), label_map((PANCREAS, 1))
    return write_label_maps(folder, {"a": with_lesion, "b": with_lesion, "c": without, "d": without})


def write_predictions(folder: Path) -> Path:
    """For the four cases: perfect; pancreas moved by one voxel and lesion missed; perfect; a false lesion."""
    with_lesion, without = label_map((PANCREAS, 1), (LESION, 2)), label_map((PANCREAS, 1))
    moved = label_map((shifted(PANCREAS, 1), 1))
    return write_label_maps(folder, {"a": with_lesion, "b": moved, "c": without, "d": with_lesion})


@pytest.fixture(scope="session")
def known() -> SimpleNamespace:
    """What the tests build their own cases from."""
    return SimpleNamespace(
        SHAPE=SHAPE,
        AFFINE=AFFINE,
        PANCREAS=PANCREAS,
        LESION=LESION,
        label_map=label_map,
        write_references=write_references,
        write_predictions=write_predictions,
        write_predictions_json=write_predictions_json,
    )


@pytest.fixture
def folders(tmp_path: Path) -> Callable[[str, Mapping[str, Volume]], Path]:
    """Writes label maps as <folder>/<case>.nii.gz."""

    def write(name: str, volumes: Mapping[str, Volume]) -> Path:
        return write_label_maps(tmp_path / name, volumes)

    return write


@pytest.fixture
def references(tmp_path: Path) -> Path:
    return write_references(tmp_path / "reference")


@pytest.fixture
def predictions(tmp_path: Path) -> Path:
    return write_predictions(tmp_path / "prediction")


@pytest.fixture
def dataset(tmp_path: Path) -> Path:
    """Two CT cases in the PanTS layout with masks of pancreas, lesion, liver and, in one case, spleen."""
    root = tmp_path / "dataset"
    image = np.random.default_rng(0).integers(-100, 200, SHAPE).astype(np.int16)
    for case, structures in {
        "one": ("pancreas", "lesion", "liver", "spleen"),
        "two": ("pancreas", "lesion", "liver"),
    }.items():
        write_nifti(root / "ImageTr" / case / "ct.nii.gz", Volume(image, AFFINE))
        boxes = {
            "pancreas": ("pancreas", PANCREAS),
            "lesion": ("pancreatic_lesion", LESION if case == "one" else None),
            "liver": ("liver", np.s_[10:13, 3:6, 2:5]),
            "spleen": ("spleen", np.s_[0:2, 3:6, 2:5]),
        }
        for key in structures:
            name, box = boxes[key]
            mask = np.zeros(SHAPE, dtype=bool)
            if box is not None:
                mask[box] = True
            write_nifti(root / "LabelTr" / case / "segmentations" / f"{name}.nii.gz", Volume(mask, AFFINE))
    return root


def write_predictions_json(folder: Path, scheme: str, cases: list[str]) -> None:
    """What `wirsung predict` writes beside its label maps."""
    content = {
        "schema": 1,
        "scheme": scheme,
        "model": "models/demo",
        "model_sha256": "0" * 64,
        "cases": {c: {} for c in cases},
    }
    (folder / "predictions.json").write_text(json.dumps(content))
