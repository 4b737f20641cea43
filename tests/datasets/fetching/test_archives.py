import io
import stat
import tarfile
import tracemalloc
import zipfile
from pathlib import PurePosixPath

import pytest

from wirsung.datasets.fetching.archives import Budget, inspect
from wirsung.datasets.fetching.transfer import DownloadError


def zipped(path, **files):
    with zipfile.ZipFile(path, "w", zipfile.ZIP_DEFLATED) as archive:
        for name, content in files.items():
            archive.writestr(name, content)
    return path


def tarred(path, *members, mode="w:gz"):
    """Each member is a name with bytes, or a TarInfo."""
    with tarfile.open(path, mode) as archive:
        for member in members:
            if isinstance(member, tarfile.TarInfo):
                archive.addfile(member)
            else:
                info = tarfile.TarInfo(member[0])
                info.size = len(member[1])
                archive.addfile(info, io.BytesIO(member[1]))
    return path


def special(name, kind, target=""):
    info = tarfile.TarInfo(name)
    info.type, info.linkname = kind, target
    return info


@pytest.mark.parametrize(
    ("suffix", "mode"),
    [(".tar", "w"), (".tar.gz", "w:gz"), (".tgz", "w:gz"), (".tar.bz2", "w:bz2"), (".tar.xz", "w:xz")],
)
def test_every_kind_of_tar_is_read(tmp_path, suffix, mode):
    path = tarred(
        tmp_path / f"a{suffix}", special("d", tarfile.DIRTYPE), ("d/x", b"abc"), ("./y", b""), mode=mode
    )
    found = inspect(path)
    assert found.total_bytes == 3
    assert [(str(member.path), member.kind) for member in found.members] == [
        ("d", "folder"), ("d/x", "file"), ("y", "file"),
    ]  # fmt: skip


def test_a_zip_is_read_without_what_desktops_leave_behind(tmp_path):
    found = inspect(zipped(tmp_path / "a.zip", **{"d/": "", "d/x": "abc", "__MACOSX/d/._x": "junk"}))
    assert [str(member.path) for member in found.members] == ["d", "d/x"]


@pytest.mark.parametrize(
    "name", ["../evil", "/evil", "a/../../evil", "C:/evil", "a\\evil", "nul.nii.gz", "a\nb"]
)
def test_a_name_that_leads_out_or_is_no_file_is_refused(tmp_path, name):
    with pytest.raises(DownloadError, match=r"a\.tar\.gz holds the name"):
        inspect(tarred(tmp_path / "a.tar.gz", ("fine", b"1"), (name, b"2")))
    with pytest.raises(DownloadError, match=r"a\.zip holds the name"):
        inspect(zipped(tmp_path / "a.zip", **{"fine": "1", name: "2"}))


@pytest.mark.parametrize("kind", [tarfile.CHRTYPE, tarfile.BLKTYPE, tarfile.FIFOTYPE])
def test_a_device_is_refused(tmp_path, kind):
    with pytest.raises(DownloadError, match="neither file nor folder"):
        inspect(tarred(tmp_path / "a.tar", special("dev", kind), mode="w"))


@pytest.mark.parametrize("target", ["/etc/passwd", "../x", "d/../../x"])
@pytest.mark.parametrize("kind", [tarfile.SYMTYPE, tarfile.LNKTYPE])
def test_a_link_that_leads_out_is_refused(tmp_path, kind, target):
    with pytest.raises(DownloadError, match="leads out of the folder"):
        inspect(tarred(tmp_path / "a.tar", ("x", b"1"), special("link", kind, target), mode="w"))


@pytest.mark.parametrize("target", ["missing", "d", "other"])
def test_a_link_to_anything_but_a_file_of_the_archive_is_refused(tmp_path, target):
    members = [
        ("d/x", b"1"),
        special("other", tarfile.SYMTYPE, "d/x"),
        special("link", tarfile.SYMTYPE, target),
    ]
    with pytest.raises(DownloadError, match="'link', which leads to no file of it"):
        inspect(tarred(tmp_path / "a.tar", *members, mode="w"))


def test_a_link_to_a_file_of_the_archive_is_known_by_its_target(tmp_path):
    members = [
        ("d/x", b"1"),
        special("e/link", tarfile.SYMTYPE, "../d/x"),
        special("e/hard", tarfile.LNKTYPE, "d/x"),
    ]
    found = inspect(tarred(tmp_path / "a.tar", *members, mode="w"))
    assert [member.target for member in found.members] == [None, PurePosixPath("d/x"), PurePosixPath("d/x")]


def test_nothing_is_written_through_a_link(tmp_path):
    members = [special("d", tarfile.SYMTYPE, "e"), ("e", b"1"), ("d/x", b"2")]
    with pytest.raises(DownloadError, match="which are one on some disks"):
        inspect(tarred(tmp_path / "a.tar", *members, mode="w"))


