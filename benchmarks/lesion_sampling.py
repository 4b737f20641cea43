"""How often a training batch holds the lesion: nnU-Net's own plan and sampler against ours.

Phantoms of `small` size, two of eighteen with a tumour as in PanTS one of nine, 28 classes. The plan is made
for so much less memory that a patch covers as many millimetres as nnU-Net's 8 GB give on a CT of 0.8 x 0.8 x
1.25 mm. The batches are drawn by nnU-Net's data loader itself; only the voxels are not read.

    python benchmarks/lesion_sampling.py [STEPS]        two minutes
"""

import sys
import tempfile
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
from nnunetv2.training.dataloading.data_loader import nnUNetDataLoader
from nnunetv2.training.dataloading.nnunet_dataset import nnUNetDatasetBlosc2
from nnunetv2.utilities.plans_handling.plans_handler import PlansManager
from recording import record

from wirsung.anatomy.schemes import scheme
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.models.plans import Plans
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings
from wirsung.training.classes import choose_classes
from wirsung.training.lesion_centring import centre_on_lesion
from wirsung.training.planning import fingerprint, label_table, plan
from wirsung.training.preparing import prepare
from wirsung.training.presets import PRESETS, Preset
from wirsung.training.workspace import CONFIGURATION, Workspace

CASES = 18
TUMOURS = 2 / CASES
CT_MM = (1.25, 0.8, 0.8)
CT_SHAPE = (350, 512, 512)
CT_GB = 8.0
STEPS = 5000

OURS = PRESETS["default"]
NNUNET = replace(OURS, smallest_batch=2, lesion_patches=0.0)
ARMS = {
    "nnU-Net's plan and sampler": NNUNET,
    "nnU-Net's plan, batch 4 asked for": replace(NNUNET, batch_size=4),
    "batch 4 in the same memory": replace(NNUNET, smallest_batch=4),
    "batch 4 in the same memory, a quarter centred on the lesion": OURS,
}


def main() -> None:
    """Measure and record."""
    steps = int(sys.argv[1]) if len(sys.argv) > 1 else STEPS
    with tempfile.TemporaryDirectory() as folder:
        root = Path(folder)
        phantom(PhantomSettings(root / "raw", cases=CASES, preset="small", tumours=TUMOURS, seed=3))
        curate(CurateSettings(root / "raw", root / "dataset"))
        figures = measured(root, steps)
    record("lesion_sampling", figures)


def measured(root: Path, steps: int) -> dict[str, Any]:
    """Each arm's plan, and what its batches hold."""
    cases = Dataset.open(root / "dataset").cases
    classes = choose_classes(scheme("pants-28"), cases)
    table = label_table(cases, classes)
    facts = fingerprint(cases, classes, 2)
    images = {case.id: case.image_path for case in cases}
    spacing = np.median(facts["spacings"], axis=0)
    memory_gb = CT_GB * float(np.prod(CT_MM) / np.prod(spacing))
    ct = {**facts, "spacings": [list(CT_MM)] * CASES, "shapes_after_crop": [list(CT_SHAPE)] * CASES}
    found: dict[str, Any] = {"cases": CASES, "with_lesion": round(TUMOURS * CASES), "steps": steps}
    for index, (name, preset) in enumerate(ARMS.items()):
        on_ct = plan(Workspace(root / f"ct{index}"), ct, table, images, preset, "nnunet")
        workspace = Workspace(root / f"arm{index}")
        small = plan(workspace, facts, table, images, replace(preset, memory_gb=memory_gb), "nnunet")
        prepare(cases, classes, small, workspace, 2)
        found[name] = {
            "plan_for_ct": said(on_ct),
            "plan_for_phantoms": said(small),
            **counted(workspace, small, preset, table, steps),
        }
    return found


def said(plans: Plans) -> str:
    """Batch and patch."""
    configuration = plans.configuration(CONFIGURATION)
    voxels = " x ".join(map(str, configuration.patch_size))
    extent = zip(configuration.patch_size, configuration.spacing_mm, strict=True)
    return (
        f"{configuration.batch_size} of {voxels} voxels, {' x '.join(f'{n * mm:.0f}' for n, mm in extent)} mm"
    )


def counted(
    workspace: Workspace, plans: Plans, preset: Preset, table: dict[str, Any], steps: int
) -> dict[str, float]:
    """What nnU-Net's loader draws."""
    configuration = plans.configuration(CONFIGURATION)
    folder = workspace.preprocessed / configuration.data_identifier
    data = nnUNetDatasetBlosc2(str(folder))
    labels = PlansManager(dict(plans.content)).get_label_manager(table)
    patch = configuration.patch_size
    loader = nnUNetDataLoader(data, configuration.batch_size, patch, patch, labels, preset.foreground)
    centre_on_lesion(loader, plans, folder)
    loaded = {case: data.load_case(case) for case in data.identifiers}
    shapes = {case: item[0].shape[1:] for case, item in loaded.items()}
    places = {case: item[3]["class_locations"] for case, item in loaded.items()}
    label = table["labels"]["pancreatic_lesion"]
    np.random.seed(1)  # noqa: NPY002 - what the loader draws from
    voxels = np.array([drawn(loader, shapes, places, label) for _ in range(steps)])
    return {
        "patches_with_lesion": round(float((voxels > 0).mean()), 4),
        "steps_without_lesion": round(float((voxels == 0).all(axis=1).mean()), 4),
        "lesion_voxels_a_step": round(float(voxels.sum(axis=1).mean()), 1),
    }


def drawn(loader: nnUNetDataLoader, shapes: dict[str, Any], places: dict[str, Any], label: int) -> list[int]:
    """Lesion voxels of each patch of one batch."""
    held = []
    for index, case in enumerate(loader.get_indices()):
        forced = loader.get_do_oversample(index)
        low, high = loader.get_bbox(shapes[case], forced, places[case])
        lesion = places[case][label][:, 1:]
        inside = ((lesion >= low) & (lesion < high)).all(axis=1) if len(lesion) else np.zeros(0, bool)
        held.append(int(inside.sum()))
    return held


if __name__ == "__main__":
    main()
