import shutil

import matplotlib
import matplotlib.image
import numpy as np
import pydicom
import pytest
from source_fakes import save

from wirsung.anatomy.schemes import scheme
from wirsung.cli import main
from wirsung.datasets.importing.finding import find_cases, list_files
from wirsung.datasets.importing.run import import_source
from wirsung.datasets.importing.series import Prepared
from wirsung.datasets.importing.settings import ImportSettings
from wirsung.datasets.layout import Dataset
from wirsung.datasets.sources import source_named
from wirsung.imaging.nifti import read_label_map
from wirsung.imaging.volume import Volume
from wirsung.phantom.dicom_writing import SeriesHeader, write_series


@pytest.fixture
def nih(tmp_path):
    """Two series as The Cancer Imaging Archive sends them, and the label map of one."""
    raw = tmp_path / "in"
    for number in ("0001", "0002"):
        folder = raw / f"Pancreas-CT/PANCREAS_{number}/11-24-2015-1/Pancreas-{number}"
        folder.mkdir(parents=True)
        for name in ("000000.dcm", "000001.dcm"):
            (folder / name).write_bytes(number.encode() + name.encode())
    save(raw / "TCIA_pancreas_labels-02-05-2017/label0001.nii.gz", [0, 1])
    return raw


@pytest.fixture
def chaos(tmp_path):
    """A T2W series of 6 slices in an order of its own, and a picture of each, drawn where it is bright."""
    raw = tmp_path / "in"
    slices, ground = raw / "MR/1/T2SPIR/DICOM_anon", raw / "MR/1/T2SPIR/Ground"
    slices.mkdir(parents=True)
    ground.mkdir()
    voxels = np.random.default_rng(0).integers(0, 1000, (32, 24, 6)).astype(np.int16)
    header = SeriesHeader(1, 1, "t2", "venous", "F", 50, 1, "Siemens")
    write_series(slices, Volume(voxels, np.diag([-1.5, -1.25, 4.0, 1.0])), header)
    for number, path in enumerate(sorted(slices.iterdir()), 8):  # so that 9 comes before 10
        bright = pydicom.dcmread(path).pixel_array > 500
        grey = np.zeros(bright.shape, dtype=np.uint8)
        grey[:12, :16], grey[:12, 16:], grey[12:, :16], grey[12:, 16:] = 63, 126, 189, 252
        picture = matplotlib.colormaps["gray"](np.where(bright, grey, 0))
        matplotlib.image.imsave(ground / f"IMG-{number}.png", picture)
        path.rename(slices / f"IMG-{number}.dcm")
    return raw


def bring(name, raw, out, **settings):
    return import_source(ImportSettings(name, raw, out, **settings))


def statuses(result):
    return {outcome.case: outcome.status for outcome in result.outcomes}


def test_series_and_labels_are_linked_under_the_names_of_the_cases(nih, tmp_path):
    out = tmp_path / "out"
    result = bring("nih-pancreas-ct", nih, out)
    assert isinstance(result, Prepared)
    assert statuses(result) == {"PANCREAS_0001": "done", "PANCREAS_0002": "done"}
    dicom = out / "raw/PANCREAS_0002/dicom"
    assert dicom.is_symlink()
    assert sorted(path.name for path in dicom.iterdir()) == ["000000.dcm", "000001.dcm"]
    assert [path.name for path in (out / "labels").iterdir()] == ["PANCREAS_0001.nii.gz"]
    assert (out / "raw/metadata.csv").read_text().splitlines() == [
        "case,patient,modality",
        "PANCREAS_0001,PANCREAS_0001,ct",
        "PANCREAS_0002,PANCREAS_0002,ct",
    ]


def test_the_next_command_is_told_with_what_has_no_labels(nih, tmp_path):
    result = bring("nih-pancreas-ct", nih, tmp_path / "out")
    assert "Series without labels: 1 (such as 0002)." in result.lines()
    assert f"wirsung curate {tmp_path / 'out' / 'raw'} DATASET" in result.lines()[-1]
    assert "--label-scheme panseg" in result.as_json()["next"]


@pytest.mark.parametrize("settings", [{}, {"link": "hard"}, {"copy": True}], ids=str)
def test_run_again_nothing_is_linked_anew(settings, nih, tmp_path):
    bring("nih-pancreas-ct", nih, tmp_path / "out", **settings)
    assert set(statuses(bring("nih-pancreas-ct", nih, tmp_path / "out", **settings)).values()) == {"skipped"}
    (tmp_path / "out/labels/PANCREAS_0001.nii.gz").unlink()
    result = bring("nih-pancreas-ct", nih, tmp_path / "out", **settings)
    assert statuses(result) == {"PANCREAS_0001": "done", "PANCREAS_0002": "skipped"}


def test_copies_need_no_source_any_more(nih, tmp_path):
    bring("nih-pancreas-ct", nih, tmp_path / "out", copy=True)
    shutil.rmtree(nih)
    assert (tmp_path / "out/raw/PANCREAS_0001/dicom/000001.dcm").read_bytes() == b"0001000001.dcm"


def test_a_case_of_two_series_fails_alone(nih, tmp_path):
    first = nih / "Pancreas-CT/PANCREAS_0001/11-24-2015-1/Pancreas-0001"
    shutil.copytree(first, first.with_name("Pancreas-again"))
    result = bring("nih-pancreas-ct", nih, tmp_path / "out")
    assert statuses(result) == {"PANCREAS_0001": "failed", "PANCREAS_0002": "done"}
    assert "it has 2 series" in result.outcomes[0].message


def test_a_label_of_the_trauma_challenge_finds_its_series_and_patient(tmp_path):
    raw = tmp_path / "in"
    series = raw / "train_images/10004/21057/1.dcm"
    series.parent.mkdir(parents=True)
    series.write_bytes(b"")
    save(raw / "segmentations/21057.nii", [0, 1])
    found = find_cases(source_named("rsna-trauma"), raw, list_files(raw))
    assert (found.cases["21057"].patient, found.unlabelled, found.imageless) == ("10004", (), ())
    bring("rsna-trauma", raw, tmp_path / "out")
    assert (tmp_path / "out/labels/rsna_21057.nii.gz").is_symlink()
    assert "rsna_21057,10004,ct" in (tmp_path / "out/raw/metadata.csv").read_text()


def test_pictures_become_a_label_map_on_the_grid_of_their_series(chaos, tmp_path):
    out = tmp_path / "out"
    assert statuses(bring("chaos-t2", chaos, out)) == {"chaos_t2_1": "done"}
    assert (out / "raw/chaos_t2_1/dicom").is_symlink()
    assert read_label_map(out / "labels/chaos_t2_1.nii.gz").voxels.max() == 252
    assert (out / "raw/metadata.csv").read_text().splitlines()[1] == "chaos_t2_1,chaos_t2_1,t2"
    assert statuses(bring("chaos-t2", chaos, out)) == {"chaos_t2_1": "skipped"}


def test_what_curation_makes_of_it_has_the_organs_where_they_were_drawn(chaos, tmp_path):
    out = tmp_path / "out"
    result = bring("chaos-t2", chaos, out)
    words = result.command.replace("DATASET", str(tmp_path / "dataset")).split(" --licence")[0].split()[1:]
    assert main(words) == 0
    case = Dataset.open(tmp_path / "dataset").case("chaos_t2_1")
    assert case.modality == "t2"
    assert case.structure_names() == ("kidney_left", "kidney_right", "liver", "spleen")
    # In each slice the picture was drawn where the image is bright.
    assert np.array_equal(case.image().voxels > 500, case.label_map(scheme("pants-28")).voxels > 0)
