"""What a case costs, measured on two pieces of it, against what predicting it takes."""

import pytest

from wirsung.errors import ImageError
from wirsung.imaging.nifti import write_nifti
from wirsung.inference import estimate
from wirsung.inference.case import CaseWork
from wirsung.inference.estimate import measured
from wirsung.inference.settings import PredictSettings
from wirsung.inference.sources import Source


@pytest.fixture
def case(tmp_path, make_scan):
    write_nifti(tmp_path / "images" / "long.nii.gz", make_scan((40, 36, 60))[0])
    return Source("nifti", tmp_path / "images" / "long.nii.gz", "long")


@pytest.fixture
def work(tmp_path, model):
    return CaseWork.of(PredictSettings(tmp_path / "images", tmp_path / "out", model=model, device="cpu"))


def test_sizes_and_memory_are_those_of_the_case_and_nothing_is_left(work, case, tmp_path):
    rates = measured(work, case)
    assert rates.case == "long"
    assert not (tmp_path / "out").exists()
    work(_task(case))
    written = (tmp_path / "out" / "long.nii.gz").stat().st_size
    # The file holds a head, and what is random is as large in the part as in the whole.
    assert rates.written_bytes * 40 * 36 * 60 == pytest.approx(written, rel=0.3)
    base, slope = rates.memory_bytes
    # Two images of 16 bits and a label map are held beside what grows with the case.
    assert slope >= 2 * 2 + 1
    assert base > 50e6
    assert rates.gpu_bytes == (0.0, 0.0)
    assert min(rates.reading_s, rates.computing_s, rates.writing_s, rates.tile_s) > 0


def test_of_a_network_that_takes_long_a_thinner_piece_is_measured(work, case, monkeypatch):
    seen = []
    plain = CaseWork.compute_volumes

    def compute(self, task, volumes, modality):
        seen.append(volumes[0].shape[2])
        return plain(self, task, volumes, modality)

    monkeypatch.setattr(CaseWork, "compute_volumes", compute)
    measured(work, case)
    assert seen == [8, 8, 60]
    seen.clear()
    monkeypatch.setattr(estimate, "_ENOUGH_S", 0.0)
    measured(work, case)
    assert seen == [8, 8, 15]


def test_a_piece_lies_where_it_lay(work, case):
    volume = case.read().volumes[0]
    (piece,) = estimate._piece([volume], 8)
    assert piece.shape == (40, 36, 8)
    # Slices 26 to 33 of 2 mm.
    assert piece.affine[2, 3] == volume.affine[2, 3] + 52
    assert (piece.voxels == volume.voxels[:, :, 26:34]).all()


def test_a_case_that_can_not_be_read_says_so(work, case):
    case.path.write_bytes(b"no image")
    with pytest.raises(ImageError):
        measured(work, case)


def _task(source):
    from wirsung.inference.case import CaseTask

    return CaseTask(source, "key")
