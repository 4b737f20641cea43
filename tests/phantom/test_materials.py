"""Every tissue has a look, and patients scatter around the table."""

import numpy as np
import pytest

from wirsung.phantom.materials import LESION_HU, MATERIALS, PHASES, draw_hu, draw_signals, table_of, textures
from wirsung.phantom.tissues import LESION, Tissue

# Typed in anew from the literature's round figures: non-contrast, arterial, venous, delayed.
EXPECTED = {
    "arteries": (40, 300, 150, 110),
    "liver": (55, 65, 110, 95),
    "pancreas": (40, 100, 90, 70),
    "spleen": (50, 120, 125, 105),
    "veins": (40, 70, 160, 115),
    "pancreatic juice": (10, 10, 10, 10),
    "bile": (10, 10, 10, 10),
    "urine": (5, 5, 5, 8),
    "lung": (-850, -850, -850, -850),
    "fat": (-100, -100, -100, -100),
    "cortical bone": (700, 700, 700, 700),
}


def _draws(phase, attenuation=None, count=300):
    drawn = [draw_hu(phase, attenuation, np.random.default_rng(seed)) for seed in range(count)]
    return {name: np.array([patient[name] for patient in drawn]) for name in drawn[0]}


def test_every_tissue_has_exactly_one_material():
    listed = [tissue for item in MATERIALS.values() for tissue in item.tissues]
    assert sorted([*listed, *LESION]) == sorted(Tissue)
    codes = [int(tissue) for tissue in Tissue]
    table = table_of(draw_hu("venous", "hypo", np.random.default_rng(0)))
    assert np.isfinite(table[codes]).all()
    assert np.isnan(table[~np.isin(np.arange(256), codes)]).all()
    assert (textures()[codes] >= 0).all()


@pytest.mark.parametrize("phase", PHASES)
def test_the_mean_patient_has_the_ct_numbers_of_the_phase(phase):
    drawn = _draws(phase)
    for name, expected in EXPECTED.items():
        # The mean of 300 patients is within 4 standard errors.
        assert drawn[name].mean() == pytest.approx(
            expected[PHASES.index(phase)], abs=4 * drawn[name].std() / 300**0.5
        )


@pytest.mark.parametrize("attenuation", LESION_HU)
def test_a_lesion_differs_from_its_own_patients_pancreas_as_it_is_called(attenuation):
    drawn = _draws("venous", attenuation, 50)
    difference = drawn["lesion"] - drawn["pancreas"]
    assert {
        "hypo": -40 < difference.max() < -25,
        "iso": (difference == 0).all(),
        "hyper": difference.min() > 25,
    }[attenuation]


def test_without_a_tumour_there_is_no_lesion_signal():
    signals = draw_hu("venous", None, np.random.default_rng(0))
    assert "lesion" not in signals
    assert np.isnan(table_of(signals)[list(LESION)]).all()


def test_mr_signals_are_ordered_as_t1_and_t2_order_them():
    t1 = draw_signals("t1", "hypo", np.random.default_rng(0))
    t2 = draw_signals("t2", "hypo", np.random.default_rng(0))
    assert t1["pancreas"] == max(value for name, value in t1.items())
    assert t1["lesion"] < 0.7 * t1["pancreas"]
    for fluid in ("pancreatic juice", "bile", "urine"):
        assert t1[fluid] < 0.35 * t1["pancreas"]
        assert t2[fluid] > 2 * t2["pancreas"]
    assert t2["lesion"] > t2["pancreas"] > t2["liver"]
