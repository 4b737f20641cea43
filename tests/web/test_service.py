"""The service as a client meets it: real HTTP, real model, the answers held against the predictor's own."""

import numpy as np
import pytest

from wirsung.imaging.nifti import read_image, read_label_map
from wirsung.inference.predictor import Predictor


@pytest.fixture
def expected(model, scan_file):
    return Predictor.load(model, device="cpu").predict(read_image(scan_file), lesion_probability=True)


def saved(tmp_path, content):
    path = tmp_path / "answer.nii.gz"
    path.write_bytes(content)
    return path


def test_predict_answers_with_the_label_map_of_the_predictor(served, scan_file, tmp_path, expected):
    status, content = served.ask("POST", "/predict", files=[("file", scan_file)])
    assert status == 200
    answer = read_label_map(saved(tmp_path, content))
    np.testing.assert_array_equal(answer.voxels, expected.label_map.voxels)
    np.testing.assert_allclose(answer.affine, expected.label_map.affine, atol=1e-5)


def test_predict_answers_with_the_probability_of_the_lesion(served, scan_file, tmp_path, expected):
    path = "/predict?lesion_probability=true"
    status, content = served.ask("POST", path, files=[("file", scan_file)])
    assert status == 200
    answer = read_image(saved(tmp_path, content))
    np.testing.assert_allclose(answer.voxels, expected.lesion_probability.voxels, atol=1e-6)


def test_predict_answers_with_volumes_as_json(served, scan_file, expected):
    _, answer = served.ask("POST", "/predict?output=json", files=[("file", scan_file)])
    voxels = np.count_nonzero(expected.label_map.voxels == 17)
    assert answer["volumes_ml"]["pancreas"] == pytest.approx(voxels * 4.5e-3, abs=1e-3)
    assert answer["latencies"]["total"] > 0


def test_slicers_module_finds_the_model_and_gets_a_label_map(served, scan_file, tmp_path, expected, model):
    info = served.info()
    assert info["models"][model.name]["type"] == "segmentation"
    assert info["models"][model.name]["labels"] == {"pancreas": 17, "pancreatic_lesion": 28}
    assert {"trainers", "strategies", "scoring", "datastore"} <= set(info)
    status, answer = served.infer(model.name, scan_file)
    assert status == 200
    labels = read_label_map(saved(tmp_path, answer["image"])).voxels
    np.testing.assert_array_equal(labels, expected.label_map.voxels)
    assert answer["params"]["label_names"] == {"pancreas": 17, "pancreatic_lesion": 28}


def test_only_what_was_found_is_named_as_slicer_names_segments_by_their_order(
    served, tmp_path, model, make_scan
):
    from wirsung.imaging.nifti import write_nifti

    volume, _ = make_scan()
    dark = volume.with_voxels(np.zeros(volume.shape, np.int16))
    write_nifti(tmp_path / "dark.nii.gz", dark)
    status, answer = served.infer(model.name, tmp_path / "dark.nii.gz")
    assert status == 200
    present = set(np.unique(read_label_map(saved(tmp_path, answer["image"])).voxels)) - {0}
    assert set(answer["params"]["label_names"].values()) == present


def test_a_session_keeps_an_image_until_it_is_closed(served, scan_file, tmp_path, expected, model):
    status, opened = served.ask("PUT", "/session/", files=[("files", scan_file)])
    assert status == 200
    name = opened["session_id"]
    assert served.ask("GET", f"/session/{name}")[0] == 200
    _, answer = served.infer(model.name, session_id=name)
    labels = read_label_map(saved(tmp_path, answer["image"])).voxels
    np.testing.assert_array_equal(labels, expected.label_map.voxels)
    assert served.ask("DELETE", f"/session/{name}")[0] == 200
    status, answer = served.ask("GET", f"/session/{name}")
    assert (status, "no such session" in answer["detail"]) == (400, True)


def test_a_dicom_series_is_predicted(served, shared_data, tmp_path, model):
    from wirsung.imaging.dicom import read_series

    folder = shared_data / "ct_dicom" / "series"
    files = [("file", path) for path in sorted(folder.iterdir())]
    status, content = served.ask("POST", "/predict", files=files)
    assert status == 200
    volume = read_series(folder).volume
    expected = Predictor.load(model, device="cpu").predict(volume).label_map
    np.testing.assert_array_equal(read_label_map(saved(tmp_path, content)).voxels, expected.voxels)


