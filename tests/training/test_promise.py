"""What the demo preset promises, measured: minutes, so not by default."""

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.splits import SplitSettings, split
from wirsung.imaging.nifti import read_label_map
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings
from wirsung.training.run import train
from wirsung.training.settings import TrainSettings

STRUCTURES = {
    "pancreas": (6, 7),
    "liver": (1,),
    "spleen": (2,),
    "kidney_left": (3,),
    "kidney_right": (4,),
    "aorta": (5,),
}


def _dice(reference, prediction):
    return 2 * (reference & prediction).sum() / (reference.sum() + prediction.sum())


@pytest.mark.slow
def test_the_demo_preset_segments_an_unseen_centre(tmp_path):
    raw, dataset, model, out = (tmp_path / name for name in ("raw", "dataset", "model", "predictions"))
    phantom(PhantomSettings(raw, cases=30, seed=11))
    curate(CurateSettings(raw, dataset))
    split(SplitSettings(dataset, test_centre=("centre-3",)))
    train(TrainSettings(dataset, model, scheme="demo-7", preset="demo", device="cpu"))
    outcomes = predict(PredictSettings(dataset, out, model=model, split="test", device="cpu"))
    assert len(outcomes) == 10
    scores = {name: [] for name in STRUCTURES}
    for outcome in outcomes:
        reference = Dataset.open(dataset).case(outcome.case).label_map(scheme("demo-7")).voxels
        prediction = read_label_map(out / f"{outcome.case}.nii.gz").voxels
        for name, values in STRUCTURES.items():
            scores[name].append(_dice(np.isin(reference, values), np.isin(prediction, values)))
    means = {name: float(np.mean(values)) for name, values in scores.items()}
    assert np.mean(list(means.values())) >= 0.8, means
    assert means["pancreas"] >= 0.65, means
