"""Identifying strings are planted in every corner of a series; none of them may come out of `curate`.

The search is this file's own: it knows nothing of the check that `curate` makes itself.
"""

import importlib.util
import json
import logging
import re
import subprocess
import sys
import zlib
from pathlib import Path

import pyarrow.parquet
import pytest

from wirsung.curation.check import check
from wirsung.curation.run import curate
from wirsung.curation.settings import CheckSettings, CurateSettings
from wirsung.datasets.layout import Dataset

LEAST = 57
PLACES = {"folder name", "inner folder name", "file name"}
"""What the work folder beside a dataset may hold: where on the user's own disk the files lie."""


def _planting():
    spec = importlib.util.spec_from_file_location("planting", Path(__file__).with_name("planting.py"))
    module = importlib.util.module_from_spec(spec)
    sys.modules["planting"] = module
    spec.loader.exec_module(module)
    return module


plant = _planting().plant


def needles(text):
    """A string as it may have been written."""
    for form in (text, text.lower(), text.upper(), text.title()):
        for encoding in ("utf-8", "latin-1", "utf-16-le", "utf-16-be", "utf-32-le"):
            yield form.encode(encoding)
        yield json.dumps(form)[1:-1].encode()
    if re.fullmatch(r"\d{8}", text):
        yield f"{text[:4]}-{text[4:6]}-{text[6:]}".encode()
        yield f"{text[6:]}.{text[4:6]}.{text[:4]}".encode()


def contents(folder):
    """Everything below a folder: names, bytes, inflated bytes and the cells of tables."""
    for path in sorted(folder.rglob("*")):
        name = path.relative_to(folder).as_posix()
        yield f"the name {name}", name.encode()
        if not path.is_file():
            continue
        content = path.read_bytes()
        yield name, content
        if path.suffix == ".parquet":
            yield f"cells of {name}", repr(pyarrow.parquet.read_table(path).to_pylist()).encode()
            yield f"schema of {name}", repr(pyarrow.parquet.read_schema(path).metadata).encode()
        rest = content
        while rest[:2] == b"\x1f\x8b":
            stream = zlib.decompressobj(31)
            yield f"inflated {name}", stream.decompress(rest)
            rest = stream.unused_data


def beside(folder):
    """Everything that lies beside source and dataset, such as an index and a page, without the key."""
    for path in sorted(folder.iterdir()):
        if path.is_dir() and path.name not in ("src", "out"):
            yield from contents(path)


def found(texts, content):
    return {place for place, text in texts.items() if any(needle in content for needle in needles(text))}


def parts(planted):
    """The planted strings, and the names in them by themselves."""
    extra = {"age": "095Y", "given name": "ERIKA", "given name with umlaut": "ÄNNE"}
    name = planted.texts["PatientName"].split("^")[0]
    return {**planted.texts, **extra, "family name": name}


def test_at_least_57_strings_are_planted_and_the_search_finds_every_one(tmp_path):
    planted = plant(tmp_path / "src/case-1/dicom")
    assert len(planted.texts) >= LEAST
    assert len(set(planted.texts.values())) == len(planted.texts)
    seen = set()
    for _, content in contents(tmp_path / "src"):
        seen |= found(parts(planted), content)
    assert seen == set(parts(planted))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_none_comes_out_of_curate(tmp_path, capfd, caplog, workers):
    caplog.set_level(logging.DEBUG)
    planted = parts(plant(tmp_path / "src/case-1/dicom"))
    if workers > 1:
        plant(tmp_path / "src/case-2/dicom")
    outcomes = curate(CurateSettings(tmp_path / "src", tmp_path / "out", workers=workers))
    checked = check(CheckSettings(tmp_path / "out"))
    assert [(item.status, item.message) for item in outcomes] == [("done", "")] * workers
    assert Dataset.open(tmp_path / "out").case("case-1").image().shape == (16, 18, 6)
    for name, content in contents(tmp_path / "out"):
        assert found(planted, content) == set(), name
    for name, content in beside(tmp_path):
        assert found(planted, content) <= PLACES, name
    said = capfd.readouterr()
    for told in (said.out, said.err, caplog.text, repr(outcomes), repr(checked), repr(outcomes.lines())):
        assert found(planted, told.encode()) == set()
    key = (tmp_path / "out.key").read_text().strip()
    for name, content in contents(tmp_path / "out"):
        assert key.encode() not in content, name
        assert bytes.fromhex(key) not in content, name


