"""The leak check over 36,390 fingerprints with 200 planted copies.

The fingerprints are those of volumes, each computed from voxels: phantoms, bent, scaled and scanned over
another range until they are other patients. The copies are made as people make them: saved anew, turned,
cropped by 10 slices, resampled, and all of it at once; of phantoms, and of the real CT where there is one.

    .venv/bin/python benchmarks/leaks.py                # about 15 minutes, nearly all to make the scans
    .venv/bin/python benchmarks/leaks.py --scans 1200 --copies 40 --phantoms 40     # a minute; another name
"""

import argparse
import resource
import tempfile
import time
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from itertools import pairwise
from pathlib import Path

import numpy as np
from recording import ROOT, record
from scipy import ndimage

from wirsung.compute.cases import default_workers
from wirsung.datasets.fingerprint import Fingerprint, fingerprint
from wirsung.datasets.near_duplicates import NEAR, Profiles, find_near, unlikeness
from wirsung.imaging.arrays import Voxels
from wirsung.imaging.compiled import compiled
from wirsung.imaging.nifti import read_image, write_nifti
from wirsung.imaging.orientation import ALL_CODES, reorient
from wirsung.imaging.volume import Volume
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

GRID = np.array([6.0, 6.0, 5.0])
REAL_CT = ROOT.parent / "shared" / "data" / "ct_abdomen" / "ct.nii.gz"


@compiled
def bend(voxels: Voxels, start: Voxels, step: Voxels, lattice: Voxels, out: Voxels) -> None:
    """Sample `voxels` at `start + step * place` plus what the lattice says there, trilinearly."""
    ci, cj, ck = (
        (lattice.shape[1] - 1) / out.shape[0],
        (lattice.shape[2] - 1) / out.shape[1],
        (lattice.shape[3] - 1) / out.shape[2],
    )
    for i in range(out.shape[0]):
        for j in range(out.shape[1]):
            for k in range(out.shape[2]):
                x = start[0] + step[0] * i + _between(lattice[0], i * ci, j * cj, k * ck)
                y = start[1] + step[1] * j + _between(lattice[1], i * ci, j * cj, k * ck)
                z = start[2] + step[2] * k + _between(lattice[2], i * ci, j * cj, k * ck)
                out[i, j, k] = _between(voxels, x, y, z)


@compiled
def _between(values: Voxels, x: float, y: float, z: float) -> float:
    x = min(max(x, 0.0), values.shape[0] - 1.001)
    y = min(max(y, 0.0), values.shape[1] - 1.001)
    z = min(max(z, 0.0), values.shape[2] - 1.001)
    i, j, k = int(x), int(y), int(z)
    a, b, c = x - i, y - j, z - k
    near = (1 - b) * ((1 - c) * values[i, j, k] + c * values[i, j, k + 1])
    near += b * ((1 - c) * values[i, j + 1, k] + c * values[i, j + 1, k + 1])
    far = (1 - b) * ((1 - c) * values[i + 1, j, k] + c * values[i + 1, j, k + 1])
    far += b * ((1 - c) * values[i + 1, j + 1, k] + c * values[i + 1, j + 1, k + 1])
    return (1 - a) * near + a * far


def other_patient(volume: Volume, seed: int) -> Volume:
    """Another body: up to 15 % larger or smaller along each axis, bent by a centimetre, scanned elsewhere."""
    rng = np.random.default_rng([7, seed])
    scale = rng.uniform(0.85, 1.15, 3)
    length_mm = np.array(volume.shape) * volume.spacing_mm
    length_mm[2] -= rng.uniform(0, 120)
    shape = np.maximum(length_mm / GRID, 12).astype(int)
    step = GRID / volume.spacing_mm * scale
    middle = (np.array(volume.shape) - 1) / 2 + [0, 0, rng.uniform(-8, 8)]
    lattice = rng.normal(0, rng.uniform(1.5, 3.5), (3, 5, 5, 6))
    voxels = np.zeros(shape, np.float32)
    bend(
        volume.voxels.astype(np.float32),
        middle - step * (shape - 1) / 2,
        step,
        lattice.astype(np.float32),
        voxels,
    )
    voxels += rng.normal(0, 10, shape)
    return Volume(np.rint(voxels).astype(np.int16), np.diag([*GRID, 1.0]))


def resampled(volume: Volume, rng: np.random.Generator) -> Volume:
    voxels = ndimage.zoom(
        volume.voxels.astype(np.float32),
        rng.uniform(0.6, 1.5, 3),
        order=int(rng.choice([0, 1, 3])),
        mode="nearest",
        grid_mode=True,
    )
    affine = volume.affine.copy()
    affine[:3, :3] = affine[:3, :3] / (np.array(voxels.shape) / volume.shape)
    return Volume(np.rint(voxels).astype(np.int16), affine)


