import hashlib
import json
import logging
import shutil
import warnings

import mlcroissant as mlc
import pytest

from wirsung.datasets.croissant import croissant
from wirsung.datasets.layout import Dataset
from wirsung.datasets.manifest import read_manifest, read_structures


@pytest.fixture
def root(small_dataset):
    return small_dataset(cases=3, licence="CC-BY-4.0")


def read(root):
    """The dataset as mlcroissant reads it, warnings of its own libraries aside."""
    path = root / "croissant.json"
    path.write_text(json.dumps(croissant(Dataset.open(root))))
    logging.getLogger("absl").setLevel(logging.ERROR)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return mlc.Dataset(jsonld=str(path))


def records(found, name):
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        return list(found.records(name))


def test_mlcroissant_finds_no_error(root):
    found = read(root).metadata.ctx
    assert not found.issues.errors
    # What nobody stated is not made up.
    assert {item.split('"')[1].rsplit("/", 1)[-1] for item in found.issues.warnings} == {
        "citeAs",
        "datePublished",
    }
    assert str(found.conforms_to.value) == "http://mlcommons.org/croissant/1.1"


def test_the_records_are_those_of_the_tables(root):
    found = read(root)
    cases, expected = records(found, "cases"), read_manifest(root).to_pylist()
    assert [item["cases/case"].decode() for item in cases] == [row["case"] for row in expected]
    assert [item["cases/spacing_k_mm"] for item in cases] == [5.0] * 3
    assert [name.decode() for name in cases[0]["cases/structures"]] == expected[0]["structures"]
    measured = records(found, "structures")
    assert [item["structures/volume_ml"] for item in measured] == read_structures(root)[
        "volume_ml"
    ].to_pylist()


def test_checksums_are_those_of_the_files(root):
    files = {item["@id"]: item for item in croissant(Dataset.open(root))["distribution"]}
    assert set(files) == {"manifest.parquet", "structures.parquet", "dataset.toml", "images", "masks"}
    for name in ("manifest.parquet", "structures.parquet", "dataset.toml"):
        content = (root / name).read_bytes()
        assert files[name]["sha256"] == hashlib.sha256(content).hexdigest()
        assert files[name]["contentSize"] == f"{len(content)} B"


def test_the_file_sets_hold_every_image_and_every_mask(root):
    sets = {item["@id"]: item.get("includes", []) for item in croissant(Dataset.open(root))["distribution"]}
    images = [path for pattern in sets["images"] for path in root.glob(pattern)]
    masks = [path for pattern in sets["masks"] for path in root.glob(pattern)]
    assert (len(images), len(masks)) == (3, 9)


def test_the_card_fills_the_responsible_ai_fields(root):
    (root / "datacard.toml").write_text(
        'schema = 1\n[uses]\nunsuited = "Diagnosis."\n[motivation]\ncreators = "A clinic"\n'
        '[distribution]\ncitation = "Us, 2026"\npublished = "2026-11-21"\nurl = "https://example.org/"\n'
    )
    found = read(root)
    assert not found.metadata.ctx.issues.errors | found.metadata.ctx.issues.warnings
    assert found.metadata.data_limitations == ["Diagnosis."]
    assert found.metadata.license == ["https://spdx.org/licenses/CC-BY-4.0.html"]
    assert found.metadata.creators[0].name == "A clinic"
    assert found.metadata.data_collection_missing_data.startswith("Of 3 scans")
    assert found.metadata.data_social_impact is None


def test_a_dataset_without_tables_has_files_and_no_records(root):
    for name in ("manifest.parquet", "structures.parquet"):
        (root / name).unlink()
    found = croissant(Dataset.open(root))
    assert "recordSet" not in found
    assert [item["@id"] for item in found["distribution"]] == ["dataset.toml", "images", "masks"]


def test_nothing_that_is_told_names_where_the_dataset_lies(root):
    assert str(root.parent) not in json.dumps(croissant(Dataset.open(root)))


def test_label_maps_are_a_set_of_files_where_they_stand_for_masks(root):
    for case in (root / "LabelTr").iterdir():
        (case / "segmentations" / "liver.nii.gz").rename(case / "label_map.nii.gz")
        shutil.rmtree(case / "segmentations")
    text = (root / "dataset.toml").read_text()
    (root / "dataset.toml").write_text(f'{text}label_scheme = "msd-pancreas"\n')
    sets = {item["@id"]: item for item in croissant(Dataset.open(root))["distribution"]}
    assert "masks" not in sets
    assert sets["label_maps"]["includes"] == ["LabelTr/*/label_map.nii.gz"]
    assert "msd-pancreas" in sets["label_maps"]["description"]
