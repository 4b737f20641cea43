"""A part of the logits exported to where it lies in the whole image."""

import numpy as np
import pytest
import torch
from tests.inference.conftest import PLANS

from wirsung.inference.cropping import export_of
from wirsung.inference.export import Export, Exported, Meaning, _MatrixPainter, export_slabs
from wirsung.inference.sliding_window import Slab
from wirsung.models.plans import parse_plans
from wirsung.models.preprocessing import Placement

PART = ((3, 12), (0, 9), (5, 20))


@pytest.mark.parametrize("full", [(41, 30, 37), (13, 17, 19)], ids=["finer", "coarser"])
@pytest.mark.parametrize("spacing", [(0.9, 0.9, 0.9), (6.0, 0.9, 0.9)], ids=["alike", "thick slices"])
@pytest.mark.parametrize("regions", [False, True])
@pytest.mark.parametrize("painter", ["cells", "matrices"])
def test_between_the_given_samples_the_labels_are_those_of_the_whole(full, spacing, regions, painter):
    plans = parse_plans(PLANS)
    placement = Placement(spacing, tuple(n + 3 for n in full), tuple((1, n + 1) for n in full))
    meaning = Meaning(np.arange(5 if regions else 4, dtype=np.uint8), regions)
    whole = Export(placement, plans.configuration("3d_fullres"), (16, 15, 20), meaning, wanted=2)
    logits = torch.randn((4, 16, 15, 20), generator=torch.Generator().manual_seed(0))
    if painter == "matrices":
        logits = logits.to(torch.float64)
    expected = _exported(logits, whole, plans, painter)
    how = export_of(whole, PART)
    made = _exported(logits[:, 3:12, 0:9, 5:20].clone(), how, plans, painter)
    inside = tuple(slice(*bounds) for bounds in how.placement.box)
    assert made.indices[inside].size > 0
    np.testing.assert_array_equal(made.indices[inside], expected.indices[inside])
    np.testing.assert_allclose(made.probability[inside], expected.probability[inside], atol=1e-6)
    outside = np.ones(made.indices.shape, bool)
    outside[inside] = False
    assert not made.indices[outside].any()
    # At the border of the samples, the voxels reach the border of the image.
    assert how.placement.box[1][0] == 1
    assert how.placement.box[2][1] == full[2] + 1


def _exported(logits, how, plans, painter):
    if painter == "cells":
        return export_slabs([Slab(0, 0, logits[:, :6]), Slab(5, 1, logits[:, 5:])], how, plans)
    slab = Slab(0, 0, logits)
    made = _MatrixPainter(how, logits)
    made.paint(slab, range(how.placement.cropped_shape[0]))
    return Exported(made.labels, made.shares)


def test_a_part_between_whose_samples_no_voxel_lies_is_none():
    placement = Placement((3.0, 3.0, 3.0), (4, 4, 4), ((0, 4),) * 3)
    whole = Export(
        placement, parse_plans(PLANS).configuration("3d_fullres"), (40, 40, 40), Meaning.of_classes(2)
    )
    assert export_of(whole, ((0, 2), (0, 40), (0, 40))) is None