def cropped(volume: Volume, rng: np.random.Generator) -> Volume:
    low = int(rng.integers(0, 11))
    return Volume(volume.voxels[:, :, low : volume.shape[2] - (10 - low)], volume.affine)


def saved_anew(volume: Volume, rng: np.random.Generator) -> Volume:
    affine = volume.affine.copy()
    affine[:3, 3] += rng.uniform(-200, 200, 3)
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "copy.nii.gz"
        write_nifti(path, Volume(volume.voxels.astype(np.float32), affine))
        return read_image(path)


def turned(volume: Volume, rng: np.random.Generator) -> Volume:
    return reorient(volume, ALL_CODES[rng.integers(48)])


def clipped(volume: Volume, rng: np.random.Generator) -> Volume:
    low, high = ((-1000, 1000), (-200, 300), (-160, 240))[rng.integers(3)]
    return volume.with_voxels(np.clip(volume.voxels, low, high))


def all_at_once(volume: Volume, rng: np.random.Generator) -> Volume:
    return turned(resampled(cropped(volume, rng), rng), rng)


KINDS = (saved_anew, turned, cropped, resampled, clipped, all_at_once)


def marks_of(base: Path, seeds: range) -> list[Fingerprint]:
    volume = reorient(read_image(base), "RPS")
    made = (fingerprint(other_patient(volume, seed), is_ct=True) for seed in seeds)
    return [item for item in made if item is not None]


def patients(bases: list[Path], count: int) -> Iterator[Fingerprint]:
    """That many scans of as many patients."""
    bounds = np.linspace(0, count, 8 * len(bases) + 1).astype(int)
    jobs = [(bases[number % len(bases)], range(*pair)) for number, pair in enumerate(pairwise(bounds))]
    with ProcessPoolExecutor(default_workers()) as pool:
        for found in pool.map(marks_of, *zip(*jobs, strict=True)):
            yield from found


def planted(bases: list[Path], count: int) -> Iterator[tuple[str, Fingerprint, Fingerprint]]:
    """Kind, original and copy."""
    rng = np.random.default_rng(3)
    for number in range(count):
        base = REAL_CT if REAL_CT.is_file() and number < len(KINDS) else bases[number % len(bases)]
        kind = KINDS[number % len(KINDS)]
        volume = reorient(read_image(base), "RPS")
        if base != REAL_CT and number >= len(bases):
            msg = "--phantoms must be at least --copies: each copy has an original of its own"
            raise SystemExit(msg)
        yield kind.__name__, *(fingerprint(item, is_ct=True) for item in (volume, kind(volume, rng)))


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--scans", type=int, default=36390)
    parser.add_argument("--copies", type=int, default=200)
    parser.add_argument("--phantoms", type=int, default=200)
    asked = parser.parse_args()
    with tempfile.TemporaryDirectory() as folder:
        settings = PhantomSettings(
            Path(folder), cases=asked.phantoms, centres=5, seed=11, workers=default_workers()
        )
        phantom(settings)
        bases = sorted(Path(folder).glob("*/ct.nii.gz"))
        copies = list(planted(bases, asked.copies))
        marks = list(patients(bases, asked.scans - 2 * len(copies)))
    first = len(marks)
    for _, original, copy in copies:
        marks += [original, copy]
    # A real CT is planted in six ways, so all its seven scans are each other's copies; so are the originals.
    same_real = set(range(first, first + 2 * len(KINDS))) if REAL_CT.is_file() else set()
    profiles = Profiles.of(marks)
    del marks
    find_near(Profiles.of([copies[0][1], copies[0][2]]))  # compile
    before = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    started = time.perf_counter()
    found = find_near(profiles)
    search_s = time.perf_counter() - started
    pairs = {(pair.one, pair.other) for pair in found}
    wanted = {(first + 2 * n, first + 2 * n + 1): copies[n][0] for n in range(len(copies))}
    false = [pair for pair in pairs if pair not in wanted and not same_real.issuperset(pair)]
    missed = [kind for pair, kind in wanted.items() if pair not in pairs]
    farthest = {
        kind: round(max(unlikeness(a, b) for name, a, b in copies if name == kind), 4)
        for kind in {name for name, _, _ in copies}
    }
    record(
        "leaks" if asked.scans >= 36390 else "leaks_small",
        {
            "fingerprints": len(profiles),
            "levels": len(profiles.levels),
            "profiles_mb": round(profiles.levels.nbytes / 1e6),
            "search_s": round(search_s, 2),
            "search_memory_mb": round((resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1e3),
            "planted": len(wanted),
            "found": len(wanted) - len(missed),
            "missed": missed,
            "false_pairs": len(false),
            "threshold": NEAR,
            "farthest_copy": farthest,
            "closest_false": round(
                min((p.unlikeness for p in found if (p.one, p.other) in false), default=-1), 4
            ),
        },
    )


if __name__ == "__main__":
    main()
