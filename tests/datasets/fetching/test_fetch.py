import hashlib
import io
import json
import os
import re
import subprocess
import sys
import tarfile
import time
import zipfile
from types import SimpleNamespace

import pytest

from wirsung.cli import main
from wirsung.datasets.fetching.fetch import FetchSettings, fetch, folder_of
from wirsung.datasets.fetching.transfer import DownloadError
from wirsung.datasets.sources import Download
from wirsung.errors import ConfigError, ManifestError, StorageError


def zipped(**files):
    made = io.BytesIO()
    with zipfile.ZipFile(made, "w") as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return made.getvalue()


IMAGES = zipped(**{"task/imagesTr/a.nii.gz": b"image"})
TABLE = b"case,sex\na,F\n"


@pytest.fixture
def mine(server, served, tmp_path):
    """A source of two files on the server: an archive with a checksum, and a table without."""
    server.script["/images.zip"] = [served(IMAGES)]
    server.script["/table.csv"] = [served(TABLE)]
    path = tmp_path / "mine.toml"
    path.write_text(f"""
schema = 1
name = "mine"
title = "My source"
citation = "Me, Mine, 2026"
doi = "10.1000/1"
label_scheme = "pants-2"
licence = {{ name = "CC-BY-4.0", redistribution = true, derivatives = true, commercial = true }}

[[downloads]]
url = "{server.url("/images.zip")}"
file = "images.zip"
sha256 = "{hashlib.sha256(IMAGES).hexdigest()}"
bytes = {len(IMAGES)}

[[downloads]]
url = "{server.url("/table.csv")}"
file = "table.csv"

[[layouts]]
name = "as released"
parts = [{{ image = "task/imagesTr/{{case}}.nii.gz", label = "task/labelsTr/{{case}}.nii.gz" }}]
""")
    return path


def run(mine, out, **settings):
    return {item.case: item for item in fetch(FetchSettings(str(mine), out, **settings)).outcomes}


def statuses(outcomes):
    return {name: item.status for name, item in outcomes.items()}


BOTH_DONE = {"images.zip": "done", "table.csv": "done"}
BOTH_SKIPPED = {"images.zip": "skipped", "table.csv": "skipped"}


def test_files_come_are_unpacked_and_recorded(mine, tmp_path):
    out = tmp_path / "out"
    assert statuses(run(mine, out)) == BOTH_DONE
    assert (out / "task/imagesTr/a.nii.gz").read_bytes() == b"image"
    record = json.loads((out / "fetched.json").read_text())
    assert record["source"] == "mine"
    table = record["files"]["table.csv"]
    assert table["sha256"] == hashlib.sha256(TABLE).hexdigest()
    assert table["total_bytes"] == len(TABLE)
    assert table["compared_with"] == "nothing"
    assert table["url"].endswith("/table.csv")
    assert record["files"]["images.zip"]["compared_with"] == "sha256"
    assert sorted(path.name for path in out.iterdir()) == ["fetched.json", "images.zip", "table.csv", "task"]


def test_the_second_run_asks_the_server_nothing(mine, server, tmp_path):
    run(mine, tmp_path / "out")
    asked = len(server.requests)
    assert statuses(run(mine, tmp_path / "out")) == BOTH_SKIPPED
    assert statuses(run(mine, tmp_path / "out", recheck=True)) == BOTH_SKIPPED
    assert len(server.requests) == asked == 2


def test_a_file_that_was_changed_since_is_named_and_left_alone(mine, tmp_path):
    out = tmp_path / "out"
    run(mine, out)
    (out / "table.csv").write_bytes(b"edited")
    outcomes = run(mine, out)
    assert statuses(outcomes) == {"images.zip": "skipped", "table.csv": "failed"}
    assert "it is not the file that came on 2" in outcomes["table.csv"].message
    assert (out / "table.csv").read_bytes() == b"edited"


def test_a_changed_byte_behind_an_old_time_is_found_by_recheck(mine, tmp_path):
    out = tmp_path / "out"
    run(mine, out)
    before = (out / "table.csv").stat()
    (out / "table.csv").write_bytes(TABLE.replace(b"F", b"M"))
    os.utime(out / "table.csv", ns=(before.st_atime_ns, before.st_mtime_ns))
    assert statuses(run(mine, out)) == BOTH_SKIPPED
    assert statuses(run(mine, out, recheck=True))["table.csv"] == "failed"


