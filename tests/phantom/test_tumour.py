"""A tumour's plan is checked when it is made."""

import numpy as np
import pytest

from wirsung.errors import ConfigError
from wirsung.phantom.tumour import REACHABLE, TumourPlan, draw_tumour


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (("neck", 20.0), "can't be 'neck'"),
        (("head", 20.0, "black"), "can't be 'black'"),
        (("head", 4.9), "5 to 60 mm"),
        (("head", 60.1), "5 to 60 mm"),
        (("tail", 30.0, "hypo", False, ("celiac_artery", 90.0)), "can't touch 'celiac_artery'"),
        (("head", 30.0, "hypo", False, ("veins", 361.0)), "0 to 360"),
        (("head", 15.0, "hypo", False, ("veins", 90.0)), "too small to touch"),
    ],
)
def test_an_impossible_plan_is_refused(arguments, message):
    with pytest.raises(ConfigError, match=message):
        TumourPlan(*arguments)


def test_only_the_planned_vessel_is_touched():
    plan = TumourPlan("body", 30.0, contact=("celiac_artery", 200.0))
    assert plan.contact_deg("celiac_artery") == 200.0
    assert plan.contact_deg("veins") == 0.0


def test_drawn_tumours_are_mostly_dark_and_in_the_head():
    rng = np.random.default_rng(0)
    plans = [draw_tumour(rng) for _ in range(400)]
    assert 0.58 < np.mean([plan.site == "head" for plan in plans]) < 0.72
    assert np.mean([plan.attenuation == "hypo" for plan in plans]) > 0.65
    assert 20 < np.median([plan.diameter_mm for plan in plans]) < 35
    touching = [plan for plan in plans if plan.contact]
    assert 0.2 < len(touching) / len(plans) < 0.5
    assert all(plan.contact[0] in REACHABLE[plan.site] for plan in touching)