def test_bad_requests_are_one_sentence_each_without_any_name_of_a_file(served, scan_file, tmp_path, model):
    damaged = tmp_path / "DOE_JOHN.nii.gz"
    damaged.write_bytes(scan_file.read_bytes()[:200])
    text = tmp_path / "DOE_notes.txt"
    text.write_text("not an image")
    huge = tmp_path / "DOE_huge.nii"
    huge.write_bytes(bytes(20_000_001))
    asked = {
        "damaged": served.ask("POST", "/predict", files=[("file", damaged)]),
        "no image": served.ask("POST", "/predict", files=[("file", text)]),
        "too large": served.ask("POST", "/predict", files=[("file", huge)]),
        "two images": served.ask("POST", "/predict", files=[("file", scan_file), ("file", scan_file)]),
        "no such model": served.infer("liver", scan_file),
        "nothing sent": served.infer(model.name),
        "bad parameters": served.ask("POST", f"/infer/{model.name}", {"params": "{"}, [("file", scan_file)]),
        "no session": served.infer(model.name, session_id="0" * 32),
    }
    for what, (status, answer) in asked.items():
        assert status == 400, what
        assert "DOE" not in answer["detail"], what
        assert str(tmp_path) not in answer["detail"], what
        assert "/tmp" not in answer["detail"], what
    assert "larger than 20 MB" in asked["too large"][1]["detail"]
    assert model.name in asked["no such model"][1]["detail"]


def test_what_the_protocol_has_and_this_service_does_not_is_not_found(served):
    assert served.ask("POST", "/train/")[0] == 404
    assert served.ask("GET", "/docs")[0] == 404


def test_the_welcome_shows_commands_that_work(served, model):
    status, content = served.ask("GET", "/")
    assert status == 200
    assert model.name in content.decode()
    assert "/predict -o labels.nii.gz" in content.decode()


def test_the_same_is_refused_as_on_the_command_line_and_in_the_same_words(served, scan_file, tmp_path):
    import nibabel as nib

    image = nib.load(scan_file)
    wrong = {
        "nan": (np.full(image.shape, np.nan, np.float32), np.eye(4), "voxels are NaN or infinite. Find out"),
        "metres": (np.asarray(image.dataobj), image.affine / 1000, "Are its lengths in metres?"),
        "flat": (np.asarray(image.dataobj)[0], np.eye(4), "one volume of three axes is needed"),
        "four": (np.stack([image.dataobj] * 2, -1), np.eye(4), "one volume of three axes is needed"),
    }
    for name, (voxels, affine, words) in wrong.items():
        own = np.array(affine)
        own[3, 3] = 1.0
        path = tmp_path / f"DOE_{name}.nii.gz"
        nib.save(nib.Nifti1Image(voxels, own), path)
        status, answer = served.ask("POST", "/predict", files=[("file", path)])
        assert (status, words in answer["detail"]) == (400, True), name
        assert answer["detail"].startswith("the uploaded image.nii.gz")
        assert "DOE" not in answer["detail"]


def test_what_is_odd_about_an_image_is_noted(served, scan_file):
    _, answer = served.ask("POST", "/predict?output=json", files=[("file", scan_file)])
    (note,) = answer["notes"]
    assert note.startswith("The image does not look like CT in HU: fat and air would lie below -30")


def test_a_strict_service_refuses_what_is_odd_and_a_lax_one_says_where_no_pancreas_was(
    model, scan_file, tmp_path
):
    import shutil

    from wirsung.errors import ImageError
    from wirsung.models.weights import read_safetensors, save_weights
    from wirsung.web.settings import ServeSettings
    from wirsung.web.warm import warm_model

    blind = shutil.copytree(model, tmp_path / "blind")
    weights = read_safetensors(blind / "fold_0" / "weights.safetensors")
    weights.state["decoder.seg_layers.0.bias"][0] += 1e4
    save_weights(blind / "fold_0" / "weights.safetensors", weights)
    answer = warm_model(ServeSettings(blind, device="cpu"))(scan_file, tmp_path)
    assert answer.found == {}
    assert answer.notes[-1] == "No pancreas was found."
    with pytest.raises(ImageError, match=r"does not look like CT in HU.*refused"):
        warm_model(ServeSettings(blind, device="cpu", strict=True))(scan_file, tmp_path)
