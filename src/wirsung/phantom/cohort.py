"""The stage `phantom`: a cohort of synthetic scans in the layout of raw data, with its truth beside it.

OUT/metadata.csv, OUT/truth.json
OUT/<case>/ct.nii.gz (t1, t2; mr where randomised)  or  OUT/<case>/dicom/IM0001 ...
OUT/<case>/segmentations/<structure>.nii.gz
OUT/<case>/reader-2/<structure>.nii.gz   where further readers are asked for
"""

import shutil
import tempfile
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import numpy as np

from wirsung.compute.atomic import write_json
from wirsung.compute.cases import Outcome, Skip, map_cases
from wirsung.errors import StorageError
from wirsung.imaging.arrays import Mask
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.phantom.appearance import Scene, ct_image
from wirsung.phantom.body import Body, build_body
from wirsung.phantom.centres import image_grid
from wirsung.phantom.dicom_writing import SeriesHeader, write_series
from wirsung.phantom.materials import draw_hu, draw_signals
from wirsung.phantom.mr import draw_bias, mr_image
from wirsung.phantom.plans import CasePlan, plan_case, plan_tumour
from wirsung.phantom.randomised.image import randomised_grid, randomised_image, randomised_plan
from wirsung.phantom.readers import read_case
from wirsung.phantom.settings import PhantomSettings
from wirsung.phantom.truth import TRUTH_FILE, Record, case_record, read_record, write_truth

_PARTIAL = ".partial-"
_WRITERS = 4  # at most so many masks in memory
_Task = tuple[PhantomSettings, int]


def phantom(settings: PhantomSettings) -> list[Outcome[Record]]:
    """Write the cohort that the settings describe; each outcome carries the truth of its case.

    Finished cases of the same settings are skipped, those of other settings made anew, and those beyond the
    number of cases removed. No half case is ever left: a case gets its name when it is whole.

    Raises:
        ConfigError: The settings ask for a tumour that can't be.
        StorageError: The folder can't be written.
    """
    plan_tumour(settings, np.random.default_rng(0))  # what can't be is said once, not per case
    tasks = {f"phantom_{number:04d}": (settings, number) for number in range(1, settings.cases + 1)}
    _prepare(settings.out, tasks.keys())
    outcomes = map_cases(
        _make, tasks, workers=settings.workers, description="phantom", cluster=settings.cluster
    )
    write_truth(settings, {item.case: item.value for item in outcomes if item.value is not None})
    return outcomes


def _prepare(out: Path, wanted: Any) -> None:  # noqa: ANN401 - a set of names
    """Remove what killed runs left, and our own cases that are not wanted any more."""
    try:
        out.mkdir(parents=True, exist_ok=True)
        for folder in out.iterdir():
            ours = folder.name.startswith("phantom_") and read_record(folder) is not None
            if folder.name.startswith(_PARTIAL + "phantom_") or (ours and folder.name not in wanted):
                shutil.rmtree(folder)
    except OSError as error:
        raise _storage_error(out, error) from error


def _make(task: _Task) -> Record:
    settings, number = task
    plan = randomised_plan(settings, plan_case(settings, number))
    finished = read_record(settings.out / plan.id)
    if finished is not None and finished.get("fingerprint") == settings.fingerprint():
        raise Skip(finished)
    if finished is None and (settings.out / plan.id).exists():
        msg = (
            f"{settings.out / plan.id} exists and is no phantom case. Move it away, or choose another output."
        )
        raise StorageError(msg)
    with _whole_folder(settings.out / plan.id) as folder:
        body = build_body(plan.patient, randomised_grid(settings, plan, image_grid(settings, plan.centre)))
        image, look = _image(settings, plan, body)
        _write_image(settings, plan, Volume(image, body.grid.affine), folder)
        volumes_ml = _write_masks(body, folder / "segmentations")
        look["readers"] = _write_readers(settings, number, body, folder)
        grid = {"shape": list(body.grid.shape), "affine": body.grid.affine.tolist()}
        record = {**case_record(settings, plan, body, volumes_ml), **look, "grid": grid}
        write_json(folder / TRUTH_FILE, record)
    return record


