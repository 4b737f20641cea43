"""A small dataset whose every number is known, for the tests of what is told of a dataset."""

import json

import nibabel
import numpy as np
import pytest

from wirsung.datasets.contents import contents_of
from wirsung.datasets.description import Description, write_description
from wirsung.datasets.manifest import ManifestRow, StructureRow, write_manifest, write_structures

SHAPE, SPACING_MM = (12, 10, 8), (2.0, 2.0, 5.0)
VOXEL_ML = 2 * 2 * 5 / 1000


@pytest.fixture
def small_dataset(tmp_path, write_dataset):
    """As `write_dataset`, in the test's own folder."""
    return lambda name="small", **told: write_dataset(tmp_path, name, **told)


@pytest.fixture(scope="session")
def write_dataset():
    """Write a dataset of `cases` scans; those whose number is in `huge` have a liver four times as large.

    Every case has a liver of 48 voxels or so and a pancreas of 12; every third a lesion of 2 voxels, the
    others an empty one. Nobody drew anything else.
    """
    return _write_dataset


@pytest.fixture(scope="session")
def release(shared_data):
    """The real table of PanTS."""
    return contents_of(shared_data / "pants_metadata")


def _write_dataset(parent, name, cases=12, huge=(), **description):
    root = parent / name
    root.mkdir()
    write_description(root, Description(name, "1.0", **description))
    rows, measured = [], []
    for number in range(cases):
        case = f"{name}-{number:02d}"
        masks = _masks(number, number in huge)
        _save(root / "ImageTr" / case / "ct.nii.gz", np.full(SHAPE, 40 + number, dtype=np.int16))
        for structure, mask in masks.items():
            _save(root / "LabelTr" / case / "segmentations" / f"{structure}.nii.gz", mask)
        rows.append(_row(case, number, tuple(masks)))
        measured += [_measured(case, *item, 40 + number) for item in masks.items()]
    write_manifest(root, rows)
    write_structures(root, measured)
    lines = [{"case": row.case, "tool": "wirsung 0", "source": "dicom", "labels": "masks"} for row in rows]
    (root / "provenance.jsonl").write_text("".join(f"{json.dumps(line)}\n" for line in lines))
    return root


def _row(case, number, names):
    return ManifestRow(
        case,
        f"p{number // 2}",  # two scans a patient
        centre=f"centre-{1 + number % 2}",
        phase="venous" if number % 4 else "arterial",
        sex=("F", "M", None)[number % 3],
        age_years=50 + number if number else None,
        manufacturer="Siemens",
        **dict(zip(("shape_i", "shape_j", "shape_k"), SHAPE, strict=True)),
        **dict(zip(("spacing_i_mm", "spacing_j_mm", "spacing_k_mm"), SPACING_MM, strict=True)),
        has_labels=True,
        tumour=number % 3 == 0,
        structures=names,
    )


def _masks(number, is_huge):
    masks = {name: np.zeros(SHAPE, dtype=np.uint8) for name in ("liver", "pancreas", "pancreatic_lesion")}
    masks["liver"][1:5, 1:5, 1:4] = 1
    masks["liver"][5, 1, 1 : 1 + number % 3] = 1
    if is_huge:
        masks["liver"][1:9, 1:9, 1:4] = 1
    masks["pancreas"][6:9, 5:7, 3:5] = 1
    if number % 3 == 0:
        masks["pancreatic_lesion"][7, 5, 3:5] = 1
    return masks


def _measured(case, structure, mask, hu):
    voxels = int(mask.sum())
    return StructureRow(
        case,
        structure,
        voxels * VOXEL_ML,
        float(hu) if voxels else None,
        0.0 if voxels else None,
        *[None] * 6,
        components=int(voxels > 0),
        touches_border=False,
        runs_sha256="",
    )


def _save(path, voxels):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = nibabel.Nifti1Image(voxels, np.diag([-SPACING_MM[0], -SPACING_MM[1], SPACING_MM[2], 1.0]))
    image.header.set_xyzt_units("mm")
    nibabel.save(image, path)
