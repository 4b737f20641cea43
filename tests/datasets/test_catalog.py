import shutil
from dataclasses import replace

import numpy as np
import openpyxl
import pytest

from wirsung.cli import main
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.catalog_case import CatalogTask, catalog_case
from wirsung.datasets.catalog_found import files_sha256, read_found, write_found
from wirsung.datasets.catalog_tables import read_fingerprints, read_lesions
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import (
    ManifestRow,
    read_manifest,
    read_structures,
    rows_of_manifest,
    write_manifest,
)
from wirsung.errors import ManifestError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume
from wirsung.phantom.cohort import phantom
from wirsung.phantom.settings import PhantomSettings

AFFINE = np.diag([2.0, 2.0, 5.0, 1.0])
SHAPE = (120, 90, 20)


def write_case(root, case, seed=0, folder="Tr"):
    """A pancreas of 40 x 20 x 10 voxels, two lesions in it, of 3 x 1 x 2 voxels and of one."""
    rng = np.random.default_rng(seed)
    image = rng.integers(-100, 200, SHAPE).astype(np.int16)
    pancreas, lesion = np.zeros(SHAPE, bool), np.zeros(SHAPE, bool)
    pancreas[10:50, 10:30, 5:15] = True
    lesion[20:23, 20, 6:8] = lesion[40, 20, 10] = True
    image[lesion] = 30
    image[40, 20, 10] = 70
    write_nifti(root / f"Image{folder}" / case / "ct.nii.gz", Volume(image, AFFINE))
    masks = root / f"Label{folder}" / case / "segmentations"
    for name, mask in (("pancreas", pancreas), ("pancreatic_lesion", lesion)):
        write_nifti(masks / f"{name}.nii.gz", Volume(mask.astype(np.uint8), AFFINE))


@pytest.fixture
def root(tmp_path):
    folder = tmp_path / "dataset"
    for seed, case in enumerate(("a", "b", "c")):
        write_case(folder, case, seed)
    return folder


def run(root):
    return catalog(CatalogSettings(root))


def statuses(outcomes):
    return {item.case: item.status for item in outcomes}


def test_every_mask_and_lesion_gets_a_row_with_what_was_measured_by_hand(root):
    assert run(root).lines() == [f"3 scans, 6 structures and 6 lesions are in the tables of {root}."]
    structures = read_structures(root).to_pylist()
    pancreas, lesion = structures[:2]
    assert (pancreas["case"], pancreas["structure"]) == ("a", "pancreas")
    assert pancreas["volume_ml"] == pytest.approx(40 * 20 * 10 * 20 / 1000)
    assert [pancreas[f"box_{axis}{end}"] for axis in "ijk" for end in (0, 1)] == [10, 50, 10, 30, 5, 15]
    assert (lesion["components"], lesion["hu_mean"]) == (2, pytest.approx((6 * 30 + 70) / 7))
    first, second = read_lesions(root).to_pylist()[:2]
    assert first["volume_ml"] == pytest.approx(0.12)
    # Between the middles of outer faces: 3 voxels of 2 mm along i, 2 of 5 mm along k.
    assert first["axial_diameter_mm"] == pytest.approx(6.0)
    assert first["diameter_mm"] == pytest.approx(np.hypot(4.0, 10.0))
    assert (first["hu_mean"], first["hu_sd"]) == (30, 0)
    assert (second["lesion"], second["volume_ml"], second["hu_mean"]) == (2, pytest.approx(0.02), 70)
    manifest = read_manifest(root).to_pylist()
    assert [row["case"] for row in manifest] == ["a", "b", "c"]
    assert (
        manifest[0] | {"shape_k": 20, "spacing_k_mm": 5.0, "tumour": True, "has_labels": True} == manifest[0]
    )
    assert manifest[0]["structures"] == ["pancreas", "pancreatic_lesion"]
    assert len(set(read_fingerprints(root)["rps_sha256"].to_pylist())) == 3


def test_only_what_changed_is_measured_again(root):
    run(root)
    before = {path.name: path.read_bytes() for path in root.glob("*.parquet")}
    assert statuses(run(root)) == dict.fromkeys("abc", "skipped")
    assert {path.name: path.read_bytes() for path in root.glob("*.parquet")} == before
    write_case(root, "b", seed=7)
    write_case(root, "d", seed=8)
    shutil.rmtree(root / "ImageTr" / "c")
    again = run(root)
    assert statuses(again) == {"a": "skipped", "b": "done", "d": "done"}
    assert again.lines()[1:] == [
        "1 case holds other voxels than the tables said, which are mended: b.",
        "1 case is gone, as are the rows in the tables: c.",
    ]
    fresh = root.with_name("fresh")
    shutil.copytree(root, fresh, ignore=shutil.ignore_patterns("*.parquet"))
    run(fresh)
    for read in (read_structures, read_lesions, read_manifest):
        assert read(root).equals(read(fresh))


