import os
import shutil
import stat
from collections import Counter

import numpy as np
import pyarrow.parquet as pq
import pytest
from pydicom.data import get_testdata_file
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from wirsung.curation import index as index_module
from wirsung.curation.index import index_tree
from wirsung.curation.index_rows import ROW_SCHEMA, slices_of
from wirsung.errors import ManifestError
from wirsung.imaging.dicom import read_stack, read_stacks
from wirsung.imaging.dicom_headers import read_headers

KEY = bytes(range(32))
CT = "1.2.840.10008.5.1.4.1.1.2"
CANARIES = ("CANARY-ID", "CANARY^NAME", "CANARY HOSPITAL", "1.2.3.4", "1.2.9", "B30f", "AXIAL", "101112")


def a_slice(folder, number, *, series="1.2.3.4", name=None, **changes):
    ds = Dataset()
    ds.file_meta = FileMetaDataset()
    ds.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
    ds.SOPClassUID = ds.file_meta.MediaStorageSOPClassUID = CT
    ds.SOPInstanceUID = ds.file_meta.MediaStorageSOPInstanceUID = generate_uid()
    ds.Modality, ds.ImageType, ds.ConvolutionKernel = "CT", ["ORIGINAL", "PRIMARY", "AXIAL"], "B30f"
    ds.PatientID, ds.PatientName, ds.InstitutionName = "CANARY-ID", "CANARY^NAME", "CANARY HOSPITAL"
    ds.StudyInstanceUID, ds.SeriesInstanceUID, ds.FrameOfReferenceUID = "1.2.3", series, "1.2.9"
    ds.ImagePositionPatient, ds.ImageOrientationPatient = [-5, -6, 2 * number], [1, 0, 0, 0, 1, 0]
    ds.PixelSpacing, ds.Rows, ds.Columns, ds.SamplesPerPixel = [0.7, 0.8], 6, 5, 1
    ds.PhotometricInterpretation, ds.BitsAllocated, ds.BitsStored, ds.HighBit = "MONOCHROME2", 16, 16, 15
    ds.PixelRepresentation, ds.RescaleSlope, ds.RescaleIntercept = 1, 1, -24
    ds.AcquisitionTime = "101112"
    ds.PixelData = np.full((6, 5), number, "<i2").tobytes()
    for keyword, value in changes.items():
        setattr(ds, keyword, value)
    folder.mkdir(parents=True, exist_ok=True)
    ds.save_as(folder / (name or f"{series}-{number}"), enforce_file_format=True)


@pytest.fixture
def tree(tmp_path):
    """Two patients, a report, a scout, a screenshot, a text and a link, in folders and folders of folders."""
    root = tmp_path / "src"
    for number in range(5):
        a_slice(root / "a/study/one", number)
        a_slice(root / f"b/{number}", number, series="1.2.3.5", PatientID="CANARY-TWO")
    a_slice(root / "a/study", 0, name="scout", ImageType=["ORIGINAL", "PRIMARY", "LOCALIZER"])
    a_slice(root / "a", 0, name="report", SOPClassUID="1.2.840.10008.5.1.4.1.1.88.22")
    a_slice(root / "a", 0, name="capture", SOPClassUID="1.2.840.10008.5.1.4.1.1.7")
    (root / "a/notes.txt").write_text("CANARY")
    (root / ".hidden").mkdir()
    (root / ".hidden/file").write_text("")
    return root


def indexed(tree, **options):
    index, outcomes = index_tree(tree, tree.parent / "index", key=KEY, **options)
    return index, Counter(outcome.status for outcome in outcomes), sum(item.value for item in outcomes)


def test_the_index_counts_every_file_by_what_it_is(tree):
    shutil.copyfile(get_testdata_file("DICOMDIR"), tree / "DICOMDIR")
    index, _, read = indexed(tree)
    assert index.count() == {
        "slice": 10,
        "LOCALIZER": 1,
        "OTHER_OBJECT": 2,
        "SECONDARY_CAPTURE": 1,
        "NOT_DICOM": 1,
    }
    assert read == 15


def test_stacks_found_in_the_index_are_those_found_in_the_files(tree):
    from_index = {stack.slices[0].path: stack for stack in indexed(tree)[0].stacks()}
    from_files = {stack.slices[0].path: stack for stack in read_stacks(tree).stacks}
    assert from_index.keys() == from_files.keys()
    assert len(from_index) == 2
    for path, stack in from_index.items():
        np.testing.assert_array_equal(stack.affine, from_files[path].affine)
        volumes = [read_stack(item, where="here").volume.voxels for item in (stack, from_files[path])]
        np.testing.assert_array_equal(*volumes)


def test_stacks_are_the_same_where_series_are_taken_in_parts(tree, monkeypatch):
    index = indexed(tree)[0]
    whole = sorted(stack.slices[0].path for stack in index.stacks())
    monkeypatch.setattr(index_module, "_ROWS_AT_ONCE", 3)
    assert sorted(stack.slices[0].path for stack in index.stacks()) == whole


