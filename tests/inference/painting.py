"""Coarse logits painted onto a finer grid by the kernels, and what PyTorch interpolates."""

import dataclasses
from itertools import pairwise

import numpy as np
import torch
from hypothesis import strategies as st

from wirsung.inference.export import Export, Meaning, export_slabs
from wirsung.inference.sliding_window import Slab
from wirsung.models.preprocessing import Placement

AXES = st.tuples(st.integers(1, 9), st.integers(1, 24))
"""Samples of an axis, and voxels."""


def painted(how, logits, fine, *, regions=False, wanted=None, cuts=(), threads=1):
    plans, configuration = how
    configuration = dataclasses.replace(configuration, spacing_mm=(2.0, 2.0, 2.0))
    placement = Placement((1.0, 1.0, 1.0), fine, tuple((0, size) for size in fine))
    count = len(logits) + regions
    meaning = Meaning(np.arange(count, dtype=np.uint8) * 3, regions)
    bounds = [0, *cuts, logits.shape[1]]
    slabs = []
    for first, stop in pairwise(bounds):
        start = max(0, first - 1)
        slabs.append(Slab(start, first - start, logits[:, start:stop]))
    job = Export(placement, configuration, tuple(logits.shape[1:]), meaning, wanted)
    return export_slabs(slabs, job, plans, threads=threads)


def interpolated(logits, fine):
    zoomed = torch.nn.functional.interpolate(logits[None].double(), fine, mode="trilinear")[0]
    return zoomed.numpy()