def test_what_is_released_is_checked_and_binned(tmp_path):
    plant(tmp_path / "src/case-1/dicom")
    curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    (path,) = (tmp_path / "out").rglob("metadata.json")
    assert path.parent == tmp_path / "out/ImageTr/case-1"
    told = json.loads(path.read_text())
    attributes = told["attributes"]
    assert (attributes["PatientAge"], attributes["PatientSex"]) == ("090Y", "F")
    assert (attributes["Manufacturer"], attributes["KVP"], attributes["SliceThickness"]) == (
        "Siemens",
        120,
        2.5,
    )
    assert attributes["ImageType"] == ["ORIGINAL", "PRIMARY", "AXIAL"]
    assert attributes["ContrastBolusAgent"] == "UNKNOWN"
    for name in ("StudyInstanceUID", "SeriesInstanceUID", "FrameOfReferenceUID"):
        assert re.fullmatch(r"2\.25\.\d{30,39}", attributes[name])
    refused = {"ConvolutionKernel": 6, "BodyPartExamined": 6, "PatientPosition": 6, "ScanOptions": 6}
    assert told["deidentification"]["rejected"] == refused


def test_a_series_that_fails_tells_nothing_either(tmp_path, capfd, caplog):
    caplog.set_level(logging.DEBUG)
    planted = parts(plant(tmp_path / "src/case-1/dicom"))
    files = sorted((tmp_path / "src").rglob("*.dcm"))
    files[2].unlink()
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    said = capfd.readouterr()
    told = [said.out, said.err, caplog.text, repr(outcome)]
    del planted["folder name"], planted["inner folder name"]  # where to look; the user's own disk has it
    for text in told:
        assert found(planted, text.encode()) == set()
    for name, content in contents(tmp_path / "out"):
        assert found(planted, content) == set(), name


def test_the_command_line_says_nothing_of_them(tmp_path):
    planted = parts(plant(tmp_path / "src/case-1/dicom"))
    command = [sys.executable, "-m", "wirsung", "curate", str(tmp_path / "src"), str(tmp_path / "out")]
    done = subprocess.run(command, capture_output=True, check=False)
    assert done.returncode == 0, done.stderr.decode()[-300:]
    assert found(planted, done.stdout) == set()
    assert found(planted, done.stderr) == set()
    for name, content in contents(tmp_path / "out"):
        assert found(planted, content) == set(), name


def test_a_case_named_after_its_patient_is_refused_and_nothing_of_it_stays(tmp_path, capfd):
    planted = plant(tmp_path / "src/case-1/dicom")
    case = f"ward7_{planted.texts['PatientID']}"
    (tmp_path / "src/case-1").rename(tmp_path / "src" / case)
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "failed"
    assert "IDENTITY_LEFT, what its headers say under PatientID was found" in outcome.message
    del planted.texts["PatientID"]
    assert found(parts(planted), outcome.message.encode()) == set()
    assert not [path for path in (tmp_path / "out").rglob("*") if case in path.name]
    assert not list((tmp_path / "out").rglob("*.nii.gz"))
    (tmp_path / "src/metadata.csv").write_text(f"case,sex\n{case},F\n")
    (outcome,) = curate(CurateSettings(tmp_path / "src", tmp_path / "out"))
    assert outcome.status == "done", "whoever lists a case says that its name is a code"
