from dataclasses import replace

import numpy as np
import pytest

from wirsung.datasets.catalog_tables import FingerprintRow, fingerprints_table
from wirsung.datasets.fingerprint import Fingerprint
from wirsung.datasets.layout import Dataset
from wirsung.datasets.leaks import Scan, Scans, find_leaks, has_fingerprints, leaks_table, same_scans
from wirsung.datasets.manifest import ManifestRow, write_manifest, write_table
from wirsung.datasets.near_duplicates import Profiles
from wirsung.datasets.release_metadata import read_release_metadata
from wirsung.datasets.release_rows import manifest_row
from wirsung.errors import ManifestError

GRID = {
    "shape_i": 512,
    "shape_j": 512,
    "shape_k": 90,
    "spacing_i_mm": 0.7,
    "spacing_j_mm": 0.7,
    "spacing_k_mm": 3.0,
}


def levels(seed, count=80):
    """A profile that goes up and down, none like the other."""
    rng = np.random.default_rng(seed)
    waves = rng.normal(0, 1, (count + 12, 64))
    smooth = np.stack([np.convolve(wave, np.hanning(12), "valid") for wave in waves.T], axis=1)
    return (50 + 30 * smooth[:count]).astype(np.float32)


def scan(case, dataset="one", mark="", values="", **row):
    return Scan(dataset, ManifestRow(case, row.pop("patient", case), **row), mark, values)


def scans(*items, profiles=None):
    return Scans(tuple(items), profiles or Profiles.empty(len(items)))


def kinds(found, sides):
    return [(leak.kind, leak.one.case, leak.other.case) for leak in find_leaks(found, sides)]


def test_the_same_voxels_on_two_sides_are_a_leak_and_on_one_side_are_none():
    found = scans(scan("a", mark="x"), scan("b", mark="x"), scan("c", mark="y"), scan("d", mark="x"))
    assert kinds(found, ["train", "train", "train", "test"]) == [("exact", "a", "d"), ("exact", "b", "d")]
    assert kinds(found, ["train"] * 4) == []


def test_the_same_values_in_another_order_say_that_a_header_is_wrong():
    found = scans(scan("a", mark="x", values="v"), scan("b", mark="y", values="v"))
    (leak,) = find_leaks(found, [0, 1])
    assert leak.kind == "exact"
    assert "one of the headers is wrong" in leak.detail


def test_near_duplicates_patients_and_leads_come_in_this_order_and_a_pair_once():
    profiles = Profiles.of(
        [Fingerprint(item, is_ct=True) for item in (levels(0), levels(1), levels(0)[8:], levels(3))]
    )
    found = scans(
        scan("a", patient="p", **GRID),
        scan("b", patient="q", **GRID),
        scan("c", "two", patient="p", **GRID),
        scan("d", "two", patient="q", **GRID),
        profiles=profiles,
    )
    assert kinds(found, ["one", "one", "two", "two"]) == [("near", "a", "c"), ("patient", "b", "d")]
    (near, _) = find_leaks(found, ["one", "one", "two", "two"])
    assert near.unlikeness < 0.01
    assert near.shift_mm == 24
    table = leaks_table([near]).to_pylist()
    assert (table[0]["case"], table[0]["other_dataset"], table[0]["shift_mm"]) == ("a", "two", 24)


def test_a_patient_that_is_only_called_after_its_case_is_no_code():
    assert kinds(scans(scan("case_1"), scan("case_1", "two")), ["one", "two"]) == []


def test_a_lead_needs_the_same_grid_and_nothing_that_tells_them_apart():
    own = [scan("a", age_years=60, sex="F", centre="x", **GRID)]
    others = {
        "same": scan("b", age_years=60, sex="F", centre="x", **GRID),
        "age": scan("b", age_years=61, sex="F", centre="x", **GRID),
        "unknown age": scan("b", sex="F", centre="x", **GRID),
        "centre": scan("b", age_years=60, sex="F", centre="y", **GRID),
        "grid": scan("b", age_years=60, sex="F", centre="x", **(GRID | {"shape_k": 91})),
        "no grid": scan("b", age_years=60, sex="F", centre="x"),
    }
    within = {name: bool(kinds(scans(*own, other), [0, 1])) for name, other in others.items()}
    assert [name for name, is_lead in within.items() if is_lead] == ["same"]
    across = {
        name: bool(kinds(scans(*own, replace(other, dataset="two")), [0, 1]))
        for name, other in others.items()
    }
    # Another dataset may not know the age, and calls its centres otherwise.
    assert [name for name, is_lead in across.items() if is_lead] == ["same", "unknown age", "centre"]


def test_axes_in_another_order_are_the_same_grid():
    turned = {"shape_i": 90, "shape_j": 512, "shape_k": 512, "spacing_i_mm": 3.0, "spacing_j_mm": 0.7}
    found = scans(scan("a", **GRID), scan("b", "two", **turned, spacing_k_mm=0.7))
    assert kinds(found, [0, 1]) == [("metadata", "a", "b")]


def test_the_released_table_of_pants_has_62_test_cases_with_a_lead_to_training(shared_data):
    """The number that was counted by hand from the table: shape, spacing, age, sex and site detail."""
    rows = read_release_metadata(shared_data / "pants_metadata" / "metadata.xlsx").rows
    items = []
    for row in rows:
        grid = dict(zip(("shape_i", "shape_j", "shape_k"), row.shape, strict=True))
        grid |= dict(zip(("spacing_i_mm", "spacing_j_mm", "spacing_k_mm"), row.spacing_mm, strict=True))
        items.append(Scan("PanTS", replace(manifest_row(row), **grid, centre=row.site_detail)))
    sides = [item.case > "PanTS_00009000" for item in items]
    leaks = find_leaks(scans(*items), sides)
    assert {leak.kind for leak in leaks} == {"metadata"}
    assert len({leak.other.case for leak in leaks}) == 62


def test_all_that_are_one_are_joined_by_pairs_enough():
    found = scans(*(scan(case, mark="x" if case in "ace" else case) for case in "abcde"))
    assert [(leak.one.case, leak.other.case) for leak in same_scans(found)] == [("a", "c"), ("a", "e")]


@pytest.fixture
def root(tmp_path):
    for case in "abc":
        (tmp_path / "ImageTr" / case).mkdir(parents=True)
    write_manifest(tmp_path, [ManifestRow(case, case) for case in "abc"])
    rows = [FingerprintRow(case, "", True, f"rps {case}", f"values {case}", None) for case in "ca"]
    write_table(tmp_path / "fingerprints.parquet", fingerprints_table(rows))
    return tmp_path


def test_a_dataset_is_read_with_those_cases_that_have_no_fingerprint(root):
    assert has_fingerprints(root)
    found = Scans.of(Dataset.open(root), "mine")
    assert [(item.case, item.rps_sha256) for item in found.scans] == [
        ("a", "rps a"),
        ("c", "rps c"),
        ("b", ""),
    ]
    assert found.without == ("b",)
    assert len(found.profiles) == 3


def test_a_dataset_that_was_not_catalogued_says_how(root):
    (root / "fingerprints.parquet").unlink()
    assert not has_fingerprints(root)
    with pytest.raises(ManifestError, match="wirsung catalog"):
        Scans.of(Dataset.open(root))
