"""Wrong images and settings, through the real command line: one clear sentence each, and others go on."""

import gzip
import json
import os
import shutil

import nibabel as nib
import numpy as np
import pytest

from wirsung.cli import main
from wirsung.errors import GeometryError, ImageError
from wirsung.imaging.nifti import read_image, read_label_map, write_nifti
from wirsung.imaging.volume import Volume
from wirsung.inference.predictor import Predictor
from wirsung.models.weights import read_safetensors, save_weights

GRID = np.diag([1.5, 1.5, 2.0, 1.0])
SHAPE = (28, 26, 20)


def abdomen(shape=SHAPE, seed=0):
    """A body in HU: air, a ring of fat, soft tissue, and in it what the model takes for a pancreas."""
    from scipy import ndimage

    random = np.random.default_rng(seed)
    away = sum(
        ((axis - (size - 1) / 2) / (size / 2)) ** 2
        for axis, size in zip(np.indices(shape), shape, strict=True)
    )
    blob = ndimage.gaussian_filter(random.normal(size=shape), 2)
    inside = np.where(blob > 0.5 * blob.std(), 100.0, 20.0)
    voxels = np.where(away < 0.6, inside, np.where(away < 0.9, -100.0, -1000.0))
    return (voxels + random.normal(0, 5, shape)).round().astype(np.int16)


def save(path, voxels, affine=GRID, unit="mm"):
    """By nibabel, as it writes what our own writer would refuse."""
    path.parent.mkdir(exist_ok=True)
    image = nib.Nifti1Image(voxels, affine)
    image.set_sform(affine, 1)
    image.set_qform(affine, 1)
    image.header.set_xyzt_units(unit)
    nib.save(image, path)
    return path


@pytest.fixture
def ask(tmp_path, model, capsys):
    """Predict by the command line: exit status, messages of failed cases, notes, standard error."""

    def predict(source, *options, chosen=model, out="out"):
        words = ["predict", str(source), str(tmp_path / out), "--model", str(chosen), "--device", "cpu"]
        status = main([*words, "--json", *options])
        said = capsys.readouterr()
        cases = json.loads(said.out)["cases"] if said.out else []
        failed = {row["case"]: row["message"] for row in cases if row["status"] == "failed"}
        notes = {row["case"]: row["notes"] for row in cases if row.get("notes")}
        return status, failed, notes, said.err

    return predict


@pytest.fixture
def scans(tmp_path):
    """A folder with one good scan."""
    save(tmp_path / "in" / "good.nii.gz", abdomen())
    return tmp_path / "in"


@pytest.fixture
def mri_model(model, tmp_path):
    """The model as if it had learnt MRI."""
    made = shutil.copytree(model, tmp_path / "mri_model")
    plans = json.loads((made / "plans.json").read_text())
    plans["configurations"]["3d_fullres"]["normalization_schemes"] = ["ZScoreNormalization"]
    plans["foreground_intensity_properties_per_channel"]["0"] |= {
        "mean": 300.0,
        "std": 100.0,
        "median": 290.0,
        "percentile_00_5": 20.0,
        "percentile_99_5": 900.0,
    }
    (made / "plans.json").write_text(json.dumps(plans))
    table = json.loads((made / "dataset.json").read_text())
    (made / "dataset.json").write_text(json.dumps(table | {"channel_names": {"0": "MRI"}}))
    (made / "wirsung.json").unlink()
    return made


def test_a_good_scan_is_predicted_without_a_word(ask, scans):
    status, failed, notes, said = ask(scans, "--strict")
    assert (status, failed, notes) == (0, {}, {})
    assert "NOTE" not in said


