"""Who is in a cohort depends on the seed and the case's number alone, and every centre has both kinds."""

from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from wirsung.errors import ConfigError
from wirsung.phantom.plans import plan_case, plan_tumour
from wirsung.phantom.settings import PhantomSettings

DEFAULT = PhantomSettings(Path("cohort"))


@pytest.mark.parametrize("fraction", [0.0, 0.1, 0.3, 0.5, 0.75, 1.0])
@pytest.mark.parametrize("count", [1, 7, 20])
def test_exactly_the_rounded_share_of_any_number_of_cases_has_a_tumour(fraction, count):
    settings = replace(DEFAULT, tumours=fraction)
    plans = [plan_case(settings, number) for number in range(1, count + 1)]
    assert sum(plan.patient.tumour is not None for plan in plans) == round(count * fraction)


@pytest.mark.parametrize("centres", [2, 3, 4, 5])
def test_tumours_and_healthy_patients_are_spread_evenly_over_the_centres(centres):
    settings = replace(DEFAULT, centres=centres)
    plans = [plan_case(settings, number) for number in range(1, 8 * centres + 1)]
    kinds = Counter((plan.centre.name, plan.patient.tumour is not None) for plan in plans)
    assert len(kinds) == 2 * centres
    assert set(kinds.values()) == {4}


def test_a_case_has_an_id_a_made_up_patient_and_is_the_same_again():
    plan = plan_case(DEFAULT, 12)
    assert (plan.id, plan.patient_id, plan.number) == ("phantom_0012", "PHANTOM-0012", 12)
    assert plan == plan_case(replace(DEFAULT, cases=500, workers=3), 12)
    assert plan.patient != plan_case(replace(DEFAULT, seed=1), 12).patient


def test_tumours_keep_to_the_sites_and_diameters_asked_for():
    settings = replace(DEFAULT, sites=("tail", "body"), tumour_diameter_mm=(15.0, 18.0))
    plans = [plan_tumour(settings, np.random.default_rng(seed)) for seed in range(40)]
    assert {plan.site for plan in plans} == {"tail", "body"}
    assert all(15 <= plan.diameter_mm <= 18 for plan in plans)


def test_a_diameter_that_chance_never_gives_is_set():
    settings = replace(DEFAULT, tumour_diameter_mm=(33.0, 33.0))
    assert plan_tumour(settings, np.random.default_rng(0)).diameter_mm == 33


def test_a_contact_asked_for_is_planned_where_it_can_be():
    settings = replace(DEFAULT, contact="celiac_artery:120")
    plans = [plan_tumour(settings, np.random.default_rng(seed)) for seed in range(10)]
    assert {plan.contact for plan in plans} == {("celiac_artery", 120.0)}
    assert {plan.site for plan in plans} == {"body"}
    assert min(plan.diameter_mm for plan in plans) >= 20


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"contact": "vein:120"}, "Did you mean veins"),
        ({"contact": "celiac_artery:120", "sites": ("tail",)}, "no tumour of the tail can touch"),
        ({"contact": "veins:120", "tumour_diameter_mm": (8.0, 15.0)}, "at least 20.0 mm"),
    ],
)
def test_a_contact_that_can_not_be_is_refused(change, message):
    with pytest.raises(ConfigError, match=message):
        plan_tumour(replace(DEFAULT, **change), np.random.default_rng(0))