def test_a_file_that_was_touched_but_not_changed_is_read_once_and_kept(mine, server, tmp_path):
    out = tmp_path / "out"
    run(mine, out)
    (out / "table.csv").write_bytes(TABLE)
    assert statuses(run(mine, out))["table.csv"] in ("done", "skipped")
    assert statuses(run(mine, out)) == BOTH_SKIPPED
    assert len(server.requests) == 2


def test_a_file_that_the_user_brought_is_checked_and_taken(mine, server, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "images.zip").write_bytes(IMAGES)
    assert statuses(run(mine, out)) == BOTH_DONE
    assert not server.asked("/images.zip")
    assert (out / "task/imagesTr/a.nii.gz").is_file()


def test_a_wrong_file_that_the_user_brought_is_named(mine, server, tmp_path):
    out = tmp_path / "out"
    out.mkdir()
    (out / "images.zip").write_bytes(b"something else")
    assert "its SHA-256 is" in run(mine, out)["images.zip"].message
    assert not server.asked("/images.zip")


def test_a_bad_file_fails_alone(mine, server, served, tmp_path):
    server.script["/images.zip"] = [served(status=404)]
    outcomes = run(mine, tmp_path / "out")
    assert statuses(outcomes) == {"images.zip": "failed", "table.csv": "done"}
    assert "has no such file any more" in outcomes["images.zip"].message


def test_a_malicious_archive_is_kept_packed_and_told(mine, server, served, tmp_path):
    evil = zipped(**{"../evil": b"x"})
    server.script["/images.zip"] = [served(evil)]
    text = mine.read_text().replace(hashlib.sha256(IMAGES).hexdigest(), hashlib.sha256(evil).hexdigest())
    mine.write_text(text.replace(f"bytes = {len(IMAGES)}", ""))
    outcomes = run(mine, tmp_path / "out")
    assert "leads out of the folder" in outcomes["images.zip"].message
    assert not (tmp_path / "evil").exists()
    assert statuses(outcomes)["table.csv"] == "done"


def test_a_dropped_archive_is_not_fetched_again_while_its_content_is_there(mine, server, tmp_path):
    out = tmp_path / "out"
    run(mine, out, drop_archives=True)
    assert not (out / "images.zip").exists()
    assert statuses(run(mine, out)) == BOTH_SKIPPED
    assert len(server.requests) == 2
    (out / "task/imagesTr/a.nii.gz").unlink()
    (out / "task/imagesTr").rmdir()
    (out / "task").rmdir()
    assert statuses(run(mine, out))["images.zip"] == "done"
    assert (out / "task/imagesTr/a.nii.gz").is_file()


def test_an_archive_may_stay_packed_and_be_unpacked_later(mine, server, tmp_path):
    out = tmp_path / "out"
    run(mine, out, unpack=False)
    assert not (out / "task").exists()
    assert statuses(run(mine, out)) == {"images.zip": "done", "table.csv": "skipped"}
    assert (out / "task").is_dir()
    assert len(server.requests) == 2


def test_only_what_is_named_is_fetched(mine, server, tmp_path):
    assert statuses(run(mine, tmp_path / "out", only=("table.csv",))) == {"table.csv": "done"}
    assert not server.asked("/images.zip")
    with pytest.raises(ConfigError, match=r"mine has no file 'tabel\.csv'\. Did you mean table\.csv\?"):
        run(mine, tmp_path / "out", only=("tabel.csv",))


def test_a_folder_of_another_source_is_refused(mine, tmp_path):
    run(mine, tmp_path / "out")
    mine.write_text(mine.read_text().replace('name = "mine"', 'name = "yours"'))
    with pytest.raises(ManifestError, match="holds the files of mine, not of yours"):
        run(mine, tmp_path / "out")


def test_a_disk_that_is_too_small_for_all_is_said_first(mine, server, tmp_path):
    mine.write_text(mine.read_text().replace(f"bytes = {len(IMAGES)}", f"bytes = {10**18}"))
    with pytest.raises(StorageError, match=r"what is missing takes 1000000\.0 TB"):
        run(mine, tmp_path / "out")
    assert not server.requests


