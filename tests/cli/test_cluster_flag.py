"""`--cluster` on the command line: the same result as in this process, or a wrong call that says why."""

import numpy as np
import pytest

from wirsung.cli import main
from wirsung.cli.verbs import VERBS
from wirsung.imaging.nifti import write_nifti
from wirsung.imaging.volume import Volume

ON_CLUSTERS = ("phantom", "curate", "check", "verify", "evaluate")


@pytest.mark.parametrize("name", ON_CLUSTERS)
def test_stages_that_take_one_case_after_the_other_take_a_cluster(name, capsys):
    assert VERBS[name].load_settings().__dataclass_fields__["cluster"].default is None
    with pytest.raises(SystemExit):
        main([name, "--help"])
    assert "tcp://HOST:PORT of a Dask scheduler" in " ".join(capsys.readouterr().out.split())


@pytest.mark.parametrize(
    ("address", "why"),
    [
        ("nowhere", "'nowhere' names no cluster. Give tcp://HOST:PORT, local:N or slurm:FILE.toml."),
        ("local:none", "local:none asks for no number of workers"),
        ("slurm:missing.toml", "missing.toml: can't be read as TOML"),
    ],
)
def test_a_wrong_address_is_a_wrong_call(address, why, tmp_path, capsys):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    assert main(["phantom", str(tmp_path / "out"), "--cases", "1", "--cluster", address]) == 2
    assert why in capsys.readouterr().err


@pytest.mark.slow
def test_a_phantom_made_on_a_cluster_is_the_phantom_made_here(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.chdir(tmp_path)
    assert main(["phantom", "here", "--cases", "1"]) == 0
    assert main(["phantom", "there", "--cases", "1", "--cluster", "local:1"]) == 0
    here, there = (
        {str(path.relative_to(root)): path.read_bytes() for path in root.rglob("*") if path.is_file()}
        for root in (tmp_path / "here", tmp_path / "there")
    )
    here.pop("phantom.toml")  # says which cluster
    there.pop("phantom.toml")
    assert len(here) > 28
    assert here == there


@pytest.mark.slow
def test_scores_from_a_cluster_are_the_scores_from_here(tmp_path, monkeypatch):
    pytest.importorskip("distributed", reason="the extra `cluster` is not installed")
    monkeypatch.chdir(tmp_path)
    for folder, low in (("reference", 2), ("prediction", 3)):
        for case in "ab":
            voxels = np.zeros((12, 12, 12), dtype=np.uint8)
            voxels[low:9, low:9, 2:9] = 1
            (tmp_path / folder).mkdir(exist_ok=True)
            write_nifti(tmp_path / folder / f"{case}.nii.gz", Volume(voxels, np.diag([-2.0, -2, 3, 1])))
    words = ["evaluate", "reference", "prediction", "--scheme", "pancreas"]
    assert main([*words, "--out", "here"]) == 0
    assert main([*words, "--out", "there", "--cluster", "local:2"]) == 0
    assert (tmp_path / "here/scores.csv").read_bytes() == (tmp_path / "there/scores.csv").read_bytes()
