"""Experiments and datasets of a few bytes."""

from pathlib import Path

import pytest

from wirsung.datasets.description import Description, write_description
from wirsung.datasets.manifest import ManifestRow, write_manifest

SMALL = """
schema = 1
name = "small"
title = "Small"
about = "A test."
seeds = 2
axis = "tumours"
measures = ["pancreatic_lesion auc", "pancreatic_lesion dsc"]

[train]
scheme = "pants-2"
preset = "demo"
finest_mm = 12.0
patch = [16, 16, 16]
features = [4, 8]
epochs = 1
iterations = 2
picture_every = 100

[predict]
step = 1.0

[sets.unseen]
data = "cohort"
side = "test"

[sets.part]
data = "cohort"
subset = 3

[sets.whole]
data = "cohort"

[arms.few]
title = "few cases"
learn = "part"
test = "unseen"

[arms.many]
learn = "whole"
test = ["unseen"]
epochs = 2

[[questions]]
text = "Are many better?"
first = "few"
second = "many@unseen"
measure = "pancreatic_lesion auc"
expect = "higher"
paper = 0.1

[paper]
title = "A paper"
source = "Its table"

[[paper.rows]]
label = "few of the paper"
measure = "pancreatic_lesion auc"
value = 0.8
ours = "few"

[[paper.rows]]
label = "another of the paper"
measure = "pancreatic_lesion dsc"
value = 0.5
source = "Its text"

[cpu.data.cohort]
phantom = { cases = 10, centres = 2, tumours = 0.6, tumour_diameter_mm = [30, 50], seed = 3 }
split = { test_centre = ["centre-2"], folds = 2 }

[full.data.cohort]
source = "pants"
split = { official = "pants" }

[full.train]
preset = "default"
epochs = 1000
"""


@pytest.fixture
def small() -> str:
    """An experiment of two arms."""
    return SMALL


@pytest.fixture
def make_dataset(tmp_path):
    """A function that makes a dataset of empty files under `data/`: (case, patient, centre, tumour) each."""

    def make(name: str, cases) -> Path:
        root = tmp_path / "data" / name
        for case, *_ in cases:
            for folder, file in (("ImageTr", "ct.nii.gz"), ("LabelTr", "segmentations/pancreas.nii.gz")):
                path = root / folder / case / file
                path.parent.mkdir(parents=True)
                path.touch()
        write_description(root, Description(name))
        write_manifest(
            root,
            [ManifestRow(case, patient, centre, tumour=tumour) for case, patient, centre, tumour in cases],
        )
        return root

    return make
