"""Zips that mean harm, each made here."""

import io
import stat
import struct
import zipfile
from pathlib import PurePosixPath

import pytest

from wirsung.errors import CheckpointError
from wirsung.models import archives
from wirsung.models.archives import members, opened_zip, unpack


def _zip(path, *names, content=b"x"):
    with zipfile.ZipFile(path, "w") as archive:
        for name in names:
            archive.writestr(zipfile.ZipInfo(name) if isinstance(name, str) else name, content)
    return path


def test_an_honest_zip_is_unpacked_as_it_is(tmp_path):
    path = _zip(
        tmp_path / "a.zip", "model/plans.json", "model/fold_0/checkpoint_final.pth", content=b"content"
    )
    with opened_zip(path) as archive:
        assert set(members(archive)) == {
            PurePosixPath("model/plans.json"),
            PurePosixPath("model/fold_0/checkpoint_final.pth"),
        }
        unpack(archive, [PurePosixPath("model/plans.json")], tmp_path / "out")
    files = [path for path in (tmp_path / "out").rglob("*") if path.is_file()]
    assert files == [tmp_path / "out" / "model" / "plans.json"]
    assert files[0].read_bytes() == b"content"


@pytest.mark.parametrize(
    "name",
    ["../evil", "a/../../evil", "/etc/evil", "C:/evil", "..\\evil", "a\\..\\..\\evil", "plans.json\0.txt"],
)
def test_names_that_lead_outside_are_refused(tmp_path, name):
    path = tmp_path / "a.zip"
    # Python cleans some of these names as it writes them, so they are put in afterwards.
    stand_in = "N" * len(name)
    _zip(path, stand_in)
    path.write_bytes(path.read_bytes().replace(stand_in.encode(), name.encode()))
    with pytest.raises(CheckpointError, match="leads outside the folder"), opened_zip(path):
        pass


@pytest.mark.filterwarnings("ignore:Duplicate name")
@pytest.mark.parametrize("names", [("a/plans.json", "a/plans.json"), ("a/plans.json", "A/Plans.json")])
def test_a_name_that_is_there_twice_is_refused(tmp_path, names):
    with (
        pytest.raises(CheckpointError, match="has two members named"),
        opened_zip(_zip(tmp_path / "a.zip", *names)),
    ):
        pass


def test_a_file_that_is_a_folder_too_is_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", "plans.json", "plans.json/x")
    with pytest.raises(CheckpointError, match="inside a file"), opened_zip(path):
        pass


def test_links_are_refused(tmp_path):
    link = zipfile.ZipInfo("link")
    link.create_system = 3
    link.external_attr = (stat.S_IFLNK | 0o777) << 16
    path = _zip(tmp_path / "a.zip", link, content=b"/etc/passwd")
    with pytest.raises(CheckpointError, match="a link or a device"), opened_zip(path):
        pass


def test_encrypted_members_are_refused(tmp_path):
    path = _zip(tmp_path / "a.zip", "plans.json")
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 6), (b"PK\x01\x02", 8)):
        content[content.index(signature) + offset] |= 1
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="encrypted"), opened_zip(path):
        pass


def test_a_member_that_swells_is_refused(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("zeros", bytes(80 * 2**20))
    assert path.stat().st_size < 100_000
    with pytest.raises(CheckpointError, match=r"swells to 0\.1 GiB"), opened_zip(path):
        pass


def test_many_members_and_many_bytes_are_refused(tmp_path, monkeypatch):
    path = _zip(tmp_path / "a.zip", "a", "b", "c", content=bytes(100))
    monkeypatch.setattr(archives, "MOST_MEMBERS", 2)
    with pytest.raises(CheckpointError, match="has 3 members, more than 2"), opened_zip(path):
        pass
    monkeypatch.setattr(archives, "MOST_MEMBERS", 3)
    monkeypatch.setattr(archives, "MOST_BYTES", 299)
    with pytest.raises(CheckpointError, match="would unpack to"), opened_zip(path):
        pass


def test_members_that_share_their_bytes_are_refused(tmp_path):
    """The bomb without a high ratio: many entries of the list point at one member."""
    path = _zip(tmp_path / "a.zip", "aaaa", "bbbb", content=bytes(200))
    content = bytearray(path.read_bytes())
    second = content.rindex(b"PK\x01\x02")
    struct.pack_into("<I", content, second + 42, 0)
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="share their bytes"), opened_zip(path):
        pass


def test_a_member_longer_than_it_says_is_never_read_beyond(tmp_path):
    path = tmp_path / "a.zip"
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("a", bytes(5000))
    content = bytearray(path.read_bytes())
    for signature, offset in ((b"PK\x03\x04", 22), (b"PK\x01\x02", 24)):
        struct.pack_into("<I", content, content.index(signature) + offset, 10)
    path.write_bytes(bytes(content))
    with pytest.raises(CheckpointError, match="cut or damaged"), opened_zip(path) as archive:
        unpack(archive, [PurePosixPath("a")], tmp_path / "out")
    assert (tmp_path / "out" / "a").stat().st_size <= 10


def test_a_zip_in_any_shortened_form_is_refused_or_whole(tmp_path):
    whole = _zip(tmp_path / "whole.zip", "a", "b", content=b"content").read_bytes()
    path = tmp_path / "cut.zip"
    for length in range(len(whole)):
        path.write_bytes(whole[:length])
        with pytest.raises(CheckpointError, match="cut or damaged"), opened_zip(path):
            pass
    assert zipfile.is_zipfile(io.BytesIO(whole))
