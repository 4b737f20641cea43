"""What a prediction would take: counted from headers, measured on pieces of one case."""

import pytest

from wirsung.inference.estimate import Rates
from wirsung.inference.plan import PredictPlan, Size
from wirsung.inference.run import predict
from wirsung.inference.settings import PredictSettings

RATES = Rates(1.0, 2.0, 0.5, 0.25, 0.02, (1e9, 40.0), (0.0, 0.0), "a")


def settings_of(images, model, **others):
    return PredictSettings(images, images.parent / "out", model=model, device="cpu", **others)


def test_a_plan_counts_what_is_left_and_writes_nothing(three_images, model):
    plan = predict(settings_of(three_images, model, plan=True))
    assert list(plan) == []
    assert not (three_images.parent / "out").exists()
    told = plan.as_json()
    assert (told["to_predict"], told["done"]) == (3, 0)
    assert told["tiles"] == sum(size.tiles for size in plan.sizes)
    assert told["voxels"] == 20 * 18 * 60 + 20 * 34 * 16 + 40 * 18 * 22
    assert told["seconds_a_tile"] > 0
    assert told["memory_gb"] > 0
    assert "PlainConvUNet (3d_fullres), 1 fold, patch 16 x 16 x 16 of 2 x 1.5 x 1.5 mm" in told["model"]

    (three_images / "short.nii.gz").rename(three_images.parent / "short.nii.gz")
    predict(settings_of(three_images, model))
    (three_images.parent / "short.nii.gz").rename(three_images / "short.nii.gz")
    (three_images / "bad.nii.gz").write_bytes(b"no image")
    before = sorted(path.name for path in (three_images.parent / "out").iterdir())
    plan = predict(settings_of(three_images, model, plan=True))
    told = plan.as_json()
    assert (told["to_predict"], told["done"], told["unreadable"], told["measured_on"]) == (1, 2, 1, "short")
    assert "1 to predict, 2 done, 1 unreadable" in plan.lines()[0]
    assert sorted(path.name for path in (three_images.parent / "out").iterdir()) == before


def test_a_plan_of_nothing_left_needs_no_measurement(three_images, model):
    predict(settings_of(three_images, model))
    plan = predict(settings_of(three_images, model, plan=True))
    assert plan.as_json()["wall_s"] == 0
    assert plan.lines()[0].endswith("0 to predict, 3 done")


def test_the_size_of_what_is_written_is_near_what_is_written_then(three_images, model):
    plan = predict(settings_of(three_images, model, plan=True))
    predict(settings_of(three_images, model))
    written = sum(path.stat().st_size for path in (three_images.parent / "out").glob("*.nii.gz"))
    assert plan.written_bytes == pytest.approx(written, rel=0.5)


def planned(tmp_path, **others):
    """Two cases of 100 million voxels and 40 tiles each."""
    sizes = [Size("a", 100_000_000, 40), Size("b", 100_000_000, 40)]
    return PredictPlan(PredictSettings(tmp_path, tmp_path, **others), "m", sizes, RATES)


def test_one_process_reads_and_writes_while_it_computes(tmp_path):
    # Computing 400 s, the network 20 s; the first case is read before, the last written after: 100 s + 50 s.
    assert planned(tmp_path).wall_s(1, 1) == pytest.approx(400 + 20 + 150)


def test_processes_share_the_cores_or_each_have_a_gpu(tmp_path):
    assert planned(tmp_path, workers=2).wall_s(2, 1) == pytest.approx(20 + (200 + 400 + 100) / 2)
    plan = planned(tmp_path, gpus=2, workers=4)
    assert plan.wall_s(4, 2) == pytest.approx((20 + 700) / 4)
    plan.rates = Rates(1.0, 2.0, 0.5, 100.0, 0.02, (1e9, 40.0), (1e9, 10.0), "a")
    assert plan.wall_s(4, 2) == pytest.approx(100 * 80 / 2)
    assert plan.peak_bytes == (pytest.approx(5e9), pytest.approx(2e9))


def test_lines_say_what_other_numbers_of_gpus_would_take(tmp_path):
    lines = planned(tmp_path, gpus=2).lines()
    times = [line for line in lines if line.startswith("time")]
    assert times[0].endswith("6 min 0 s by this call")
    assert [line.split("with ")[1] for line in times[1:]] == ["1 such GPU", "4 such GPUs", "8 such GPUs"]
    assert any("40 a case" in line for line in lines)


def test_of_a_cluster_the_time_of_one_worker_is_told(tmp_path):
    plan = planned(tmp_path, cluster="local:2")
    assert plan.wall_s(1, 1) == pytest.approx(720)
    (line,) = [line for line in plan.lines() if line.startswith("time")]
    assert line.endswith("12 min 0 s of one worker as fast as this process; the cluster's share it")


def test_a_small_disk_is_told(tmp_path, monkeypatch):
    plan = planned(tmp_path)
    monkeypatch.setattr(PredictPlan, "free_bytes", 1000)
    assert "There is not enough space" in plan.lines()[-1]
