"""A dozen patients on a coarse grid that holds the whole trunk."""

import numpy as np
import pytest

from wirsung.phantom.body import build_body
from wirsung.phantom.grid import Grid
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.tumour import TumourPlan

PLANS = {
    3: TumourPlan("head", 35.0, "hypo", dilated_duct=True),
    6: TumourPlan("body", 24.0, "iso"),
    9: TumourPlan("tail", 50.0, "hyper"),
}


@pytest.fixture(scope="session")
def trunk():
    return Grid.centred((96, 80, 128), (4.0, 4.0, 4.0), centre_ras_mm=(0.0, -5.0, -90.0))


@pytest.fixture(scope="session")
def bodies(trunk):
    return [
        build_body(draw_patient(np.random.default_rng(seed), tumour=PLANS.get(seed)), trunk)
        for seed in range(12)
    ]
