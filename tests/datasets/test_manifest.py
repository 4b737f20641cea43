import hashlib

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import (
    ManifestRow,
    StructureRow,
    manifest_rows,
    read_manifest,
    read_structures,
    write_manifest,
    write_structures,
)
from wirsung.errors import ManifestError

ROW = ManifestRow(
    "b", "p1", centre="centre-1", sex="F", age_years=61, shape_i=4, spacing_k_mm=2.5, tumour=True
)


def _dataset(root, *cases):
    for case in cases:
        (root / "ImageTr" / case).mkdir(parents=True)
    return Dataset.open(root)


def test_what_is_written_is_read_sorted_by_case(tmp_path):
    write_manifest(tmp_path, [ROW, ManifestRow("a", "p2", structures=("liver", "spleen"))])
    first, second = read_manifest(tmp_path).to_pylist()
    assert first["case"] == "a"
    assert first["structures"] == ["liver", "spleen"]
    assert first["tumour"] is None
    assert second["tumour"] is True
    assert second["age_years"] == 61
    assert second["spacing_k_mm"] == 2.5


def test_the_manifest_has_the_columns_that_other_stages_read(tmp_path):
    write_manifest(tmp_path, [])
    table = read_manifest(tmp_path)
    expected = (
        "case patient centre modality phase sex age_years subset has_labels tumour image_sha256 structures"
    )
    assert set(expected.split()) <= set(table.column_names)
    assert table.schema.field("tumour").type == pa.bool_()
    assert table.schema.field("age_years").type == pa.int16()


def test_a_case_twice_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="case b is there twice"):
        write_manifest(tmp_path, [ROW, ROW])


def test_structures_are_read_as_written(tmp_path):
    digest = hashlib.sha256(b"").hexdigest()
    empty = StructureRow("a", "liver", 0.0, None, None, None, None, None, None, None, None, 0, False, digest)
    full = StructureRow("a", "aorta", 1.5, 140.0, 12.0, 0, 2, 1, 3, 4, 9, 1, True, digest)
    write_structures(tmp_path, [empty, full])
    rows = read_structures(tmp_path).to_pylist()
    assert [StructureRow(**row) for row in rows] == [empty, full]


def test_rows_follow_the_cases_of_the_dataset(tmp_path):
    dataset = _dataset(tmp_path, "b")
    write_manifest(tmp_path, [ROW])
    assert manifest_rows(dataset) == (ROW,)


def test_a_case_without_a_row_is_named(tmp_path):
    dataset = _dataset(tmp_path, "b", "c")
    write_manifest(tmp_path, [ROW])
    with pytest.raises(ManifestError, match="case c is in the folders but not the manifest"):
        manifest_rows(dataset)


def test_a_row_without_a_case_is_named(tmp_path):
    dataset = _dataset(tmp_path, "b")
    write_manifest(tmp_path, [ROW, ManifestRow("z", "p")])
    with pytest.raises(ManifestError, match="case z is in the manifest but not the folders"):
        manifest_rows(dataset)


def test_a_missing_manifest_says_how_to_make_one(tmp_path):
    with pytest.raises(ManifestError, match="wirsung curate"):
        read_manifest(tmp_path)


def test_a_manifest_that_is_no_parquet_is_refused(tmp_path):
    (tmp_path / "manifest.parquet").write_bytes(b"case,patient\n")
    with pytest.raises(ManifestError, match="damaged or not Parquet"):
        read_manifest(tmp_path)


def test_missing_columns_are_named(tmp_path):
    pq.write_table(pa.table({"case": ["a"]}), tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="lacks the columns patient, centre"):
        read_manifest(tmp_path)


def test_a_column_of_another_type_is_refused(tmp_path):
    write_manifest(tmp_path, [ROW])
    table = read_manifest(tmp_path)
    index = table.column_names.index("age_years")
    pq.write_table(table.set_column(index, "age_years", pa.array(["old"])), tmp_path / "manifest.parquet")
    with pytest.raises(ManifestError, match="another type"):
        read_manifest(tmp_path)
