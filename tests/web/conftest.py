"""The small model of the inference tests, served for real by the command line, and a client of it."""

import http.client
import importlib.util
import json
import os
import re
import secrets
import subprocess
import sys
from contextlib import contextmanager
from email.parser import BytesParser
from pathlib import Path
from urllib.parse import quote_plus, urlparse

import pytest

_place = Path(__file__).parents[1] / "inference" / "conftest.py"
_spec = importlib.util.spec_from_file_location("inference_conftest", _place)
_inference = importlib.util.module_from_spec(_spec)
_spec.loader.exec_module(_inference)

network = _inference.network
model = _inference.model
make_scan = _inference.make_scan


class Client:
    """Speaks as 3D Slicer's MONAILabel module does: multipart requests, multipart answers."""

    def __init__(self, url):
        self.url = urlparse(url)

    def ask(self, method, path, fields=None, files=()):
        """Status, and the answer: JSON, bytes, or the fields and files of a multipart answer."""
        body, headers = None, {}
        if fields is not None or files:
            boundary = secrets.token_hex(8)
            body = self._encoded(boundary, fields or {}, files)
            headers = {"Content-Type": f"multipart/form-data; boundary={boundary}"}
        connection = http.client.HTTPConnection(self.url.hostname, self.url.port, timeout=120)
        try:
            connection.request(method, path, body, headers)
            answer = connection.getresponse()
            return answer.status, self._decoded(answer.getheader("content-type"), answer.read())
        finally:
            connection.close()

    def info(self):
        return self.ask("GET", "/info/")[1]

    def infer(self, model, file=None, session_id=None, params=None):
        path = f"/infer/{quote_plus(model)}?image=scan"
        if session_id:
            path += f"&session_id={quote_plus(session_id)}"
        files = [("file", file)] if file else []
        return self.ask("POST", path, {"params": json.dumps(params or {})}, files)

    @staticmethod
    def _encoded(boundary, fields, files):
        parts = [(f'name="{name}"', text.encode()) for name, text in fields.items()]
        parts += [(f'name="{name}"; filename="{path.name}"', path.read_bytes()) for name, path in files]
        body = b"".join(
            f"--{boundary}\r\nContent-Disposition: form-data; {name}\r\n\r\n".encode() + content + b"\r\n"
            for name, content in parts
        )
        return body + f"--{boundary}--\r\n".encode()

    @staticmethod
    def _decoded(kind, body):
        if kind.startswith("application/json"):
            return json.loads(body)
        if not kind.startswith("multipart/"):
            return body
        message = BytesParser().parsebytes(f"Content-Type: {kind}\r\n\r\n".encode() + body)
        form = {
            part.get_param("name", header="content-disposition"): part.get_payload(decode=True)
            for part in message.get_payload()
        }
        return {"params": json.loads(form["params"]), "image": form["image"]}


@contextmanager
def serving(model, folder):
    """A client of `wirsung serve`, which keeps its uploads in the folder and ends well when it is told to."""
    command = [sys.executable, "-m", "wirsung", "serve", "--model", str(model), "--port", "0"]
    options = ["--device", "cpu", "--largest-mb", "20"]
    pipes = {"stdout": subprocess.PIPE, "stderr": subprocess.PIPE, "text": True}
    environment = {**os.environ, "TMPDIR": str(folder)}
    with subprocess.Popen([*command, *options], **pipes, env=environment) as process:
        try:
            line = process.stderr.readline()
            found = re.search(r"http://\S+", line)
            assert found, line + process.stderr.read()
            yield Client(found[0])
        finally:
            process.terminate()
            said, wrong = process.communicate(timeout=60)
    assert (process.returncode, said) == (0, f"{found[0]} is closed.\n")
    assert wrong == ""


@pytest.fixture(scope="session")
def served(model, tmp_path_factory):
    """One service for all tests that only ask."""
    with serving(model, tmp_path_factory.mktemp("uploads")) as client:
        yield client


@pytest.fixture
def serve_in(model):
    """A function that serves with the uploads in a folder, as a context."""
    return lambda folder: serving(model, folder)


@pytest.fixture
def scan_file(tmp_path, make_scan):
    """A scan whose file name a message must not repeat."""
    from wirsung.imaging.nifti import write_nifti

    volume, _ = make_scan()
    path = tmp_path / "DOE_JANE.nii.gz"
    write_nifti(path, volume)
    return path
