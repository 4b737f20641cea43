"""A disk that is full ends the run with one error; what was done is whole, and known to the next call."""

import json

import pytest

from wirsung.errors import StorageError
from wirsung.imaging.nifti import read_label_map
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings

NAMES = ("a", "b", "c", "d")


@pytest.fixture
def images(write_scans):
    return write_scans(*NAMES, shape=(40, 36, 32))


@pytest.mark.parametrize("workers", [1, pytest.param(2, marks=pytest.mark.slow)])
def test_a_real_full_disk_ends_the_run_and_leaves_no_half_file(images, model, small_disk, workers):
    disk = small_disk(64)
    calm = PredictSettings(images, images.parent / "calm", model=model, device="cpu")
    predict(calm)
    sizes = {name: (calm.out / f"{name}.nii.gz").stat().st_size for name in NAMES}
    # Room for two label maps and what is said of them, and not for all four.
    room, pages = 65536 - 4096 * sum(-(-sizes[name] // 4096) for name in "ab") - 4 * 4096, 4096
    (disk / "others").write_bytes(bytes(room // pages * pages))
    settings = PredictSettings(images, disk, model=model, device="cpu", workers=workers)
    with pytest.raises(StorageError, match=r"the disk is full.*Free some space and run again"):
        predict(settings)
    assert not list(disk.glob(".partial-*"))
    done = sorted(path.name.removesuffix(".nii.gz") for path in disk.glob("*.nii.gz"))
    assert 0 < len(done) < len(NAMES)
    for name in done:
        read_label_map(disk / f"{name}.nii.gz")
        assert (disk / f"{name}.nii.gz").read_bytes() == (calm.out / f"{name}.nii.gz").read_bytes()

    (disk / "others").unlink()
    outcomes = predict(settings)
    assert {item.status for item in outcomes} <= {"done", "skipped"}
    assert sum(item.status == "skipped" for item in outcomes) >= len(done) - 1
    told = json.loads((disk / "predictions.json").read_text())
    assert list(told["cases"]) == list(NAMES)
    for name in NAMES:
        assert (disk / f"{name}.nii.gz").read_bytes() == (calm.out / f"{name}.nii.gz").read_bytes()
