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
from wirsung.models.normalisation import missed_by_nnunet
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


@pytest.fixture(scope="module")
def joint_cases(joint_dataset):
    return Dataset.open(joint_dataset).cases


@pytest.fixture(scope="module")
def joint_facts(joint_cases, classes):
    return fingerprint(joint_cases, classes, workers=1)


def foreground(case, classes):
    arrays = read_case(case, classes)
    return arrays.image[0][arrays.labels > 0].astype(float)


def test_each_modality_has_a_fingerprint_of_its_own(joint_cases, joint_facts, classes):
    ways = joint_facts["normalisation_by_modality"]
    assert list(ways) == ["ct", "t1", "t2"]
    for modality, way in ways.items():
        inside = [foreground(case, classes) for case in joint_cases if case.modality == modality]
        assert way["intensity"]["mean"] == pytest.approx(np.mean([v.mean() for v in inside]), rel=0.01)
    assert [way["scheme"] for way in ways.values()] == ["CTNormalization"] + ["ZScoreNormalization"] * 2
    # The MRs keep 28 x 24 x 22 of 32 x 28 x 24 voxels, 0.69; the CTs all.
    assert [way["inside_mask_only"] for way in ways.values()] == [False, True, True]


def test_cts_of_a_joint_dataset_are_normalised_as_if_they_were_alone(joint_cases, joint_facts, classes):
    alone = fingerprint([case for case in joint_cases if case.modality == "ct"], classes, workers=1)
    statistics = alone["foreground_intensity_properties_per_channel"]["0"]
    joint = joint_facts["normalisation_by_modality"]["ct"]["intensity"]
    assert joint == {key: pytest.approx(statistics[key], abs=1) for key in joint}
    assert "normalisation_by_modality" not in alone


def test_spacing_and_shape_are_planned_over_all_modalities(joint_cases, joint_facts):
    assert len(joint_facts["spacings"]) == len(joint_facts["shapes_after_crop"]) == 6
    assert joint_facts["median_relative_size_after_cropping"] == pytest.approx(28 * 24 * 22 / (32 * 28 * 24))


def test_nnunet_plans_several_modalities_as_to_be_z_scored(joint_cases, joint_facts, classes, tmp_path):
    assert label_table(joint_cases, classes)["channel_names"] == {"0": "CT+T1+T2"}
    plans = made(joint_cases, classes, joint_facts, tmp_path, "nnunet")
    configuration = plans.configuration("3d_fullres")
    assert configuration.normalisations == ("ZScoreNormalization",)
    # nnU-Net's own augmentation must not blank the CTs' outside, which prediction will not.
    assert joint_facts["median_relative_size_after_cropping"] < 0.75
    assert configuration.inside_mask_only == (False,)
    assert set(plans.by_modality) == {"ct", "t1", "t2"}
    assert plans.normalisations(configuration, "ct")[0].scheme == "CTNormalization"
    # Under every network.
    other = made(joint_cases, classes, joint_facts, tmp_path / "other", "pansegnet-2")
    assert other.by_modality == plans.by_modality


def test_two_mri_sequences_are_normalised_as_nnunet_would(joint_cases, classes, tmp_path):
    cases = [case for case in joint_cases if case.modality != "ct"]
    plans = made(cases, classes, fingerprint(cases, classes, workers=1), tmp_path, "nnunet")
    assert set(plans.by_modality) == {"t1", "t2"}
    assert missed_by_nnunet(plans.content) == ()
    assert plans.configuration("3d_fullres").inside_mask_only == (True,)


def test_a_modality_without_foreground_is_refused(tmp_path, patient):
    patient(tmp_path, "p0", 0)
    patient(tmp_path, "p1", 0, organs={"liver": ((90, 90, 90), (2, 2, 2), 0)})
    (tmp_path / "ImageTr" / "p1" / "ct.nii.gz").rename(tmp_path / "ImageTr" / "p1" / "t2.nii.gz")
    found = Dataset.open(tmp_path).cases
    learnt = choose_classes(scheme("demo-7"), found[1:])
    with pytest.raises(LabelError, match="No t2 case has a voxel of any class of demo-7"):
        fingerprint(found, learnt, workers=1)
