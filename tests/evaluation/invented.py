"""Evaluations of invented numbers, for the tests of pages: as many cases as one likes, without a scan."""

from collections.abc import Sequence
from pathlib import Path

import numpy as np

from wirsung.anatomy.schemes import scheme
from wirsung.anatomy.structures import structures
from wirsung.datasets.layout import Case
from wirsung.evaluation.case import LESION, LESION_PROBABILITY
from wirsung.evaluation.cohort import Cohort
from wirsung.evaluation.evaluated import Evaluated
from wirsung.evaluation.inputs import Method, Reference
from wirsung.evaluation.protocol import Protocol, unit_of
from wirsung.evaluation.scores import Score, Scores
from wirsung.evaluation.summary import find
from wirsung.imaging.nifti_writing import write_nifti
from wirsung.imaging.volume import Volume

PROTOCOL = Protocol(
    "short",
    "Short",
    (2.0,),
    True,
    ("dsc", "nsd", "hd95", "volume_ml", "reference_volume_ml"),
    ("dsc", "hd95"),
)
AFFINE = np.diag([-0.8, -0.8, 2.5, 1.0])
SHAPE = (200, 160, 4)


def invented(
    count: int,
    *,
    folder: Path = Path("nowhere"),
    methods: Sequence[str] = ("ours",),
    names: Sequence[str] | None = None,
) -> Evaluated:
    """Case k of `count` has the k-th lowest pancreas DSC of the first method; every second has a lesion.

    Args:
        count: Cases.
        folder: Of the scans; they need not be there.
        methods: Their names.
        names: The structures; by default all of PanTS.
    """
    generator = np.random.default_rng(0)
    cases = [f"case_{k:05d}" for k in range(count)]
    names = tuple(names or structures())
    rows = []
    for method in methods:
        for structure in names:
            values = _values(generator, count, structure, method == methods[0])
            for metric in PROTOCOL.metric_names:
                numbers = zip(cases, values[metric].tolist(), strict=True)
                rows += [
                    Score(case, structure, metric, value, unit_of(metric), None, "short", method)
                    for case, value in numbers
                ]
        if LESION in names:
            found = generator.random(count) + 0.5 * (np.arange(count) % 2)
            rows += [
                Score(case, LESION, LESION_PROBABILITY, value / 1.5, "1", None, "short", method)
                for case, value in zip(cases, found.tolist(), strict=True)
            ]
    scores = Scores(rows)
    found_all = find(scores, methods, PROTOCOL, cohort=Cohort(), seed=0, by_probability=True)
    reference = Reference(
        "reference",
        {case: _case(folder, case) for case in cases},
        centres={case: f"centre-{k % 4}" for k, case in enumerate(cases)},
    )
    opened = tuple(Method(name, folder / name, scheme("pants-28"), None) for name in methods)
    command = f"wirsung evaluate reference {methods[0]}"
    return Evaluated(
        reference, opened, PROTOCOL, tuple(cases), scores, found_all, (), {}, seed=0, command=command
    )


def write_scans(evaluated: Evaluated, cases: Sequence[str]) -> None:
    """Noise with a box of pancreas, and each method's label map moved by some voxels."""
    generator = np.random.default_rng(0)
    value = scheme("pants-28").values_within("pancreas")[0]
    box = np.zeros(SHAPE, dtype=np.uint8)
    box[40:120, 50:90, 1:3] = 1
    for case in cases:
        place = evaluated.reference.cases[case]
        noise = generator.normal(40, 60, SHAPE).astype(np.int16)
        write_nifti(place.image_path, Volume(noise, AFFINE))
        write_nifti(place.mask_path("pancreas"), Volume(box.astype(bool), AFFINE))
        for steps, method in enumerate(evaluated.methods, 3):
            moved = np.roll(box, steps, axis=0) * np.uint8(value)
            write_nifti(method.folder / f"{case}.nii.gz", Volume(moved, AFFINE))


def _values(
    generator: np.random.Generator, count: int, structure: str, is_first: bool
) -> dict[str, np.ndarray]:
    reference = generator.lognormal(4, 0.3, count) * (structure != LESION or np.arange(count) % 2)
    dsc = generator.beta(8, 2, count)
    if structure == "pancreas" and is_first:
        dsc = np.linspace(0.3, 0.95, count)
    return {
        "dsc": dsc,
        "nsd_2mm": generator.beta(6, 3, count),
        "hd95": generator.lognormal(1.5, 1, count),
        "volume_ml": np.maximum(reference + generator.normal(-2, 5, count), 0),
        "reference_volume_ml": reference,
    }


def _case(folder: Path, name: str) -> Case:
    return Case(name, "train", "ct", folder / "ImageTr" / name, folder / "LabelTr" / name)