def test_a_source_that_wants_a_registration_says_where_and_what_then(tmp_path, capsys):
    path = tmp_path / "closed.toml"
    path.write_text("""
schema = 1
name = "closed"
title = "A closed source"
homepage = "https://example.org/closed"
access = "Register there and accept the terms."
label_scheme = "pants-2"
licence = { name = "" }
[[layouts]]
name = "as released"
parts = [{ image = "{case}.nii.gz", label = "labels/{case}.nii.gz" }]
""")
    said = (
        r"closed can't be downloaded without you\. Register there and accept the terms\. "
        rf"See https://example\.org/closed Then: wirsung import {re.escape(str(path))} FOLDER --out DATASET"
    )
    with pytest.raises(DownloadError, match=said):
        fetch(FetchSettings(str(path), tmp_path / "out"))
    assert "A closed source\nLicence unknown:" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_a_file_may_say_which_folder_it_is_unpacked_into():
    assert folder_of(Download("http://x/a.zip", "a.zip")) == ""
    assert folder_of(SimpleNamespace(file="a.zip", folder="LabelAll")) == "LabelAll"
    with pytest.raises(ConfigError, match=r"into '\.\./x', which leads out"):
        folder_of(SimpleNamespace(file="a.zip", folder="../x"))


@pytest.mark.parametrize("wrong", [{"stall_s": 0.0}, {"tries": 0}])
def test_settings_out_of_range_are_refused(mine, tmp_path, wrong):
    with pytest.raises(ConfigError, match="must be above 0"):
        run(mine, tmp_path / "out", **wrong)


def test_the_verb_tells_licence_and_citation_first_and_the_next_step_last(mine, tmp_path, capsys):
    assert main(["fetch", str(mine), str(tmp_path / "out")]) == 0
    told = capsys.readouterr()
    assert "Licence: CC-BY-4.0: redistribution yes" in told.err
    assert "Cite: Me, Mine, 2026 https://doi.org/10.1000/1" in told.err
    assert f"Next: wirsung import {mine} {tmp_path / 'out'} --out DATASET" in told.out
    assert "2 files: 2 done." in told.out


def test_the_verb_fails_where_a_file_fails(mine, server, served, tmp_path, capsys):
    server.script["/table.csv"] = [served(status=403)]
    assert main(["fetch", str(mine), str(tmp_path / "out")]) == 1
    assert "Next:" not in capsys.readouterr().out


def test_a_killed_run_goes_on_where_it_was(mine, server, served, tmp_path):
    out = tmp_path / "out"
    server.script["/images.zip"] = [served(IMAGES, send_bytes=50, stall=True), served(IMAGES)]
    command = [sys.executable, "-m", "wirsung", "fetch", str(mine), str(out)]
    process = subprocess.Popen(command, stderr=subprocess.DEVNULL)
    part, deadline = out / ".partial" / "images.zip", time.monotonic() + 60
    while not (part.is_file() and part.stat().st_size == 50):
        assert time.monotonic() < deadline, "nothing came"
        time.sleep(0.01)
    process.kill()
    process.wait()
    server.released.set()
    assert not (out / "images.zip").exists()
    assert statuses(run(mine, out)) == BOTH_DONE
    assert server.asked("/images.zip")[1]["Range"] == "bytes=50-"
    assert (out / "images.zip").read_bytes() == IMAGES


def test_a_changed_file_that_the_user_takes_is_recorded_as_compared_with_nothing(
    mine, server, served, tmp_path
):
    other = zipped(**{"task/imagesTr/b.nii.gz": b"another"})
    server.script["/images.zip"] = [served(other)]
    assert "were published, so the file was replaced" in run(mine, tmp_path / "out")["images.zip"].message
    assert statuses(run(mine, tmp_path / "out", take_changed=True))["images.zip"] == "done"
    entry = json.loads((tmp_path / "out" / "fetched.json").read_text())["files"]["images.zip"]
    assert entry["compared_with"] == "nothing"
    assert entry["sha256"] == hashlib.sha256(other).hexdigest()
    assert statuses(run(mine, tmp_path / "out")) == BOTH_SKIPPED


def test_a_tar_beside_a_zip_goes_into_the_same_folder(mine, server, served, tmp_path):
    made = io.BytesIO()
    with tarfile.open(fileobj=made, mode="w:gz") as archive:
        info = tarfile.TarInfo("task/labelsTr/a.nii.gz")
        info.size = 5
        archive.addfile(info, io.BytesIO(b"label"))
    server.script["/labels.tar.gz"] = [served(made.getvalue())]
    mine.write_text(
        mine.read_text().replace("/table.csv", "/labels.tar.gz").replace("table.csv", "labels.tar.gz")
    )
    run(mine, tmp_path / "out")
    assert (tmp_path / "out/task/labelsTr/a.nii.gz").read_bytes() == b"label"
    assert (tmp_path / "out/task/imagesTr/a.nii.gz").read_bytes() == b"image"
