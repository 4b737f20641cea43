"""Lesions are as long as planned, where planned, and touch what is planned."""

import numpy as np
import pytest
from scipy.ndimage import binary_dilation, binary_erosion, label
from scipy.spatial.distance import pdist

from wirsung.phantom.body import build_body
from wirsung.phantom.frame import Pose
from wirsung.phantom.gland import gland
from wirsung.phantom.grid import Grid
from wirsung.phantom.lesion import CONTACTS, place_lesion
from wirsung.phantom.patient import draw_patient
from wirsung.phantom.tumour import TumourPlan
from wirsung.phantom.vessels import vessels


def _body(seed, plan, spacing=1.0, count=80):
    patient = draw_patient(np.random.default_rng(seed), tumour=plan)
    pose = Pose(patient)
    lesion = place_lesion(patient.tumour, gland(patient), vessels(patient), pose)
    centre = lesion.blob.centre
    if plan.contact:
        centre = pose.to_patient(np.array([CONTACTS[plan.site, plan.contact[0]][1]], dtype=float))[0]
    return build_body(patient, Grid.centred((count, count, count), (spacing,) * 3, 0.0, tuple(centre)))


def _longest(mask, spacing):
    shell = mask & ~binary_erosion(mask)
    return pdist(np.argwhere(shell)).max() * spacing


@pytest.mark.parametrize("site", ["head", "body", "tail"])
@pytest.mark.parametrize("diameter", [8.0, 24.0, 60.0])
def test_a_lesion_is_as_long_as_planned_and_at_its_site(site, diameter):
    for seed in (0, 1)[: 1 + (diameter < 30)]:
        body = _body(seed, TumourPlan(site, diameter), count=int(diameter * 1.3) + 10)
        lesion = body.masks["pancreatic_lesion"]
        assert _longest(lesion, 1.0) == pytest.approx(diameter, abs=np.sqrt(3))
        assert body.truth.lesion_diameter_measured_mm == pytest.approx(_longest(lesion, 1.0))
        assert (body.truth.lesion_site, body.truth.lesion_diameter_mm) == (site, diameter)
        shares = {part: (lesion & body.masks[f"pancreas_{part}"]).sum() for part in ("head", "body", "tail")}
        if diameter < 25:
            assert max(shares, key=shares.get) == site
        assert shares[site] > 0
        pieces, _ = label(lesion)
        assert np.bincount(pieces.ravel())[1:].max() > 0.97 * lesion.sum()


def test_a_lesion_without_contact_touches_no_vessel():
    for seed, site in enumerate(("head", "body", "tail", "head")):
        body = _body(seed, TumourPlan(site, 30.0), count=50)
        around = binary_dilation(body.masks["pancreatic_lesion"])
        for vessel in ("superior_mesenteric_artery", "celiac_artery", "veins", "aorta", "postcava"):
            assert not (around & body.masks[vessel]).any()
        assert set(body.truth.contact_deg.values()) == {0.0}
        assert body.contact_deg("veins") == 0


def _circumference_touched(lesion, vessel, axis):
    """The largest part of the ring around a vessel that is ill, over the slices across a grid axis."""
    touched = 0.0
    for n in range(vessel.shape[axis]):
        pieces, count = label(np.take(vessel, n, axis))
        ill = np.take(lesion, n, axis)
        for number in range(1, count + 1):
            piece = pieces == number
            outline = np.argwhere(binary_dilation(piece) & ~piece)
            away = outline - np.argwhere(piece).mean(axis=0)
            bins = (np.degrees(np.arctan2(away[:, 1], away[:, 0])) // 10).astype(int) + 18
            hits = ill[tuple(outline.T)]
            share = [hits[bins == b].mean() for b in np.unique(bins)]
            touched = max(touched, 360 * float(np.mean(share)))
    return touched


@pytest.mark.parametrize(
    ("site", "vessel", "axis"),
    [
        ("head", "veins", 2),
        ("head", "superior_mesenteric_artery", 2),
        ("body", "superior_mesenteric_artery", 2),
        ("body", "celiac_artery", 1),
        ("body", "veins", 0),
    ],
)
@pytest.mark.parametrize("degrees", [60.0, 180.0, 360.0])
def test_a_lesion_touches_its_vessel_by_the_planned_angle(site, vessel, axis, degrees):
    body = _body(4, TumourPlan(site, 30.0, contact=(vessel, degrees)), spacing=0.4, count=70)
    lesion = body.masks["pancreatic_lesion"]
    assert _circumference_touched(lesion, body.masks[vessel], axis) == pytest.approx(degrees, abs=15)
    assert body.contact_deg(vessel) == pytest.approx(degrees, abs=15)
    assert body.truth.contact_deg[vessel] == degrees
    others = {"superior_mesenteric_artery", "celiac_artery", "veins"} - {vessel}
    assert all(body.contact_deg(other) == 0 for other in others)


@pytest.mark.parametrize(("site", "vessel"), list(CONTACTS))
def test_a_lesion_with_contact_is_no_longer_than_planned(site, vessel):
    for seed in (0, 1):
        body = _body(seed, TumourPlan(site, 25.0, contact=(vessel, 300.0)), count=60)
        assert _longest(body.masks["pancreatic_lesion"], 1.0) == pytest.approx(25.0, abs=np.sqrt(3))


def test_a_lesion_smaller_than_a_voxel_still_has_one():
    patient = draw_patient(np.random.default_rng(0), tumour=TumourPlan("head", 5.0))
    body = build_body(patient, Grid.centred((40, 40, 20), (8.0, 8.0, 12.0)))
    assert body.masks["pancreatic_lesion"].any()
