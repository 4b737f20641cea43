"""A dataset held against the checksums that were written with it."""

import gzip
import json
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from wirsung.cli import main
from wirsung.curation.run import curate
from wirsung.curation.settings import CurateSettings, VerifySettings
from wirsung.curation.verify import verify
from wirsung.errors import ManifestError


@pytest.fixture
def dataset(cohort, tmp_path):
    """Two curated cases."""
    cohort.case("a")
    cohort.case("b", seed=1)
    out = tmp_path / "out"
    assert [item.status for item in curate(CurateSettings(cohort.root, out))] == ["done", "done"]
    return out


def verified(dataset):
    """The files with a problem, by case; the outcomes must agree with them."""
    result = verify(VerifySettings(dataset))
    found = {item.case: [problem.file for problem in item.value.problems] for item in result}
    assert {item.case for item in result if item.status == "failed"} == {
        case for case, files in found.items() if files
    }
    return found


def altered(path, change):
    """The file with other voxels, compressed anew, so that gzip's own checks pass."""
    content = bytearray(gzip.decompress(path.read_bytes()))
    voxels = np.frombuffer(content, dtype=np.uint8, offset=352)
    change(voxels)
    path.write_bytes(gzip.compress(bytes(content)))


def test_a_dataset_as_it_was_written_is_verified(dataset):
    result = verify(VerifySettings(dataset, workers=2))
    assert [item.status for item in result] == ["done", "done"]
    assert result.lines() == ["18 files read whole, every voxel as it was written."]


def test_other_compression_changes_nothing(dataset):
    for path in dataset.rglob("*.nii.gz"):
        path.write_bytes(gzip.compress(gzip.decompress(path.read_bytes()), 9))
    assert verified(dataset) == {"a": [], "b": []}


@pytest.mark.parametrize(
    "file",
    [
        "ImageTr/a/ct.nii.gz",
        "LabelTr/a/segmentations/liver.nii.gz",
        "LabelTr/a/segmentations/pancreatic_lesion.nii.gz",
        "LabelTr/a/combined_labels.nii.gz",
    ],
)
def test_one_voxel_changed_in_any_file_is_found(dataset, file):
    def change(voxels):
        voxels[len(voxels) // 2] ^= 1

    altered(dataset / file, change)
    found = verified(dataset)
    assert file.endswith(found["a"][0])
    assert found["b"] == []


def test_one_code_changed_is_found(dataset):
    def change(voxels):
        voxels[np.flatnonzero(voxels)[0]] = 0

    altered(dataset / "LabelTr" / "a" / "labels.nii.gz", change)
    assert verified(dataset) == {"a": ["labels.nii.gz"], "b": []}


def test_codes_that_say_something_else_than_the_masks_are_found(dataset):
    path = dataset / "LabelTr" / "a" / "labels.json"
    table = json.loads(path.read_text())
    one, other = table["structures"].index("liver"), table["structures"].index("pancreas")
    names = table["structures"]
    names[one], names[other] = names[other], names[one]
    path.write_text(json.dumps(table))
    result = verify(VerifySettings(dataset))
    assert "something else of" in result[0].message
    assert "labels.nii.gz" in result[0].message


def test_the_message_names_case_file_checksums_and_what_to_do(dataset):
    import pyarrow.parquet as pq

    def change(voxels):
        voxels[0] ^= 1

    written = pq.read_table(dataset / "manifest.parquet").to_pylist()[0]["image_sha256"]
    altered(dataset / "ImageTr" / "a" / "ct.nii.gz", change)
    (problem,) = verify(VerifySettings(dataset)).problems
    assert (problem.case, problem.file, problem.expected) == ("a", "ct.nii.gz", written)
    for part in ("case a", "ct.nii.gz", problem.found[:12], written[:12], "Curate the case again"):
        assert part in problem.message


@pytest.mark.parametrize("name", ["combined_labels", "labels", "segmentations/liver"])
@pytest.mark.parametrize("damage", ["cut", "gone"])
def test_a_file_that_is_cut_or_gone_fails_its_case_alone(dataset, name, damage):
    path = dataset / "LabelTr" / "b" / f"{name}.nii.gz"
    path.write_bytes(path.read_bytes()[:-9]) if damage == "cut" else path.unlink()
    found = verified(dataset)
    assert found["a"] == []
    assert found["b"] == [f"{name}.nii.gz"]


def test_a_mask_that_no_table_has_is_found(dataset):
    folder = dataset / "LabelTr" / "a" / "segmentations"
    shutil.copy(folder / "liver.nii.gz", folder / "spleen.nii.gz")
    assert verified(dataset)["a"] == ["segmentations/spleen.nii.gz"]


def test_a_mask_in_another_number_type_is_not_what_was_written(dataset):
    path = dataset / "LabelTr" / "a" / "segmentations" / "liver.nii.gz"
    image = nibabel.load(path)
    nibabel.save(nibabel.Nifti1Image(np.asarray(image.dataobj).astype(np.int16), image.affine), path)
    assert verified(dataset)["a"] == ["segmentations/liver.nii.gz"]


def test_cases_of_the_manifest_without_folder_and_folders_without_row_fail(dataset):
    (dataset / "ImageTr" / "a").rename(dataset / "ImageTr" / "c")
    result = {item.case: item for item in verify(VerifySettings(dataset))}
    assert {case: item.status for case, item in result.items()} == {"a": "failed", "b": "done", "c": "failed"}
    assert "no folder" in result["a"].message
    assert "not in manifest.parquet" in result["c"].message


def test_a_release_without_tables_can_not_be_verified(dataset):
    (dataset / "manifest.parquet").unlink()
    with pytest.raises(ManifestError, match="curate"):
        verify(VerifySettings(dataset))


def test_the_command_exits_with_1_where_a_file_changed(dataset, capsys):
    assert main(["verify", str(dataset)]) == 0
    (dataset / "LabelTr" / "a" / "labels.nii.gz").unlink()
    capsys.readouterr()
    assert main(["verify", str(dataset), "--json"]) == 1
    told = json.loads(capsys.readouterr().out)
    assert told["files"] == 17
    assert [Path(item["file"]).name for item in told["problems"]] == ["labels.nii.gz"]
