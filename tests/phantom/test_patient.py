"""Patients are drawn from their generator alone."""

from dataclasses import replace

import numpy as np
import pytest

from wirsung.phantom.patient import draw_patient
from wirsung.phantom.tumour import TumourPlan


def test_the_same_generator_draws_the_same_patient():
    assert draw_patient(np.random.default_rng(5)) == draw_patient(np.random.default_rng(5))


def test_a_tumour_changes_nothing_else_of_the_patient():
    plan = TumourPlan("tail", 20.0)
    well, ill = (draw_patient(np.random.default_rng(5), tumour=tumour) for tumour in (None, plan))
    assert ill.tumour is not None
    assert ill.tumour.plan == plan
    assert (ill.sex, ill.age_years, ill.size, ill.seed) == (well.sex, well.age_years, well.size, well.seed)


def test_organs_vary_on_their_own():
    patient = draw_patient(np.random.default_rng(5))
    assert patient.variation("liver").random() == patient.variation("liver").random()
    assert patient.variation("liver").random() != patient.variation("spleen").random()


def test_a_population_holds_both_sexes_and_plausible_adults():
    rng = np.random.default_rng(0)
    patients = [draw_patient(rng) for _ in range(200)]
    women = [patient for patient in patients if patient.sex == "F"]
    assert 60 < len(women) < 120
    assert all(20 <= patient.age_years <= 90 for patient in patients)
    assert all(0.85 < scale < 1.1 for patient in patients for scale in patient.size)
    men = [patient.size[2] for patient in patients if patient.sex == "M"]
    assert np.mean([patient.size[2] for patient in women]) < np.mean(men)


def test_organ_variety_widens_ranges_about_the_same_middle():
    patient = draw_patient(np.random.default_rng(5))
    wide = replace(patient, organ_variety=3.0)
    narrow_value, wide_value = (one.variation("liver").uniform(0.9, 1.1) for one in (patient, wide))
    assert wide_value - 1 == pytest.approx(3 * (narrow_value - 1))
    triple = wide.variation("liver").uniform(-1, 1, 3)
    assert triple == pytest.approx(3 * patient.variation("liver").uniform(-1, 1, 3))
    assert wide.chance("liver").uniform(0.9, 1.1) == narrow_value
