"""The verb: what it says before it listens."""

import socket
import subprocess
import sys


def run(*words):
    command = [sys.executable, "-m", "wirsung", "serve", *words]
    return subprocess.run(command, capture_output=True, text=True, timeout=120, check=False)


def test_without_a_model_it_says_which_option_is_missing():
    done = run()
    assert (done.returncode, "--model" in done.stderr) == (2, True)


def test_a_port_that_is_taken_is_one_clear_error(model):
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = str(taken.getsockname()[1])
        done = run("--model", str(model), "--device", "cpu", "--port", port)
    assert done.returncode == 2
    assert f"127.0.0.1:{port}" in done.stderr
    assert "Traceback" not in done.stderr


def test_when_it_is_told_to_end_the_images_of_open_sessions_are_deleted(serve_in, scan_file, tmp_path):
    folder = tmp_path / "uploads"
    folder.mkdir()
    with serve_in(folder) as client:
        assert client.ask("PUT", "/session/", files=[("files", scan_file)])[0] == 200
        assert list(folder.rglob("image.nii.gz"))
    assert not list(folder.iterdir())
