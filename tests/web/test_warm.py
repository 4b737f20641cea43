"""The warm model: what it refuses, and that two requests at once get the answers of one after the other."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace

import numpy as np
import pytest

from wirsung.errors import CheckpointError, ConfigError
from wirsung.imaging.nifti import read_label_map
from wirsung.inference.predictor import Predictor
from wirsung.inference.presets import PRESETS
from wirsung.web.settings import ServeSettings
from wirsung.web.warm import WarmModel, warm_model


def test_a_model_must_be_named():
    with pytest.raises(ConfigError, match="--model"):
        warm_model(ServeSettings())


def test_two_requests_at_once_get_the_same_answers(model, scan_file, tmp_path):
    warm = warm_model(ServeSettings(model=model, device="cpu"))
    rooms = [tmp_path / str(number) for number in range(4)]
    for room in rooms:
        room.mkdir()
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda room: warm(scan_file, room), rooms))
    maps = [read_label_map(answer.file).voxels for answer in answers]
    for labels in maps[1:]:
        np.testing.assert_array_equal(labels, maps[0])
    counted = np.count_nonzero(maps[0] == 28) * 4.5e-3
    assert answers[0].volumes_ml["pancreatic_lesion"] == pytest.approx(counted)


def test_a_model_without_lesions_says_so(model, scan_file, tmp_path):
    predictor = Predictor.load(model, device="cpu")
    only_pancreas = replace(predictor, classes=predictor.classes[:1])
    with pytest.raises(CheckpointError, match="pancreatic_lesion"):
        WarmModel(only_pancreas, "m")(scan_file, tmp_path, lesion_probability=True)


def test_the_preset_is_the_predictors(model):
    warm = warm_model(ServeSettings(model=model, device="cpu", preset="fast"))
    assert warm._predictor.parts[0].loaded.stage.preset == PRESETS["fast"]