@contextmanager
def _whole_folder(final: Path) -> Iterator[Path]:
    """A temporary folder beside `final` that becomes it when the block ends well, and vanishes otherwise."""
    partial = _temporary(final)
    try:
        yield partial
        partial.chmod(0o755)
        if final.exists():
            old = _temporary(final)
            final.replace(old)
            shutil.rmtree(old, ignore_errors=True)
        partial.replace(final)
    except OSError as error:
        raise _storage_error(final, error) from error
    finally:
        shutil.rmtree(partial, ignore_errors=True)


def _temporary(final: Path) -> Path:
    return Path(tempfile.mkdtemp(prefix=f"{_PARTIAL}{final.name}-", dir=final.parent))


def _storage_error(path: Path, error: OSError) -> StorageError:
    reason = error.strerror or type(error).__name__
    return StorageError(f"{path}: can't be written ({reason}). Free some space, or choose another output.")


def _image(settings: PhantomSettings, plan: CasePlan, body: Body) -> tuple[Any, Record]:
    """The voxels, and what is known of their look."""
    if settings.randomise:
        return randomised_image(settings, plan, body)
    tumour = plan.patient.tumour
    attenuation = tumour.plan.attenuation if tumour else None
    look, noise = np.random.default_rng([settings.seed, 6, plan.number]).spawn(2)
    scene = Scene(body.tissue, body.grid.spacing_mm)
    if settings.modality == "ct":
        signals = draw_hu(plan.phase, attenuation, look)
        voxels = ct_image(scene, signals, plan.centre, noise)
        return voxels, {"hu": signals, "noise_hu": plan.centre.noise_hu}
    signals = draw_signals(settings.modality, attenuation, look)
    bias = draw_bias(look)
    voxels = mr_image(scene, signals, bias, plan.centre, noise)
    return voxels, {"signals": signals, "bias": bias, "noise_fraction": plan.centre.noise_fraction}


def _write_image(settings: PhantomSettings, plan: CasePlan, volume: Volume, folder: Path) -> None:
    if settings.format == "nifti":
        write_nifti(folder / f"{settings.image_name}.nii.gz", volume)
        return
    header = SeriesHeader(
        seed=settings.seed,
        number=plan.number,
        modality=settings.modality,
        phase=plan.phase,
        sex=plan.patient.sex,
        age_years=plan.patient.age_years,
        centre_number=plan.centre.number,
        manufacturer=plan.centre.manufacturer,
    )
    (folder / "dicom").mkdir()
    write_series(folder / "dicom", volume, header)


def _write_masks(body: Body, folder: Path) -> dict[str, float]:
    """Write all structures, and say how large each is, in ml."""

    def write(structure: str) -> float:
        mask = body.masks[structure]
        write_nifti(folder / f"{structure}.nii.gz", Volume(mask, body.grid.affine))
        return float(np.count_nonzero(mask)) * body.grid.voxel_volume_mm3 / 1000

    # A small file takes longer to reach the disk than to make, so that they go there side by side.
    with ThreadPoolExecutor(_WRITERS) as writers:
        return dict(zip(body.masks, writers.map(write, body.masks), strict=True))


def _write_readers(settings: PhantomSettings, number: int, body: Body, folder: Path) -> Record:
    """Write the further readers' masks; returns each one's Dice by structure, None where both are empty."""
    found: Record = {}
    for reader in range(2, settings.readers + 1):
        name = f"reader-{reader}"
        found[name] = {}
        seeds = (settings.seed, number, reader)
        drawn = read_case(body.masks, body.grid.spacing_mm, seeds=seeds, median_dsc=settings.reader_dsc)
        for structure, mask in drawn:
            write_nifti(folder / name / f"{structure}.nii.gz", Volume(mask, body.grid.affine))
            found[name][structure] = _dsc(body.masks[structure], mask)
    return found


def _dsc(reference: Mask, prediction: Mask) -> float | None:
    size = np.count_nonzero(reference) + np.count_nonzero(prediction)
    return round(2 * int(np.count_nonzero(reference & prediction)) / int(size), 6) if size else None
