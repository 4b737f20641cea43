"""Fingerprint and plans."""

import os
import re
import sys
from dataclasses import replace

import numpy as np
import pytest

from wirsung.anatomy.schemes import scheme
from wirsung.compute.cases import Outcome
from wirsung.datasets.layout import Dataset
from wirsung.errors import ConfigError, LabelError, MissingDependencyError, WirsungError
from wirsung.training.classes import choose_classes
from wirsung.training.planning import fingerprint, label_table, plan, require_network, succeeded
from wirsung.training.presets import PRESETS
from wirsung.training.reading import read_case
from wirsung.training.workspace import Workspace


@pytest.fixture(scope="module")
def cases(shared_dataset):
    return Dataset.open(shared_dataset).cases


@pytest.fixture(scope="module")
def classes(cases):
    return choose_classes(scheme("demo-7"), cases)


def test_the_fingerprint_describes_shapes_spacings_and_foreground(cases, classes):
    facts = fingerprint(cases, classes, workers=1)
    np.testing.assert_allclose(facts["spacings"], [[5.0, 4.0, 4.0]] * 5)
    assert facts["shapes_after_crop"] == [[24, 28, 32]] * 5
    assert facts["median_relative_size_after_cropping"] == 1.0
    arrays = [read_case(case, classes) for case in cases]
    inside = [item.image[0][item.labels > 0] for item in arrays]
    statistics = facts["foreground_intensity_properties_per_channel"]["0"]
    # Each case counts alike, however many foreground voxels it has.
    assert statistics["mean"] == pytest.approx(np.mean([values.mean() for values in inside]), abs=0.2)
    expected = np.percentile(np.concatenate(inside), [0.5, 50, 99.5])
    found = [statistics[key] for key in ("percentile_00_5", "median", "percentile_99_5")]
    np.testing.assert_allclose(found, expected, atol=2)


def test_nnunet_describes_a_case_alike(cases, classes, tmp_path):
    from nnunetv2.experiment_planning.dataset_fingerprint.fingerprint_extractor import (
        DatasetFingerprintExtractor,
    )

    from wirsung.training.planning import FingerprintTask, facts_of

    arrays = read_case(cases[0], classes)
    theirs, _ = DatasetFingerprintExtractor.collect_foreground_intensities(
        arrays.labels[None], arrays.image, num_samples=1000
    )
    ours = facts_of(FingerprintTask(cases[0], classes, 1000))
    np.testing.assert_array_equal(ours.foreground, theirs[0])


def test_nnunet_plans_within_what_the_preset_allows(cases, classes, tmp_path, monkeypatch):
    monkeypatch.delenv("nnUNet_raw", raising=False)
    facts = fingerprint(cases, classes, workers=1)
    images = {case.id: case.image_path for case in cases}
    table = label_table(cases, classes)
    made = plan(Workspace(tmp_path), facts, table, images, PRESETS["demo"], "nnunet")
    configuration = made.configuration("3d_fullres")
    assert min(configuration.spacing_mm) >= 4.0
    assert configuration.normalisations == ("CTNormalization",)
    assert max(configuration.architecture.arguments["features_per_stage"]) <= 96
    assert all(size <= 32 for size in configuration.patch_size)
    assert "nnUNet_raw" not in os.environ
    assert made.content["experiment_planner_used"] == "ExperimentPlanner"


def test_the_models_table_names_no_case(cases, classes):
    table = label_table(cases, classes)
    assert table["channel_names"] == {"0": "CT"}
    assert "dataset" not in table


def test_a_dataset_without_foreground_is_refused(tmp_path, patient):
    patient(tmp_path, "p0", 0, organs={"liver": ((90, 90, 90), (2, 2, 2), 0)})
    found = Dataset.open(tmp_path).cases
    with pytest.raises(LabelError, match="No case has a voxel"):
        fingerprint(found, choose_classes(scheme("demo-7"), found), workers=1)


def test_the_first_failed_case_is_named():
    outcomes = [
        Outcome("a", "done", value=1),
        Outcome("b", "failed", "is bad"),
        Outcome("c", "failed", "too"),
    ]
    with pytest.raises(WirsungError, match=r"case b: is bad \(and 1 more cases\)"):
        succeeded(outcomes)
    assert succeeded(outcomes[:1]) == [1]


@pytest.fixture(scope="module")
def facts(cases, classes):
    return fingerprint(cases, classes, workers=1)


def made(cases, classes, facts, folder, network, **changed):
    images = {case.id: case.image_path for case in cases}
    preset = replace(PRESETS["demo"], **changed)
    return plan(Workspace(folder), facts, label_table(cases, classes), images, preset, network)


def test_another_network_takes_the_place_of_nnunets_in_the_plans(cases, classes, facts, tmp_path):
    own = made(cases, classes, facts, tmp_path, "nnunet").configuration("3d_fullres")
    other = made(cases, classes, facts, tmp_path, "pansegnet-2").configuration("3d_fullres")
    assert other.patch_size == own.patch_size
    assert other.architecture.class_name == "wirsung.models.networks.pansegnet2.PanSegNet2"
    for name in ("features_per_stage", "strides", "kernel_sizes"):
        assert other.architecture.arguments[name] == own.architecture.arguments[name]


def test_a_network_that_can_not_take_the_planned_patch_names_one_that_would_do(
    cases, classes, facts, tmp_path
):
    with pytest.raises(
        ConfigError, match=r"UNETR can.t take a patch of .* would do\. Say it with --patch"
    ) as error:
        made(cases, classes, facts, tmp_path, "unetr")
    named = re.search(r"patch of (\d+) x (\d+) x (\d+) would", str(error.value)).groups()
    patch = tuple(map(int, named))
    found = made(cases, classes, facts, tmp_path, "unetr", patch=patch).configuration("3d_fullres")
    assert found.patch_size == patch
    assert found.architecture.arguments["patch_size"] == list(patch)


def test_another_patch_gives_nnunet_the_stages_that_go_with_it(cases, classes, facts, tmp_path):
    found = made(cases, classes, facts, tmp_path, "nnunet", patch=(16, 16, 16)).configuration("3d_fullres")
    assert found.patch_size == (16, 16, 16)
    assert found.architecture.arguments["strides"] == [[1, 1, 1], [2, 2, 2], [2, 2, 2]]
    assert found.architecture.arguments["features_per_stage"] == [12, 24, 48]


def test_short_names_are_nnunets_residual_encoders(cases, classes, facts, tmp_path):
    short, long = (
        made(cases, classes, facts, tmp_path / name, name).configuration("3d_fullres").architecture
        for name in ("resenc-m", "nnunet-resenc-m")
    )
    assert short == long
    assert short.class_name.endswith("ResidualEncoderUNet")


def test_a_missing_extra_is_said_before_any_work(monkeypatch):
    monkeypatch.setitem(sys.modules, "monai", None)
    with pytest.raises(MissingDependencyError, match=r"unetr needs monai.*wirsung\[zoo\]"):
        require_network("unetr")
    require_network("nnunet")


def test_mri_of_an_unknown_sequence_is_normalised_by_its_own_mean(imported):
    from nnunetv2.preprocessing.normalization.map_channel_name_to_normalization import (
        get_normalization_scheme,
    )

    case = Dataset.open(imported("amos")).case("amos_0508")
    assert case.modality == "mr"
    (channel,) = label_table([case], choose_classes(scheme("amos"), [case]))["channel_names"].values()
    assert get_normalization_scheme(channel).__name__ == "ZScoreNormalization"
    assert get_normalization_scheme("CT").__name__ == "CTNormalization"
