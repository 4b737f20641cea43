import openpyxl
import pytest

from wirsung.datasets.contents import contents_of, distinctly_named
from wirsung.datasets.release_metadata import COLUMNS
from wirsung.errors import ManifestError

HEADER = [titles[0] for titles in COLUMNS.values()]


def write_table(path, cases):
    book = openpyxl.Workbook()
    book.active.append(HEADER)
    for case in cases:
        told = ["(512, 333, 200)", "(0.625, 0.625, 0.8)", "Venous", "F", 66, "SIEMENS", None, None]
        book.active.append([case, *told, "1 Site", "Some Hospital", "US", 2000, 1])
    book.save(path)


def test_a_dataset_is_read_with_its_tables_and_its_provenance(small_dataset):
    found = contents_of(small_dataset(cases=3))
    assert (found.name, found.cases, found.has_manifest, found.is_described) == ("small", 3, True, True)
    assert found.structures.num_rows == 9
    assert [line["source"] for line in found.provenance] == ["dicom"] * 3
    assert (found.source, found.release, found.annotated) == (None, None, None)
    assert found.cohort().numbers["age_years"][1:].tolist() == [51, 52]


def test_a_case_that_was_curated_twice_has_its_last_line(small_dataset):
    root = small_dataset(cases=1)
    with (root / "provenance.jsonl").open("a") as file:
        file.write('{"case": "small-00", "source": "nifti"}\nno JSON\n[]\n')
    assert [line["source"] for line in contents_of(root).provenance] == ["nifti"]


def test_a_release_is_known_by_its_cases_before_any_image_is_there(tmp_path):
    write_table(tmp_path / "metadata.xlsx", ["PanTS_00000001", "PanTS_00009001"])
    for path in (tmp_path, tmp_path / "metadata.xlsx"):
        found = contents_of(path)
        assert (found.name, found.source.name, found.dataset) == ("PanTS", "pants", None)
        assert found.manifest["subset"].to_pylist() == ["train", "test"]
        assert found.manifest["centre"].to_pylist() == ["Some Hospital"] * 2
        assert len(found.annotated) == 28
        assert found.cohort().numbers["slice_thickness_mm"].tolist() == [0.8, 0.8]


def test_a_release_with_images_and_without_a_manifest_is_told_by_its_table(small_dataset):
    root = small_dataset(cases=2)
    (root / "manifest.parquet").unlink()
    write_table(root / "metadata.xlsx", ["small-00"])
    found = contents_of(root)
    assert found.manifest["age_years"].to_pylist() == [66, None]
    assert found.manifest["tumour"].to_pylist() == [True, None]
    assert found.manifest["structures"].to_pylist() == [["liver", "pancreas", "pancreatic_lesion"]] * 2


def test_what_is_neither_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="neither a dataset nor a folder with a release's"):
        contents_of(tmp_path)


def test_two_datasets_of_one_name_are_told_apart_by_their_folders(small_dataset):
    roots = [small_dataset(name, cases=1) for name in ("one", "two", "three")]
    found = [contents_of(root) for root in roots]
    text = (roots[1] / "dataset.toml").read_text()
    (roots[1] / "dataset.toml").write_text(text.replace('"two"', '"one"'))
    assert distinctly_named(found) == ["one", "two", "three"]
    assert distinctly_named([contents_of(root) for root in roots]) == ["one (one)", "one (two)", "three"]
