"""What a preset is."""

import itertools

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.inference.presets import PRESETS, SMALLEST_STEP, Preset
from wirsung.inference.sliding_window import tile_starts

MODELS = [
    ((64, 64, 64), (3.0, 3.0, 3.0)),
    ((48, 192, 160), (3.0, 0.8, 0.8)),
    ((1, 256, 256), (1.0, 0.7, 0.7)),
]


def test_exact_is_nnunets_way():
    assert PRESETS["exact"] == Preset(0.5)
    assert PRESETS["exact"].steps((64, 8, 1), (1.0, 1.0, 1.0)) == (0.5, 0.5, 0.5)


@pytest.mark.parametrize(("patch", "spacing_mm"), MODELS)
def test_a_faster_preset_lays_no_more_tiles(patch, spacing_mm):
    steps = [PRESETS[name].steps(patch, spacing_mm) for name in ("exact", "balanced", "fast")]
    assert all(
        one <= other
        for before, after in itertools.pairwise(steps)
        for one, other in zip(before, after, strict=True)
    )


@given(tile=st.integers(8, 200), mm=st.floats(0.5, 5), context_mm=st.floats(1, 40), size=st.integers(8, 600))
def test_every_voxel_has_its_context_unless_half_a_tile_is_less(tile, mm, context_mm, size):
    size = max(size, tile)
    step = Preset(0.9, context_mm).steps((tile,) * 3, (mm,) * 3)[0]
    starts = tile_starts((size,) * 3, (tile,) * 3, step)[0]
    # Distance to the nearer end of the tile that holds a voxel deepest; an image's own border counts as none.
    depths = [
        max(
            min(voxel - at if at else size, at + tile - voxel if at + tile < size else size)
            for at in starts
            if at <= voxel <= at + tile
        )
        for voxel in range(size + 1)
    ]
    half_overlap = (1 - max(step, SMALLEST_STEP)) * tile / 2
    assert min(depths) >= min(context_mm / mm, half_overlap, tile / 4) - 2


def test_a_step_that_somebody_chose_holds_whatever_the_model():
    chosen = PRESETS["balanced"].with_step(0.3)
    assert chosen.steps((64, 64, 8), (3.0, 3.0, 3.0)) == (0.3, 0.3, 0.3)
    assert chosen.region == PRESETS["balanced"].region
    assert PRESETS["fast"].with_step(None) == PRESETS["fast"]
