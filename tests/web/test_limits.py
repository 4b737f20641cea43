"""Requests that are too large, cut off, of the wrong form or at the same time, to the service as it runs."""

import http.client
import json
import socket
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing, contextmanager

import numpy as np
import pytest

from wirsung.imaging.nifti import read_label_map

MEGABYTE = 1_000_000


@contextmanager
def connected(client):
    with closing(http.client.HTTPConnection(client.url.hostname, client.url.port, timeout=120)) as connection:
        yield connection


def told(connection):
    answer = connection.getresponse()
    return answer.status, json.loads(answer.read())["detail"]


def test_a_body_that_says_that_it_is_too_large_is_not_read(served):
    with connected(served) as connection:
        connection.putrequest("POST", "/predict")
        connection.putheader("Content-Type", "multipart/form-data; boundary=x")
        connection.putheader("Content-Length", str(10**12))
        connection.endheaders()
        assert told(connection) == (413, "The upload is larger than 20 MB. Serve with a higher --largest-mb.")


def test_a_body_that_does_not_say_how_large_it_is_is_counted(served):
    head = b'--x\r\nContent-Disposition: form-data; name="file"; filename="DOE_JANE.nii"\r\n\r\n'

    def body():
        yield head
        for _ in range(22):
            yield bytes(MEGABYTE)
        yield b"\r\n--x--\r\n"

    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with connected(served) as connection:
        try:
            connection.request("POST", "/predict", body(), headers, encode_chunked=True)
        except (BrokenPipeError, ConnectionResetError):
            return  # the service hung up before it had all, which is refusal enough
        status, detail = told(connection)
    assert (status, "larger than 20 MB" in detail) == (413, True)


def test_an_upload_that_is_cut_off_leaves_nothing_and_the_next_is_answered(serve_in, tmp_path, scan_file):
    folder = tmp_path / "uploads"
    folder.mkdir()
    content = scan_file.read_bytes()
    with serve_in(folder) as client:
        with socket.create_connection((client.url.hostname, client.url.port)) as line:
            line.sendall(
                b"POST /predict HTTP/1.1\r\nHost: x\r\nContent-Type: multipart/form-data; boundary=x\r\n"
                b"Content-Length: %d\r\n\r\n--x\r\n" % (len(content) + 500)
            )
            line.sendall(b'Content-Disposition: form-data; name="file"; filename="a.nii.gz"\r\n\r\n')
            line.sendall(content[: len(content) // 2])
        text = tmp_path / "notes.nii"
        text.write_text("no image")
        assert client.ask("POST", "/predict", files=[("file", text)])[0] == 400
        (own,) = folder.iterdir()
        assert list(own.iterdir()) == []
        assert client.ask("POST", "/predict", files=[("file", scan_file)])[0] == 200


@pytest.mark.parametrize(
    ("path", "fields"),
    [("/predict", {"file": "DOE_JANE"}), ("/predict", {}), ("/predict?output=DOE_JANE", {"file": "x"})],
)
def test_a_request_of_the_wrong_form_is_one_sentence_that_repeats_nothing_of_it(served, path, fields):
    status, answer = served.ask("POST", path, fields)
    assert status == 422
    assert answer["detail"].startswith("The request is not understood: ")
    assert "DOE" not in answer["detail"]


def test_a_body_that_is_no_form_is_one_sentence(served):
    headers = {"Content-Type": "multipart/form-data; boundary=x"}
    with connected(served) as connection:
        connection.request("POST", "/predict", b"DOE_JANE", headers)
        status, detail = told(connection)
    assert status in (400, 422)
    assert "DOE" not in detail


def test_two_requests_at_once_are_both_answered(served, scan_file, tmp_path):
    def ask(_):
        return served.ask("POST", "/predict", files=[("file", scan_file)])

    with ThreadPoolExecutor(2) as pool:
        answers = list(pool.map(ask, range(2)))
    maps = []
    for number, (status, content) in enumerate(answers):
        assert status == 200
        path = tmp_path / f"{number}.nii.gz"
        path.write_bytes(content)
        maps.append(read_label_map(path).voxels)
    np.testing.assert_array_equal(*maps)


def test_an_error_that_nobody_foresaw_tells_its_place_and_not_its_text(
    tmp_path, model, scan_file, monkeypatch
):
    from fastapi.testclient import TestClient

    from wirsung.inference.predictor import Predictor
    from wirsung.web.service import service
    from wirsung.web.uploads import Uploads
    from wirsung.web.warm import WarmModel

    class Broken(WarmModel):
        def __call__(self, image, out, *, lesion_probability=False):
            if lesion_probability:
                raise MemoryError
            message = "DOE_JANE"
            raise RuntimeError(message)

    app = service(Broken(Predictor.load(model, device="cpu"), "m"), Uploads(tmp_path, 20, 1))
    client = TestClient(app)
    for path, status, start in (
        ("/predict", 500, "unforeseen RuntimeError at test_limits.py:"),
        ("/predict?lesion_probability=true", 503, "There is not enough memory for this image."),
    ):
        with scan_file.open("rb") as file:
            answer = client.post(path, files={"file": file})
        assert answer.status_code == status
        assert answer.json()["detail"].startswith(start)
        assert "DOE" not in answer.text
