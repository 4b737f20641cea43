"""Label maps held against nnUNetPredictor of the pinned nnunetv2, from the same weights."""

import numpy as np
import pytest
from tests.inference import nnunets
from tests.inference.conftest import scan

from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.imaging.orientation import reorient
from wirsung.imaging.volume import Volume
from wirsung.inference.predictor import How, Predictor

FULL = "3d_fullres"


def assert_same(ours, answers):
    """As nnU-Net with sums in float32 in 99.99 % of the voxels, and no farther than that from what it ships.

    On scans this small, borders are so much of the volume that float16 moves more than 1 voxel in 10,000.
    """
    exact, shipped = (answer.transpose(2, 1, 0) for answer in answers)
    assert set(np.unique(exact)) == {0, 1, 2}
    assert (ours == exact).mean() >= 0.9999
    assert (ours == shipped).mean() >= (exact == shipped).mean() - 1e-4
    assert (ours == shipped).mean() >= 0.999
    for value in range(3):
        both = ((ours == value) & (exact == value)).sum()
        assert 2 * both / ((ours == value).sum() + (exact == value).sum()) >= 0.999


def case(spacing, shape=(34, 38, 30), channels=1):
    """A volume a channel, and what nnU-Net's readers make of them: (channel, z, y, x)."""
    volumes = [scan(shape, spacing, seed=4)[0]]
    if channels == 2:
        volumes.append(volumes[0].with_voxels((volumes[0].voxels * 3 + 7).astype(np.int16)))
    return volumes, np.stack([volume.voxels.transpose(2, 1, 0) for volume in volumes])


@pytest.fixture(scope="module")
def trained():
    """A function that trains a network once for each plan."""
    known = {}

    def network(content, configuration, table, seed=0):
        key = (str(content["configurations"][configuration]), str(table["labels"]), configuration, seed)
        if key not in known:
            known[key] = nnunets.trained_network(content, configuration, table, seed)
        return known[key]

    return network


@pytest.mark.parametrize(
    ("changes", "spacing", "folds", "mirror"),
    [
        ({}, (1.5, 1.5, 2.0), 1, False),
        ({"spacing": [1.6, 1.6, 1.6]}, (1.1, 1.1, 1.3), 1, False),
        ({"spacing": [5.0, 1.2, 1.2]}, (0.9, 0.9, 4.4), 1, True),
        ({}, (0.8, 0.9, 3.7), 2, False),
        ({"residual": True}, (1.2, 1.3, 1.5), 1, True),
        ({"transpose_forward": [2, 0, 1], "transpose_backward": [1, 2, 0]}, (2.1, 1.0, 1.2), 1, False),
    ],
    ids=["plain", "isotropic", "anisotropic", "two folds", "residual", "transposed"],
)
def test_plain_models(trained, tmp_path, changes, spacing, folds, mirror):
    content = nnunets.plans_with(**changes)
    networks = [trained(content, FULL, nnunets.PLAIN, seed) for seed in range(folds)]
    model = nnunets.write_model(tmp_path / "m", content, FULL, nnunets.PLAIN, networks)
    volumes, image = case(spacing)
    axes = (0, 1) if mirror else ()
    theirs = nnunets.nnunets_answers(
        content, FULL, nnunets.PLAIN, networks, image, spacing[::-1], mirror=axes
    )
    made = Predictor.load(model, device="cpu", mirror=mirror).predict(volumes[0])
    assert_same(made.label_map.voxels, theirs)


def test_regions_with_an_ignore_label(trained, tmp_path):
    content = nnunets.plans_with()
    networks = [trained(content, FULL, nnunets.REGIONS)]
    model = nnunets.write_model(tmp_path / "m", content, FULL, nnunets.REGIONS, networks)
    volumes, image = case((0.9, 1.0, 1.5))
    theirs = nnunets.nnunets_answers(content, FULL, nnunets.REGIONS, networks, image, (1.5, 1.0, 0.9))
    predictor = Predictor.load(model, device="cpu")
    made = predictor.predict(volumes[0], lesion_probability=True)
    assert_same(made.label_map.voxels, theirs)
    assert [(item.name, item.value) for item in predictor.classes] == [
        ("pancreas", 1),
        ("pancreatic_lesion", 2),
    ]
    np.testing.assert_array_equal(made.label_map.voxels == 2, made.lesion_probability.voxels > 0.5)