def test_each_bad_file_fails_with_its_reason_and_the_others_go_on(ask, scans):
    good = (scans / "good.nii.gz").read_bytes()
    broken = abdomen().astype(np.float32)
    broken[3, 4, 5], broken[4, 4, 5] = np.nan, np.inf
    save(scans / "nan.nii.gz", broken)
    save(scans / "flat.nii.gz", abdomen()[:, :, 0])
    save(scans / "four.nii.gz", np.stack([abdomen()] * 2, -1))
    save(scans / "colour.nii.gz", np.zeros((4, 4, 4), [("R", "u1"), ("G", "u1"), ("B", "u1")]))
    (scans / "empty.nii.gz").write_bytes(b"")
    (scans / "cut.nii.gz").write_bytes(good[: len(good) // 2])
    (scans / "text.nii.gz").write_bytes(gzip.compress(b"no image " * 99))
    (scans / "text2.nii").write_text("no image")
    (scans / "shouted.NII.GZ").write_bytes(good)
    (scans / "other.nrrd").write_bytes(b"NRRD0004")
    (scans / "link.nii.gz").symlink_to(scans / "nowhere")
    expected = {
        "nan": "nan.nii.gz: 2 voxels are NaN or infinite. Find out",
        "flat": "flat.nii.gz: one volume of three axes is needed, but its axes are 28 x 26. Save a slice",
        "four": "four.nii.gz: one volume of three axes is needed, but its axes are 28 x 26 x 20 x 2. Extract",
        "colour": "colour.nii.gz: its number type",
        "empty": "empty.nii.gz is empty. Copy it again.",
        "cut": "cut.nii.gz is damaged: its gzip content ends too early. Copy",
        "text": "text.nii.gz is not a NIfTI file",
        "text2": "text2.nii is not a NIfTI file",
        "shouted": "shouted.NII.GZ is not named .nii.gz or .nii, as a NIfTI image must be. Rename",
        "other": "other.nrrd is not named .nii.gz or .nii, as a NIfTI image must be. Rename or convert it.",
        "link": "link.nii.gz can't be read (No such file or directory). Check",
    }
    status, failed, _, _ = ask(scans)
    assert status == 1
    assert set(failed) == set(expected)
    for case, start in expected.items():
        assert failed[case].startswith(f"{scans}/{start}"), case
    assert (scans.parent / "out" / "good.nii.gz").is_file()
    assert not list((scans.parent / "out").glob("[!g]*.nii.gz"))


@pytest.mark.parametrize(
    ("unit", "factor", "message"),
    [
        (
            "mm",
            1e-3,
            "spacing of 0.0015 x 0.0015 x 0.002 mm, but .* between 0.05 and 20 mm. Are .* in metres?",
        ),
        ("mm", 1e3, "spacing of 1500 x 1500 x 2000 mm, but .* in micrometres, or is the unit in its header"),
        ("meter", 1.0, "spacing of 1500 x 1500 x 2000 mm"),
    ],
)
def test_a_spacing_that_no_scan_has_is_refused(ask, scans, unit, factor, message):
    path = save(scans / "odd.nii.gz", abdomen(), np.diag([1.5, 1.5, 2.0, 1 / factor]) * factor, unit)
    _, failed, _, _ = ask(scans)
    assert list(failed) == ["odd"]
    with pytest.raises(GeometryError, match=rf"{path} has a {message}"):
        raise GeometryError(failed["odd"])


@pytest.mark.parametrize(("unit", "factor"), [("meter", 1e-3), ("micron", 1e3)])
def test_metres_and_micrometres_that_the_header_tells_are_brought_into_mm(ask, scans, unit, factor):
    save(scans / "said.nii.gz", abdomen(), np.diag([1.5, 1.5, 2.0, 1 / factor]) * factor, unit)
    status, failed, notes, _ = ask(scans, "--strict")
    assert (status, failed, notes) == (0, {}, {})
    one, other = (read_label_map(scans.parent / "out" / f"{name}.nii.gz") for name in ("good", "said"))
    np.testing.assert_array_equal(one.voxels, other.voxels)
    np.testing.assert_allclose(other.spacing_mm, (1.5, 1.5, 2.0), rtol=1e-6)


def test_a_grid_longer_than_any_body_is_refused_before_it_takes_all_memory(ask, scans):
    save(scans / "long.nii.gz", np.zeros((300, 4, 4), np.int16), np.diag([15.0, 1.0, 1.0, 1.0]))
    _, failed, _, _ = ask(scans)
    assert "is 4500 mm long (300 voxels, spacing 15 x 1 x 1 mm), but no scan is longer" in failed["long"]


@pytest.mark.parametrize("thickness_mm", [1.0, 5.0])
def test_one_slice_is_predicted_and_noted(ask, scans, thickness_mm):
    grid = np.diag([1.5, 1.5, thickness_mm, 1.0])
    save(scans / "slice.nii.gz", abdomen()[:, :, 9:10], grid)
    status, _, notes, _ = ask(scans)
    assert status == 0
    assert read_label_map(scans.parent / "out" / "slice.nii.gz").shape == (28, 26, 1)
    assert f"(1 x {thickness_mm:g} mm), but the network sees 32 mm at once" in notes["slice"][0]


def test_a_model_of_ct_says_with_numbers_what_is_no_ct_in_hu(ask, scans):
    body = abdomen().astype(np.float32)
    images = {
        "mri": np.random.default_rng(0).gamma(2.0, 100.0, SHAPE).astype(np.int16),
        "unsigned": np.clip(body + 1024, 0, None).astype(np.uint16),
        "zero_to_one": np.clip((body + 1000) / 2000, 0, 1),
        "eight_bits": np.clip((body + 160) / 400 * 255, 0, 255).astype(np.uint8),
        "twice_shifted": (body - 1024).astype(np.int16),
        "constant": np.full(SHAPE, 7, np.int16),
    }
    for name, voxels in images.items():
        save(scans / f"{name}.nii.gz", voxels)
    status, failed, notes, said = ask(scans)
    assert (status, failed) == (0, {})
    assert set(notes) == set(images)
    for name in set(images) - {"constant"}:
        (warning, *_) = notes[name]
        assert "does not look like CT in HU" in warning
        assert "what the model learnt lies between -100 and 300 (99 % of voxels)" in warning
        assert f"median {np.median(images[name]):.4g}"[:9] in warning
        assert f"NOTE {name}: {warning}\n" in said
    assert notes["constant"][0] == "The image is 7 everywhere, so there is nothing to find in it."
    record = json.loads((scans.parent / "out" / "predictions.json").read_text())["cases"]
    assert {name: row["warnings"] for name, row in record.items() if "warnings" in row} == notes


def test_strict_refuses_what_would_be_noted_be_it_predicted_before_or_not(ask, scans):
    save(scans / "unsigned.nii.gz", (abdomen().astype(int) + 1024).clip(0).astype(np.uint16))
    assert ask(scans, out="strict")[0] == 0
    for out in ("fresh", "strict"):
        status, failed, notes, _ = ask(scans, "--strict", out=out)
        assert (status, list(failed), notes) == (1, ["unsigned"], {})
        assert failed["unsigned"].startswith("The image does not look like CT in HU: fat and air would lie")
        assert failed["unsigned"].endswith("It is refused, as strict is on.")


def test_a_model_of_mri_says_what_looks_like_ct(ask, scans, mri_model):
    noise = np.random.default_rng(0).gamma(2.0, 100.0, SHAPE).astype(np.int16)
    save(scans / "mri.nii.gz", noise)
    status, failed, notes, _ = ask(scans, chosen=mri_model)
    assert (status, failed) == (0, {})
    assert list(notes) == ["good"]
    assert notes["good"][0].startswith(
        "The image looks like CT, but the model learnt MRI. It holds whole numbers"
    )
    assert "between 20 and 900 (99 % of voxels, median 290)" in notes["good"][0]
    assert not ask(scans, "--modality", "other", chosen=mri_model, out="asked for")[2]


def test_an_mri_by_its_name_is_not_taken_for_ct(ask, tmp_path, mri_model, model):
    noise = np.random.default_rng(0).gamma(2.0, 100.0, SHAPE).astype(np.int16)
    save(tmp_path / "p1" / "t1.nii.gz", noise)
    status, failed, _, _ = ask(tmp_path / "p1" / "t1.nii.gz")
    assert status == 1
    assert failed["t1"].startswith(
        "The image is of modality t1, but the model learnt ct. Take another model;"
    )
    foreign = shutil.copytree(model, tmp_path / "foreign")
    (foreign / "wirsung.json").unlink()
    _, _, notes, _ = ask(tmp_path / "p1" / "t1.nii.gz", chosen=foreign, out="foreign")
    assert notes["t1"][0].startswith(
        "The image is MRI by its name or header, but the model learnt CT. It holds"
    )
    assert not ask(tmp_path / "p1" / "t1.nii.gz", chosen=mri_model, out="mri")[2]


def test_coarse_and_short_images_are_noted(ask, scans):
    save(scans / "coarse.nii.gz", abdomen(), np.diag([16.0, 16.0, 2.0, 1.0]))
    _, _, notes, _ = ask(scans)
    assert list(notes) == ["coarse"]
    assert "spacing of 16 mm along one axis, but the network works at 1.5 mm" in notes["coarse"][0]


def test_real_scans_raise_no_alarm_in_their_own_model_and_one_in_the_other(shared_data, model, mri_model):
    from wirsung.imaging.dicom import read_series
    from wirsung.inference.plausibility import warnings_of

    of_ct, of_mri = (Predictor.load(path, device="cpu").parts[0].loaded for path in (model, mri_model))
    folder = shared_data / "ct_abdomen"
    ct = [read_image(folder / "ct.nii.gz"), read_image(folder / "ct_crop.nii.gz")]
    ct.append(read_series(shared_data / "ct_dicom" / "series").volume)
    mri = [read_image(shared_data / "mr_abdomen" / "mr.nii.gz")]
    for own, other, volumes in ((of_ct, of_mri, ct), (of_mri, of_ct, mri)):
        for volume in volumes:
            assert warnings_of([volume], own) == ()
            assert len(warnings_of([volume], other)) == 1
            # What scanners and datasets do to good scans.
            assert warnings_of([volume.with_voxels(np.clip(volume.voxels, -1000, 1000))], own) == ()
            middle = tuple(slice(size // 4, -(size // 4)) for size in volume.shape[:2])
            assert warnings_of([Volume(volume.voxels[middle], volume.affine)], own) == ()


@pytest.mark.slow
def test_phantoms_raise_no_alarm(tmp_path, ask, mri_model, capsys):
    for modality in ("ct", "t1", "t2"):
        words = ["--cases", "4", "--preset", "tiny", "--format", "nifti", "--modality", modality]
        assert main(["phantom", str(tmp_path / modality), *words]) == 0
    capsys.readouterr()
    assert ask(tmp_path / "ct", "--modality", "ct", "--strict")[1] == {}
    for modality in ("t1", "t2"):
        assert ask(tmp_path / modality, "--strict", chosen=mri_model, out=modality)[1] == {}


@pytest.fixture
def blind_model(model, tmp_path):
    """The model, but sure of background everywhere."""
    made = shutil.copytree(model, tmp_path / "blind_model")
    file = made / "fold_0" / "weights.safetensors"
    weights = read_safetensors(file)
    weights.state["decoder.seg_layers.0.bias"][0] += 1e4
    save_weights(file, weights)
    return made


def test_a_scan_without_a_pancreas_gives_an_empty_map_and_a_note(ask, scans, blind_model):
    options = ["--lesion-probability", "--postprocess", "one-piece", "lesion-in-pancreas"]
    options += ["--smallest-lesion-ml", "0.01", "--strict"]
    for _ in ("predicted", "skipped"):
        status, failed, notes, _ = ask(scans, *options, chosen=blind_model)
        assert (status, failed, notes) == (0, {}, {"good": ["No pancreas was found."]})
    out = scans.parent / "out"
    assert not read_label_map(out / "good.nii.gz").voxels.any()
    assert np.isfinite(read_image(out / "good_lesion.nii.gz").voxels).all()
    row = json.loads((out / "predictions.json").read_text())["cases"]["good"]
    assert row["lesion_score"]["region"] == "image"
    assert row["warnings"] == ["No pancreas was found."]


def test_in_python_the_same_is_said(model):
    predictor = Predictor.load(model, device="cpu")
    shifted = Volume((abdomen().astype(int) + 1024).clip(0).astype(np.int16), GRID)
    assert predictor.predict(Volume(abdomen(), GRID)).warnings == ()
    (warning,) = predictor.predict(shifted).warnings
    assert "does not look like CT in HU" in warning
    with pytest.raises(ImageError, match=r"does not look like CT in HU.*as strict is on"):
        predictor.predict(shifted, strict=True)
    with pytest.raises(GeometryError, match=r"The image has a spacing of 0.0015 x 0.0015 x 0.002 mm"):
        predictor.predict(Volume(abdomen(), np.diag([0.0015, 0.0015, 0.002, 1.0])))
    broken = abdomen().astype(np.float32)
    broken[0, 0, 0] = np.nan
    with pytest.raises(ImageError, match="1 voxel"):
        predictor.predict(Volume(broken, GRID))


def test_no_prediction_is_written_over_an_image_or_another_prediction(ask, scans, shared_data):
    whole = (scans / "good.nii.gz").read_bytes()
    said = f"The predictions would be written over the image good.nii.gz, as {scans} is its folder. Choose"
    assert said in ask(scans, out="in")[3]
    assert said in ask(scans / "good.nii.gz", out="in")[3]
    (scans.parent / "links").mkdir()
    (scans.parent / "links" / "good.nii.gz").symlink_to(scans / "good.nii.gz")
    assert said in ask(scans.parent / "links", out="in")[3]
    assert (scans / "good.nii.gz").read_bytes() == whole
    folder = series(shared_data, scans.parent / "series", but=range(3, 20))
    assert "written among the images of series" in ask(folder, out="series")[3]
    save(scans / "good_lesion.nii.gz", abdomen())
    assert "good_lesion.nii.gz would be both" in ask(scans, "--lesion-probability")[3]
    assert ask(scans)[0] == 0


def test_a_lone_file_of_the_wrong_kind_is_named_for_what_it_is(ask, tmp_path, shared_data):
    plain = tmp_path / "scan"
    save(tmp_path / "scan.nii.gz", abdomen()).rename(plain)
    assert ask(plain)[3].endswith(
        "scan is not named .nii.gz or .nii, as a NIfTI image must be. Rename or convert it.\n"
    )
    slice_file = sorted((shared_data / "ct_dicom" / "series").iterdir())[0]
    assert "is one DICOM file. Name the folder of its series." in ask(slice_file)[3]
    assert ask(tmp_path / "nowhere")[0] == 2


def series(shared_data, folder, but=()):
    """The real series, copied but for some of its slices in the order of their names."""
    folder.mkdir(parents=True)
    files = sorted((shared_data / "ct_dicom" / "series").iterdir())
    for number, file in enumerate(files):
        if number not in but:
            shutil.copy(file, folder / file.name)
    return folder


def test_a_dicom_series_that_lacks_a_slice_or_is_two_is_refused_and_others_go_on(ask, scans, shared_data):
    import pydicom

    lacking = series(shared_data, scans / "lacking")
    placed = {pydicom.dcmread(path).ImagePositionPatient[2]: path for path in lacking.iterdir()}
    placed[sorted(placed)[8]].unlink()
    mixed = series(shared_data, scans / "mixed")
    for number, path in enumerate(sorted(mixed.iterdir())):
        for name, uid in (("first", "1.2.3"), ("second", "1.2.4")):
            header = pydicom.dcmread(path)
            header.SeriesInstanceUID, header.SOPInstanceUID = uid, f"{uid}.{number}"
            header.save_as(mixed / f"{name}{number}")
        path.unlink()
    few = series(shared_data, scans / "few", but=range(2, 20))
    status, failed, _, _ = ask(scans)
    assert status == 1
    assert set(failed) == {"lacking", "mixed", "few"}
    assert failed["lacking"].startswith(f"{lacking}: SLICE_GAP, about 1 slice is missing")
    assert failed["mixed"].startswith(f"{mixed}: SEVERAL_STACKS, there are 2 stacks of 20, 20 slices.")
    assert f"{few}: TOO_FEW_SLICES" in failed["few"]


def test_slices_that_were_left_out_of_a_series_are_noted(ask, scans, shared_data):
    import pydicom

    folder = series(shared_data, scans / "strays")
    turned = series(shared_data, scans / "turned")
    for number, path in enumerate(sorted(folder.iterdir())[:2]):
        header = pydicom.dcmread(path)
        header.SeriesInstanceUID, header.SOPInstanceUID = "1.2.3", f"1.2.3.{number}"
        header.save_as(folder / f"stray{number}")
    for number, path in enumerate(sorted(turned.iterdir())[10:]):
        header = pydicom.dcmread(path)
        header.ImageOrientationPatient, header.SOPInstanceUID = [1, 0, 0, 0, 0, -1], f"1.2.4.{number}"
        header.save_as(path)
    status, failed, notes, err = ask(scans)
    assert (status, failed) == (0, {})
    assert "slices were left out or mended: 1 TOO_FEW_SLICES" in " ".join(notes["strays"])
    assert "slices were left out or mended" in " ".join(notes["turned"])
    assert "NOTE strays: In the folder of the series" in err


def test_nifti_beside_a_series_is_predicted_too(ask, tmp_path, shared_data):
    folder = series(shared_data, tmp_path / "both")
    save(folder / "good.nii.gz", abdomen())
    status, failed, _, _ = ask(folder)
    assert (status, failed) == (0, {})
    assert {path.name for path in (tmp_path / "out").glob("*.nii.gz")} == {"both.nii.gz", "good.nii.gz"}


def test_a_case_that_lacks_a_channel_fails_alone(scans):
    from wirsung.inference.sources import find_sources

    for name in ("a_0000", "a_0001", "b_0000"):
        write_nifti(scans / f"{name}.nii.gz", Volume(abdomen(), GRID))
    (scans / "good.nii.gz").unlink()
    found = find_sources(scans, channels=("CT", "T1"))
    assert len(found["a"].volumes()) == 2
    with pytest.raises(ImageError, match=r"case b lacks b_0001.nii.gz, its channel T1. Put it beside."):
        found["b"].read()


@pytest.mark.skipif(os.geteuid() == 0, reason="root may read everything")
def test_a_folder_without_rights_fails_alone(ask, scans):
    closed = scans / "closed"
    closed.mkdir()
    closed.chmod(0)
    try:
        assert "can't be read (Permission denied)" in ask(scans)[1]["closed"]
    finally:
        closed.chmod(0o700)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        (["--device", "tpu"], "There is no device named 'tpu'"),
        (["--threads", "0"], "threads is 0, but it must be at least 1"),
        (["--step", "-0.5"], "step is -0.5, but it must be above 0 and at most 1"),
        (["--step", "nan"], "step is nan, but it must be above 0"),
        (["--smallest-lesion-ml", "-1"], "a volume is at least 0 ml"),
        (["--fold", "7"], "has no fold 7"),
        (
            ["--checkpoint", "best"],
            "has no finished fold with a checkpoint_best.pth. Leave --checkpoint out.",
        ),
        (["--lesion", "cyst", "--lesion-probability"], "has no class cyst"),
        (["--choose", "other"], "has no model 'other'"),
        (["--postprocess", "nnunet"], "postprocessing.json"),
    ],
)
def test_a_setting_that_can_not_be_is_one_sentence_and_nothing_is_written(ask, scans, options, message):
    status, _, _, said = ask(scans, *options)
    assert status == 2
    assert message in said
    assert said.count("\n") == 1
    assert not list(scans.parent.glob("out/*.nii.gz"))


def test_a_gpu_that_is_not_there_is_said(ask, scans):
    import torch

    if torch.cuda.is_available():
        pytest.skip("this machine has one")
    status, _, _, said = ask(scans, "--device", "cuda")
    assert status == 2
    assert "This machine has no cuda device" in said
    assert "Try --device cpu" in said