def test_a_damaged_case_fails_alone_and_its_old_rows_go(root):
    run(root)
    path = root / "ImageTr" / "b" / "ct.nii.gz"
    path.write_bytes(path.read_bytes()[:200])
    outcomes = run(root)
    assert statuses(outcomes) == {"a": "skipped", "b": "failed", "c": "skipped"}
    assert "ct.nii.gz" in outcomes[1].message
    assert set(read_structures(root)["case"].to_pylist()) == {"a", "c"}
    assert read_manifest(root)["case"].to_pylist() == ["a", "b", "c"]
    assert statuses(run(root))["b"] == "failed"


def test_masks_on_another_grid_are_refused(root):
    path = root / "LabelTr" / "a" / "segmentations"
    for name in ("pancreas", "pancreatic_lesion"):
        write_nifti(path / f"{name}.nii.gz", Volume(np.ones((3, 3, 3), np.uint8), AFFINE))
    outcomes = run(root)
    assert statuses(outcomes) == {"a": "failed", "b": "done", "c": "done"}
    assert "shape" in outcomes[0].message


def test_what_the_manifest_knew_stays(root):
    known = ManifestRow("b", "patient-7", centre="north", phase="venous", sex="F", age_years=61, tumour=False)
    write_manifest(root, [known])
    run(root)
    found = rows_of_manifest(root)
    kept = {name: getattr(found["b"], name) for name in ("patient", "centre", "phase", "sex", "age_years")}
    assert kept == {"patient": "patient-7", "centre": "north", "phase": "venous", "sex": "F", "age_years": 61}
    assert found["b"].tumour is False  # what the metadata say goes before what the masks hold
    assert found["b"].shape_i == 120
    assert found["a"].patient == "a"


def test_a_release_tells_of_its_cases_in_its_own_table(root):
    book = openpyxl.Workbook()
    header = (
        "PanTS ID | shape | spacing | ct phase | sex | age | manufacturer | manufacturer model | study type"
        " | site | site detail | site nationality | study year | tumor?"
    )
    book.active.append(header.split(" | "))
    values = ["(120, 90, 20)", "(2.0, 2.0, 5.0)", "Venous", "F", 44, "SIEMENS", "x", "y", "A", "Basel", "CH"]
    book.active.append(["a", *values, 2012, 1])
    book.save(root / "metadata.xlsx")
    run(root)
    row = rows_of_manifest(root)["a"]
    assert (row.phase, row.sex, row.age_years, row.manufacturer) == ("venous", "F", 44, "Siemens")
    assert (row.centre, row.tumour) == ("Basel", True)
    assert rows_of_manifest(root)["b"].phase is None


def test_what_a_killed_run_put_down_is_used(root):
    run(root)
    dataset = Dataset.open(root)
    case = dataset.case("b")
    write_case(root, "b", seed=9)
    mark = files_sha256(case, dataset.description)
    folder = root / ".catalog"
    # As if the run had been killed before it wrote the tables: a row that no measuring would give.
    catalog(CatalogSettings(root))
    shutil.copytree(root, root.with_name("whole"))
    rows = read_fingerprints(root).to_pylist()
    found = _found_of(dataset, rows[1], root)
    write_found(folder, replace(found, fingerprint=replace(found.fingerprint, files_sha256=mark)))
    (root / "fingerprints.parquet").unlink()
    outcomes = run(root)
    assert statuses(outcomes) == {"a": "done", "b": "skipped", "c": "done"}
    assert not folder.exists()
    assert read_fingerprints(root).equals(read_fingerprints(root.with_name("whole")))


def _found_of(dataset, row, root):
    """What was found of case b, put together from the tables."""
    task = CatalogTask(dataset.case("b"), row["files_sha256"], root / "elsewhere")
    catalog_case(task)
    return read_found(task.folder, "b")


def test_a_curated_dataset_keeps_its_tables(tmp_path):
    phantom(PhantomSettings(tmp_path / "raw", cases=2, seed=3))
    curate(CurateSettings(tmp_path / "raw", tmp_path / "made"))
    before = [read(tmp_path / "made") for read in (read_manifest, read_structures)]
    run(tmp_path / "made")
    assert [read(tmp_path / "made") for read in (read_manifest, read_structures)] == before


def test_the_command_line_says_what_failed(root, capsys):
    (root / "ImageTr" / "a" / "ct.nii.gz").write_bytes(b"no image")
    assert main(["catalog", str(root)]) == 1
    assert "3 cases: 2 done, 1 failed." in capsys.readouterr().out


def test_what_is_no_dataset_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="is not a dataset"):
        run(tmp_path)