def test_a_cascade(trained, tmp_path):
    content = nnunets.plans_with(cascade=True)
    spacing, (volumes, image) = (1.0, 1.1, 1.5), case((1.0, 1.1, 1.5))
    answers, before = {}, None
    for name in ("3d_lowres", "3d_cascade_fullres"):
        network = trained(content, name, nnunets.PLAIN)
        folder = tmp_path / f"nnUNetTrainer__nnUNetPlans__{name}"
        nnunets.write_model(folder, content, name, nnunets.PLAIN, [network])
        answers[name] = nnunets.nnunets_answers(
            content, name, nnunets.PLAIN, [network], image, spacing[::-1], before=before
        )
        before = answers[name][0][None].astype(np.int16)
    assert (answers["3d_lowres"][0] != answers["3d_cascade_fullres"][0]).mean() > 0.001
    # A folder of both is enough: the first stage is found beside the second.
    made = Predictor.load(tmp_path, how=How("cpu", choose="cascade")).predict(volumes[0])
    assert_same(made.label_map.voxels, answers["3d_cascade_fullres"])


@pytest.mark.parametrize("mirror", [False, True])
def test_two_dimensions(trained, tmp_path, mirror):
    content = nnunets.plans_with(flat=True)
    networks = [trained(content, "2d", nnunets.PLAIN)]
    model = nnunets.write_model(tmp_path / "m", content, "2d", nnunets.PLAIN, networks)
    volumes, image = case((1.1, 1.2, 3.0))
    axes = (0, 1) if mirror else ()
    theirs = nnunets.nnunets_answers(
        content, "2d", nnunets.PLAIN, networks, image, (3.0, 1.2, 1.1), mirror=axes
    )
    made = Predictor.load(model, device="cpu", mirror=mirror).predict(volumes[0])
    assert_same(made.label_map.voxels, theirs)


def test_two_channels_with_nothing_around_the_body(trained, tmp_path):
    content = nnunets.plans_with(channels=2)
    networks = [trained(content, FULL, nnunets.TWO_CHANNELS)]
    model = nnunets.write_model(tmp_path / "m", content, FULL, nnunets.TWO_CHANNELS, networks)
    volumes, image = case((1.2, 1.3, 1.9), channels=2)
    image = np.pad(image, ((0, 0), (3, 2), (0, 4), (5, 0)))
    volumes = [Volume(channel.transpose(2, 1, 0), volumes[0].affine) for channel in image]
    theirs = nnunets.nnunets_answers(content, FULL, nnunets.TWO_CHANNELS, networks, image, (1.9, 1.3, 1.2))
    made = Predictor.load(model, device="cpu").predict(volumes)
    assert_same(made.label_map.voxels, theirs)


@pytest.mark.parametrize(
    ("reader", "codes"),
    [
        ("NibabelIOWithReorient", "SAR"),
        ("SimpleITKIO", "PIL"),
        pytest.param("NibabelIOWithReorient", "LPS", marks=pytest.mark.slow),
        pytest.param("NibabelIOWithReorient", "PIL", marks=pytest.mark.slow),
        pytest.param("SimpleITKIO", "LPS", marks=pytest.mark.slow),
        pytest.param("SimpleITKIO", "SAR", marks=pytest.mark.slow),
    ],
)
def test_files_in_any_axis_order_through_nnunets_own_readers(trained, tmp_path, reader, codes):
    from nnunetv2.imageio.nibabel_reader_writer import NibabelIOWithReorient
    from nnunetv2.imageio.simpleitk_reader_writer import SimpleITKIO

    content = nnunets.plans_with(image_reader_writer=reader)
    networks = [trained(content, FULL, nnunets.PLAIN)]
    model = nnunets.write_model(tmp_path / "m", content, FULL, nnunets.PLAIN, networks)
    volume = reorient(case((1.2, 1.3, 1.9), (30, 26, 22))[0][0], codes)
    write_nifti(tmp_path / "image.nii.gz", volume)
    files = {"NibabelIOWithReorient": NibabelIOWithReorient, "SimpleITKIO": SimpleITKIO}[reader]()
    image, properties = files.read_images([str(tmp_path / "image.nii.gz")])
    theirs = []
    for answer in nnunets.nnunets_answers(
        content, FULL, nnunets.PLAIN, networks, image, properties["spacing"]
    ):
        files.write_seg(answer, str(tmp_path / "theirs.nii.gz"), properties)
        theirs.append(read_label_map(tmp_path / "theirs.nii.gz"))
    made = Predictor.load(model, device="cpu").predict(read_image(tmp_path / "image.nii.gz")).label_map
    np.testing.assert_allclose(made.affine, theirs[0].affine, atol=1e-4)
    assert_same(made.voxels, [item.voxels.transpose(2, 1, 0) for item in theirs])