def test_a_row_gives_the_slice_back_but_for_what_names_someone(tree):
    path = tree / "a/study/one/1.2.3.4-3"
    index, _, _ = indexed(tree)
    (back,) = [item for item in slices_of(index._table(None), tree) if item.path == path]
    (given,) = read_headers(path)
    same = ("frame", "modality", "is_localizer", "shape", "position", "orientation", "spacing", "slope")
    for name in (*same, "intercept", "rescale_type", "has_lookup_table"):
        assert getattr(back, name) == getattr(given, name), name
    assert [bool(text) for text in back.moments] == [bool(text) for text in given.moments]


def test_nothing_that_names_a_patient_is_in_the_index(tree):
    indexed(tree)
    for path in (tree.parent / "index").iterdir():
        content = str(pq.read_table(path).drop_columns(["file"]).to_pylist())
        for canary in CANARIES:
            assert canary not in content
        assert b"CANARY" not in path.read_bytes()
    assert stat.S_IMODE((tree.parent / "index").stat().st_mode) == 0o700


def test_another_key_gives_other_pseudonyms(tree):
    first = set(indexed(tree)[0]._table(["series"])["series"].to_pylist())
    index, _ = index_tree(tree, tree.parent / "index", key=bytes(32))
    second = set(index._table(["series"])["series"].to_pylist())
    assert first & second <= {None, ""}
    assert len(first) == len(second)


def test_a_second_run_reads_nothing(tree):
    _, statuses, _ = indexed(tree)
    assert set(statuses) == {"done"}
    _, statuses, read = indexed(tree)
    assert (set(statuses), read) == ({"skipped"}, 0)


def test_only_what_changed_is_read_again(tree):
    indexed(tree)
    a_slice(tree / "a/study/one", 9)
    (tree / "b/4/1.2.3.5-4").unlink()
    os.utime(tree / "a/report", ns=(1, 1))
    index, _, read = indexed(tree)
    assert read == 2
    assert index.count()["slice"] == 10
    shutil.rmtree(tree / "b")
    index, _, read = indexed(tree)
    assert (read, index.count()["slice"]) == (0, 6)


def test_a_folder_of_very_many_files_is_indexed_in_parts(tree, monkeypatch):
    whole = indexed(tree)[0]._table(None).sort_by("file")
    shutil.rmtree(tree.parent / "index")
    monkeypatch.setattr(index_module, "_LARGEST", 2)
    index, _, read = indexed(tree)
    assert read == 14
    assert sum("-of-4" in path.name for path in (tree.parent / "index").iterdir()) == 4
    assert index._table(None).sort_by("file").equals(whole)
    assert indexed(tree)[2] == 0
    monkeypatch.undo()
    assert indexed(tree)[2] == 8  # those of the folders that were in parts, whose shards are gone
    assert index._table(None).sort_by("file").equals(whole)


def test_a_damaged_shard_is_made_anew(tree):
    indexed(tree)
    victim = sorted((tree.parent / "index").iterdir())[0]
    before = pq.read_table(victim)
    victim.write_bytes(victim.read_bytes()[:100])
    index, statuses, _ = indexed(tree)
    assert statuses["done"] == 1
    assert pq.read_table(victim).equals(before)
    assert index.count()["slice"] == 10


def test_two_processes_give_the_same_index(tree):
    one = indexed(tree)[0]._table(None)
    shutil.rmtree(tree.parent / "index")
    assert indexed(tree, workers=2)[0]._table(None).equals(one)


def test_a_damaged_file_spoils_its_series_and_no_other(tree):
    victim = tree / "a/study/one/1.2.3.4-2"
    victim.write_bytes(victim.read_bytes()[:600])
    found = {len(stack.slices): stack.problem for stack in indexed(tree)[0].stacks()}
    assert found[4].code in ("HEADER_TRUNCATED", "HEADER_DAMAGED")
    assert found[5] is None


def test_a_link_to_nothing_is_a_damaged_file(tree):
    (tree / "a/study/one/link").symlink_to(tree / "nowhere")
    index, _, _ = indexed(tree)
    assert index.count()["UNREADABLE"] == 1
    assert [stack.problem.code for stack in index.stacks() if stack.problem] == ["UNREADABLE"]


def test_the_frames_of_one_file_are_rows(tmp_path):
    a_slice(tmp_path / "src", 0, NumberOfFrames=3, PixelData=bytes(6 * 5 * 2 * 3))
    table = indexed(tmp_path / "src")[0]._table(None)
    assert table["frame"].to_pylist() == [0, 1, 2]
    assert table.schema.names == ROW_SCHEMA.names


def test_what_is_no_folder_is_refused(tmp_path):
    with pytest.raises(ManifestError, match="is no folder"):
        index_tree(tmp_path / "nowhere", tmp_path / "index", key=KEY)


def test_an_empty_folder_has_an_empty_index(tmp_path):
    (tmp_path / "src").mkdir()
    index, _, _ = indexed(tmp_path / "src")
    assert index.count() == {}
    assert list(index.stacks()) == []
