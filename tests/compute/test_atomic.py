import errno
import json
import os
import subprocess
import sys

import pytest

from wirsung.compute.atomic import atomic_path, write_bytes, write_json, write_text
from wirsung.errors import StorageError


def names(folder):
    return [path.name for path in folder.iterdir()]


def test_a_file_appears_only_when_the_block_ends(tmp_path):
    path = tmp_path / "new" / "file.nii.gz"
    with atomic_path(path) as partial:
        assert partial.parent == path.parent
        assert partial.name.startswith(".")
        assert partial.name.endswith("file.nii.gz")
        partial.write_text("content")
        assert not path.exists()
    assert path.read_text() == "content"
    assert names(path.parent) == ["file.nii.gz"]


def test_a_file_may_be_read_by_others(tmp_path):
    write_bytes(tmp_path / "file", b"x")
    assert (tmp_path / "file").stat().st_mode & 0o777 == 0o644


@pytest.mark.parametrize("error", [ValueError, KeyboardInterrupt])
def test_an_error_leaves_the_earlier_file_and_nothing_else(error, tmp_path):
    path = tmp_path / "file"
    write_text(path, "earlier")

    def fail():
        with atomic_path(path) as partial:
            partial.write_text("half")
            raise error

    with pytest.raises(error):
        fail()
    assert path.read_text() == "earlier"
    assert names(tmp_path) == ["file"]


@pytest.mark.parametrize(
    ("code", "reason"),
    [(errno.ENOSPC, "the disk is full"), (errno.EDQUOT, "the disk is full"), (errno.EIO, "can't be written")],
)
def test_an_error_of_the_disk_is_named(code, reason, tmp_path):
    def fail():
        with atomic_path(tmp_path / "file"):
            raise OSError(code, os.strerror(code))

    with pytest.raises(StorageError, match=reason):
        fail()
    assert names(tmp_path) == []


def test_a_folder_that_is_a_file_is_refused(tmp_path):
    (tmp_path / "folder").write_text("a file")
    with pytest.raises(StorageError, match="can't be written"):
        write_text(tmp_path / "folder" / "file", "x")


def test_text_is_utf_8_and_json_ends_with_a_line(tmp_path):
    write_text(tmp_path / "text", "Müller–λ")
    assert (tmp_path / "text").read_bytes() == "Müller–λ".encode()
    write_json(tmp_path / "json", {"schema": 1, "name": "λ"})
    assert json.loads((tmp_path / "json").read_text(encoding="utf-8")) == {"schema": 1, "name": "λ"}
    assert (tmp_path / "json").read_text(encoding="utf-8").endswith("}\n")


def test_json_has_no_nan(tmp_path):
    with pytest.raises(ValueError, match="JSON compliant"):
        write_json(tmp_path / "json", {"value": float("nan")})
    assert names(tmp_path) == []


def test_a_killed_process_leaves_no_half_file(tmp_path):
    """Killed between two writes, as by the kernel for want of memory."""
    script = f"""
import sys
from pathlib import Path
from wirsung.compute.atomic import atomic_path
with atomic_path(Path({str(tmp_path / "file")!r})) as partial, partial.open("wb") as file:
    file.write(bytes(1000))
    file.flush()
    print("written", flush=True)
    sys.stdin.read()
"""
    with subprocess.Popen(
        [sys.executable, "-c", script], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as process:
        assert process.stdout.readline() == b"written\n"
        process.kill()
        process.wait()
    assert not (tmp_path / "file").exists()
    assert all(name.startswith(".partial-") for name in names(tmp_path))