def test_a_link_in_a_zip_is_a_link(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w") as archive:
        info = zipfile.ZipInfo("link")
        info.external_attr = (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, "../../etc/passwd")
    with pytest.raises(DownloadError, match="leads out of the folder"):
        inspect(tmp_path / "a.zip")


@pytest.mark.parametrize("names", [("A/x", "a/y"), ("x", "X"), ("x", "x")])
def test_names_that_are_one_on_some_disks_are_refused(tmp_path, names):
    with pytest.raises(DownloadError, match="which are one on some disks"):
        inspect(tarred(tmp_path / "a.tar.gz", *[(name, b"1") for name in names]))


def test_a_bomb_is_refused_before_it_has_gone_off(tmp_path):
    path = zipped(tmp_path / "a.zip", zeros=bytes(3_000_000))
    assert path.stat().st_size * 900 < 3_000_000  # deflate's best
    with pytest.raises(DownloadError, match="which no honest archive does"):
        inspect(path, Budget(ratio=500, free_bytes=1_000_000))
    assert inspect(path).total_bytes == 3_000_000
    with pytest.raises(DownloadError, match="more than 1 files"):
        inspect(tarred(tmp_path / "a.tar", ("x", b""), ("y", b""), mode="w"), Budget(members=1))


def test_a_header_without_end_is_refused(tmp_path):
    info = tarfile.TarInfo("x")
    info.pax_headers = {"comment": "a" * 3_000_000}
    path = tarred(tmp_path / "a.tar.gz", ("fine", b"1"), info)
    with pytest.raises(DownloadError, match="tells more than 1,048,576 bytes of one file"):
        inspect(path)


def test_a_link_that_is_a_bomb_is_read_no_further_than_a_name_goes(tmp_path):
    with zipfile.ZipFile(tmp_path / "a.zip", "w", zipfile.ZIP_DEFLATED) as archive:
        archive.writestr("x", "1")
        info = zipfile.ZipInfo("link")
        info.compress_type, info.external_attr = zipfile.ZIP_DEFLATED, (stat.S_IFLNK | 0o777) << 16
        archive.writestr(info, b"a" * 50_000_000)
    tracemalloc.start()
    with pytest.raises(DownloadError, match="leads to no file of it"):
        inspect(tmp_path / "a.zip")
    assert tracemalloc.get_traced_memory()[1] < 5_000_000
    tracemalloc.stop()


def test_junk_of_any_size_is_passed_over(tmp_path):
    path = tarred(tmp_path / "a.tar.gz", ("._x", bytes(3_000_000)), ("x", b"abc"))
    assert inspect(path).total_bytes == 3


def test_a_zip_that_says_less_than_it_holds_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", x=b"0123456789" * 100)
    content = path.read_bytes().replace((1000).to_bytes(4, "little"), (10).to_bytes(4, "little"))
    path.write_bytes(content)
    with pytest.raises(DownloadError, match="is damaged"):
        inspect(path)


def test_an_encrypted_zip_is_refused(tmp_path):
    path = zipped(tmp_path / "a.zip", x=b"secret")
    content = bytearray(path.read_bytes())
    content[content.index(b"PK\x01\x02") + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(DownloadError, match="is encrypted"):
        inspect(path)


@pytest.mark.parametrize("suffix", [".zip", ".tar", ".tar.gz"])
def test_what_is_no_archive_at_all_is_refused(tmp_path, suffix):
    path = tmp_path / f"a{suffix}"
    for content in (b"", b"<html>log in</html>" * 100):
        path.write_bytes(content)
        with pytest.raises(DownloadError, match=f"a{suffix} "):
            inspect(path)


@pytest.mark.parametrize("mode", ["w", "w:gz", "w:bz2", "w:xz"])
def test_a_tar_that_is_cut_anywhere_is_refused(tmp_path, mode):
    members = [(f"x{number}", bytes([number]) * 700) for number in range(4)]
    whole = tarred(tmp_path / "whole.tar", *members, mode=mode).read_bytes()
    path = tmp_path / "a.tar"
    # An uncompressed tar ends with kilobytes of zeros that nobody needs: cut before its end mark.
    last = 4 * 1536 if mode == "w" else len(whole)
    for end in [*range(1, last, max(1, last // 60)), last - 1, *range(0, 4 * 1536 + 1, 512)]:
        if end < last or (mode == "w" and end == last):
            path.write_bytes(whole[:end])
            with pytest.raises(DownloadError):
                inspect(path)


def test_a_flipped_bit_is_found_by_the_checksums_of_zip_and_gzip(tmp_path):
    content = bytes(range(256)) * 20
    for path in (zipped(tmp_path / "a.zip", x=content), tarred(tmp_path / "a.tar.gz", ("x", content))):
        whole = path.read_bytes()
        for place in range(60, 200, 7):
            damaged = bytearray(whole)
            damaged[place] ^= 16
            path.write_bytes(damaged)
            with pytest.raises(DownloadError):
                inspect(path)
