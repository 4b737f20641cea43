import io
import shutil
import subprocess
import sys
import tarfile
import tempfile
import zipfile
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wirsung.datasets.fetching.transfer import DownloadError
from wirsung.datasets.fetching.unpack import unpack
from wirsung.errors import StorageError


@pytest.fixture
def archive(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w") as made:
        made.writestr("task/imagesTr/x.bin", b"image" * 1000)
        made.writestr("task/labelsTr/x.bin", b"label")
    return path


def tree(folder):
    return {str(path.relative_to(folder)): path.read_bytes() for path in folder.rglob("*") if path.is_file()}


WHOLE = {"task/imagesTr/x.bin": b"image" * 1000, "task/labelsTr/x.bin": b"label"}


def test_an_archive_becomes_its_files_and_nothing_else(archive, tmp_path):
    shown = []
    done = unpack(archive, tmp_path / "out", lambda *told: shown.append(told))
    assert tree(tmp_path / "out") == WHOLE
    assert (done.names, done.files, done.total_bytes) == (("task",), 2, 5005)
    assert shown[-1] == (5005, 5005)
    assert not list((tmp_path / "out" / ".partial").iterdir())


def test_the_same_again_changes_nothing_and_two_archives_share_a_folder(archive, tmp_path):
    out = tmp_path / "out"
    unpack(archive, out)
    before = (out / "task/labelsTr/x.bin").stat().st_ino
    unpack(archive, out)
    assert (out / "task/labelsTr/x.bin").stat().st_ino == before
    with tarfile.open(tmp_path / "b.tar.gz", "w:gz") as made:
        info = tarfile.TarInfo("task/imagesTr/y.bin")
        info.size = 3
        made.addfile(info, io.BytesIO(b"abc"))
    unpack(tmp_path / "b.tar.gz", out)
    assert tree(out) == WHOLE | {"task/imagesTr/y.bin": b"abc"}


# Names that are one on no disk: letters of one case, with folders and files told apart by their first letter.
_TREES = st.dictionaries(
    st.from_regex(r"(d[a-e]{1,3}/){0,3}f[a-e]{1,4}\.nii", fullmatch=True),
    st.binary(max_size=200),
    min_size=1,
    max_size=12,
)


@settings(max_examples=25)
@given(content=_TREES, kind=st.sampled_from(["zip", "tar", "tar.gz", "tar.xz"]))
def test_what_was_packed_is_what_comes_out(content, kind):
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        path = folder / f"a.{kind}"
        if kind == "zip":
            with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as made:
                for file, data in content.items():
                    made.writestr(file, data)
        else:
            mode = "w" if kind == "tar" else f"w:{kind.removeprefix('tar.')}"
            with tarfile.open(path, mode) as made:
                for file, data in content.items():
                    info = tarfile.TarInfo(file)
                    info.size = len(data)
                    made.addfile(info, io.BytesIO(data))
        done = unpack(path, folder / "out")
        assert tree(folder / "out") == content
        assert (done.files, done.total_bytes) == (len(content), sum(map(len, content.values())))


def test_a_different_file_in_the_way_is_never_overwritten(archive, tmp_path):
    mine = tmp_path / "out" / "task" / "labelsTr" / "x.bin"
    mine.parent.mkdir(parents=True)
    mine.write_bytes(b"mine!")
    with pytest.raises(StorageError, match=r"x\.bin is there already with other content"):
        unpack(archive, tmp_path / "out")
    assert mine.read_bytes() == b"mine!"


def test_of_an_archive_that_is_damaged_at_its_end_nothing_is_kept(archive, tmp_path):
    content = archive.read_bytes()
    archive.write_bytes(content.replace(b"label", b"lABel"))
    with pytest.raises(DownloadError, match="is damaged"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out" / "task").exists()


def test_what_is_unpacked_aside_leaves_no_trace_in_the_folder(archive, tmp_path):
    unpack(archive, tmp_path / "out" / "LabelAll", aside=tmp_path / "out")
    assert tree(tmp_path / "out" / "LabelAll") == WHOLE
    assert [path.name for path in (tmp_path / "out").rglob("*")].count(".partial") == 0


def test_links_within_become_links_that_can_be_moved(tmp_path):
    with tarfile.open(tmp_path / "a.tar", "w") as made:
        info = tarfile.TarInfo("d/x")
        info.size = 3
        made.addfile(info, io.BytesIO(b"abc"))
        for name, kind, target in (("e/soft", tarfile.SYMTYPE, "../d/x"), ("e/hard", tarfile.LNKTYPE, "d/x")):
            link = tarfile.TarInfo(name)
            link.type, link.linkname = kind, target
            made.addfile(link)
    unpack(tmp_path / "a.tar", tmp_path / "out")
    shutil.move(tmp_path / "out", tmp_path / "moved")
    assert tree(tmp_path / "moved") == {"d/x": b"abc", "e/soft": b"abc", "e/hard": b"abc"}


def test_a_disk_without_room_is_said_before_a_byte_is_written(archive, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=1000))
    with pytest.raises(StorageError, match=r"what a\.zip holds takes 13\.2 kB, but only 1\.0 kB are free"):
        unpack(archive, tmp_path / "out")
    assert not (tmp_path / "out").exists()


def test_a_killed_run_leaves_no_half_and_the_next_one_ends_it(archive, tmp_path):
    out = tmp_path / "out"
    code = (
        "import os, sys, signal; from pathlib import Path\n"
        "from wirsung.datasets.fetching.unpack import unpack\n"
        "def die(done, total):\n    if total: os.kill(os.getpid(), signal.SIGKILL)\n"
        "unpack(Path(sys.argv[1]), Path(sys.argv[2]), die)"
    )
    killed = subprocess.run([sys.executable, "-c", code, archive, out], check=False)
    assert killed.returncode == -9
    assert [path.name for path in out.iterdir()] == [".partial"]
    unpack(archive, out)
    assert tree(out) == WHOLE
