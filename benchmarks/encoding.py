"""Processor time and size of a case's CT, 28 masks and codes, against nibabel and SimpleITK.

Promise: of one 512 x 512 x 300 case, the CT in at most 0.9 s and 28 masks in at most 0.4 s, exactly.
The masks can't be smaller than 2.13 MB: deflate spends two bits on 258 voxels at least.

    .venv/bin/python benchmarks/encoding.py
"""

import tempfile
import time
import zlib
from collections import defaultdict
from collections.abc import Callable
from pathlib import Path
from statistics import median
from typing import Any

import nibabel
import numpy as np
import SimpleITK
from recording import record

from wirsung.imaging.code_files import read_codes, write_codes, write_masks
from wirsung.imaging.code_volume import merge_masks
from wirsung.imaging.gzip_members import inflate
from wirsung.imaging.slab_reading import read_slab
from wirsung.imaging.slab_writing import write_slabs
from wirsung.imaging.volume import Volume
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

ROUNDS = 3
SLICES = 300
SLAB = (100, 228)
Taken = dict[str, list[float]]


class Case:
    """The CT, clipped to -1000 to 1000 HU, and the 28 masks of one phantom of full size."""

    def __init__(self, folder: Path) -> None:
        phantom(PhantomSettings(folder, cases=1, preset="full", seed=3))
        raw = next(folder.glob("*/ct.nii.gz")).parent
        self.affine = nibabel.load(raw / "ct.nii.gz").affine
        self.ct = self.read(raw / "ct.nii.gz", np.int16)
        np.clip(self.ct, -1000, 1000, out=self.ct)
        paths = sorted((raw / "segmentations").glob("*.nii.gz"))
        self.masks = {path.name.removesuffix(".nii.gz"): self.read(path, np.uint8) for path in paths}

    @staticmethod
    def read(path: Path, kind: type) -> np.ndarray:
        """The first slices, i fastest."""
        voxels = np.asanyarray(nibabel.load(path).dataobj)[:, :, :SLICES]
        return np.asfortranarray(voxels.astype(kind))

    def arrays(self) -> dict[str, np.ndarray]:
        """CT and masks by file name."""
        return {"ct": self.ct, **self.masks}


def by_nibabel(folder: Path, name: str, voxels: np.ndarray, affine: np.ndarray) -> None:
    nibabel.save(nibabel.Nifti1Image(voxels, affine), folder / f"{name}.nii.gz")


def by_simpleitk(folder: Path, name: str, voxels: np.ndarray, _: np.ndarray) -> None:
    SimpleITK.WriteImage(SimpleITK.GetImageFromArray(voxels.T), str(folder / f"{name}.nii.gz"), True)


def seconds(work: Callable[[], Any]) -> float:
    """Processor time of all threads, because other programs may run beside."""
    started = time.process_time()
    work()
    return time.process_time() - started


def write_ours(case: Case, folder: Path, taken: Taken) -> None:
    masks = [(name, Volume(mask.view(np.bool_), case.affine)) for name, mask in case.masks.items()]
    taken["write ct"].append(seconds(lambda: write_slabs(folder / "ct.nii.gz", Volume(case.ct, case.affine))))
    taken["merge 28 masks"].append(seconds(lambda: merge_masks(masks)))
    codes = merge_masks(masks)
    taken["write 28 masks"].append(seconds(lambda: write_masks(folder, codes)))
    taken["write codes"].append(seconds(lambda: write_codes(folder, codes)))
    taken["read codes"].append(seconds(lambda: read_codes(folder)))
    taken["one mask of the codes"].append(seconds(lambda: codes.mask("pancreas")))


def write_theirs(case: Case, folder: Path, taken: Taken) -> None:
    for peer, write in (("nibabel", by_nibabel), ("simpleitk", by_simpleitk)):
        place = folder / peer
        place.mkdir(exist_ok=True)
        taken[f"write ct, {peer}"].append(seconds(lambda: write(place, "ct", case.ct, case.affine)))  # noqa: B023
        taken[f"write 28 masks, {peer}"].append(
            sum(seconds(lambda: write(place, *item, case.affine)) for item in case.masks.items())  # noqa: B023
        )


def read_all(case: Case, folder: Path, taken: Taken) -> None:
    path = folder / "ct.nii.gz"
    stored = path.read_bytes()
    size = 352 + case.ct.nbytes
    taken["inflate and check ct"].append(seconds(lambda: inflate(stored, size, path)))
    taken["inflate and check ct, zlib"].append(seconds(lambda: zlib.decompressobj(31).decompress(stored)))
    taken["read ct, nibabel"].append(seconds(lambda: np.asanyarray(nibabel.load(path).dataobj)))
    taken["read ct, simpleitk"].append(seconds(lambda: SimpleITK.ReadImage(str(path))))
    taken["read 128 slices"].append(seconds(lambda: read_slab(path, *SLAB)))
    taken["read 128 slices, nibabel"].append(seconds(lambda: nibabel.load(path).dataobj[:, :, slice(*SLAB)]))
    taken["read 1 slice"].append(seconds(lambda: read_slab(path, 150, 151)))


def check(case: Case, folder: Path) -> int:
    """Files of ours that nibabel and SimpleITK both read back bit for bit."""
    for name, voxels in case.arrays().items():
        path = folder / f"{name}.nii.gz"
        itk = SimpleITK.GetArrayViewFromImage(SimpleITK.ReadImage(str(path))).T
        for found in (np.asanyarray(nibabel.load(path).dataobj), itk):
            if not np.array_equal(found, voxels):
                msg = f"{path} was not read back as it was written"
                raise SystemExit(msg)
    return len(case.arrays())


def megabytes(folder: Path, names: list[str]) -> float:
    return round(sum((folder / f"{name}.nii.gz").stat().st_size for name in names) / 1e6, 2)


def ratios(taken: Taken) -> dict[str, float]:
    """Median over the rounds of a peer's time by ours."""
    return {
        peer: round(median(b / a for a, b in zip(taken[peer.split(",")[0]], taken[peer], strict=True)), 1)
        for peer in taken
        if "," in peer and peer.split(",")[0] in taken
    }


def main() -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        case = Case(folder / "raw")
        write_ours(case, folder, defaultdict(list))  # once, so that nothing is compiled below
        taken: Taken = defaultdict(list)
        for _ in range(ROUNDS):
            write_ours(case, folder, taken)
            write_theirs(case, folder, taken)
            read_all(case, folder, taken)
        places = {"ours": folder, "nibabel level 1": folder / "nibabel", "simpleitk": folder / "simpleitk"}
        sizes = {
            f"{part}, {who}": megabytes(place, names)
            for who, place in places.items()
            for part, names in (("ct", ["ct"]), ("28 masks", list(case.masks)))
        }
        sizes["codes, ours"] = megabytes(folder, ["labels"])
        figures = {
            "shape": list(case.ct.shape),
            "masks": len(case.masks),
            "rounds": ROUNDS,
            "read_back_exactly_by_nibabel_and_simpleitk": check(case, folder),
            "processor_s": {key: round(median(times), 3) for key, times in taken.items()},
            "times_as_long": ratios(taken),
            "megabytes": sizes,
        }
        record("encoding", figures)


if __name__ == "__main__":
    main()
