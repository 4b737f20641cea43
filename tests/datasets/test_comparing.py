import json
import shutil

import numpy as np
import pyarrow.parquet as pq
import pytest
from scipy import ndimage

from wirsung.cli import main
from wirsung.datasets.catalog import CatalogSettings, catalog
from wirsung.datasets.comparing import CompareDatasetsSettings, compare_datasets
from wirsung.errors import ConfigError, ManifestError
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume


def scan(seed, shape=(60, 52, 60)):
    """A body of organs, none like the other."""
    rng = np.random.default_rng(seed)
    i, j, _ = np.indices(shape)
    inside = ((i - shape[0] / 2) / 26) ** 2 + ((j - shape[1] / 2) / 20) ** 2 < 1
    hu = 60 + ndimage.gaussian_filter(rng.standard_normal(shape), 3) * 900
    return Volume(np.where(inside, np.clip(hu, -140, 250), -1000).astype(np.int16), np.diag([5.0, 5, 5, 1]))


def put(root, case, volume):
    write_nifti(root / "ImageTr" / case / "ct.nii.gz", volume)


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    """Two datasets: of `two`, the first is saved anew, the second cropped and turned, the third its own."""
    root = tmp_path_factory.mktemp("pair")
    for seed in range(3):
        put(root / "one", f"a{seed}", scan(seed))
    put(root / "two", "b0", Volume(scan(0).voxels.astype(np.float32), np.diag([5.0, 5, 5, 1])))
    put(root / "two", "b1", reorient(Volume(scan(1).voxels[:, :, 8:], scan(1).affine), "SAL"))
    put(root / "two", "b2", scan(9))
    for name, source in (("one", "pants"), ("two", "msd-pancreas")):
        text = f'schema = 1\nname = "{name}"\nscheme = "pants-28"\nsource = "{source}"\n'
        (root / name / "dataset.toml").write_text(text)
        catalog(CatalogSettings(root / name))
    return root


def test_what_two_datasets_share_is_found_written_and_shown(folders, tmp_path):
    found = compare_datasets(CompareDatasetsSettings((folders / "one", folders / "two"), tmp_path))
    pairs = [(leak.kind, leak.one.case, leak.other.case) for leak in found.leaks if leak.kind != "metadata"]
    assert pairs == [("exact", "a0", "b0"), ("near", "a1", "b1")]
    (outcome,) = found.outcomes
    assert outcome.status == "failed"
    assert outcome.message.startswith("1 pairs of scans have the same voxels, 1 are nearly the same")
    assert found.lines()[0].startswith("Known: one and two share scans (966 rows")
    table = pq.read_table(tmp_path / "leaks.parquet").to_pylist()
    assert [row["case"] for row in table[:2]] == ["a0", "a1"]
    assert (tmp_path / "leaks.csv").read_text().splitlines()[1].startswith('"exact","one","a0","two","b0"')
    page = (tmp_path / "leaks.html").read_text()
    assert page.count("data:image/jpeg") == len(found.leaks)
    assert "Memorial Sloan Kettering" in page


def test_datasets_that_share_nothing_are_good(folders, tmp_path, capsys):
    shutil.copytree(folders / "two", tmp_path / "two")
    for case in ("b0", "b1"):
        shutil.rmtree(tmp_path / "two" / "ImageTr" / case)
    catalog(CatalogSettings(tmp_path / "two"))
    words = ["compare-datasets", str(folders / "one"), str(tmp_path / "two"), "--out", str(tmp_path / "out")]
    assert main(words) == 0
    assert "1 pair of datasets: 1 done." in capsys.readouterr().out


def test_a_program_gets_every_pair(folders, tmp_path, capsys):
    words = ["compare-datasets", str(folders / "one"), str(folders / "two"), "--out", str(tmp_path), "--json"]
    assert main(words) == 1
    content = json.loads(capsys.readouterr().out)
    assert content["leaks"][0]["other_case"] == "b0"
    assert content["known_overlaps"]


def test_without_pictures_the_page_says_so(folders, tmp_path):
    compare_datasets(CompareDatasetsSettings((folders / "one", folders / "two"), tmp_path, pictures=0))
    assert "data:image/jpeg" not in (tmp_path / "leaks.html").read_text()


def test_datasets_of_one_name_are_told_apart(folders, tmp_path):
    shutil.copytree(folders / "one", tmp_path / "copy")
    found = compare_datasets(CompareDatasetsSettings((folders / "one", tmp_path / "copy"), tmp_path / "out"))
    assert {leak.one.dataset for leak in found.leaks} == {"one (one)"}
    assert {leak.other.dataset for leak in found.leaks} == {"one (copy)"}


def test_a_case_without_fingerprint_is_told(folders, tmp_path):
    shutil.copytree(folders / "one", tmp_path / "one")
    put(tmp_path / "one", "late", scan(20))
    (tmp_path / "one" / "manifest.parquet").unlink()
    found = compare_datasets(CompareDatasetsSettings((tmp_path / "one", folders / "two"), tmp_path / "out"))
    assert any("1 case has no fingerprint, such as late" in line for line in found.lines())


def test_wrong_calls_are_refused(folders, tmp_path):
    one, two = folders / "one", folders / "two"
    with pytest.raises(ConfigError, match="It takes two datasets"):
        compare_datasets(CompareDatasetsSettings((one,), tmp_path))
    with pytest.raises(ConfigError, match="named twice"):
        compare_datasets(CompareDatasetsSettings((one, one), tmp_path))
    with pytest.raises(ConfigError, match="not between 0 and 1"):
        compare_datasets(CompareDatasetsSettings((one, two), tmp_path, threshold=2.0))
    put(tmp_path / "bare", "x", scan(30))
    with pytest.raises(ManifestError, match="wirsung catalog"):
        compare_datasets(CompareDatasetsSettings((one, tmp_path / "bare"), tmp_path / "out"))
