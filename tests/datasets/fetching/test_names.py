from pathlib import Path, PurePosixPath

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wirsung.datasets.fetching.names import clash, is_junk, why_refused


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("", "is empty"),
        ("/etc/passwd", "is absolute"),
        ("//server/share", "is absolute"),
        ("a/../../b", "leads out"),
        ("..", "leads out"),
        ("a\\..\\b", "Windows refuses"),
        ("C:x", "Windows refuses"),
        ("a/b?", "Windows refuses"),
        ("a\x00b", "control character"),
        ("a\nb", "control character"),
        ("a/CON", "device"),
        ("lpt1.nii.gz", "device"),
        ("a./b", "dot or a space"),
        ("a ", "dot or a space"),
        ("x" * 256, "too long"),
    ],
)
def test_a_name_that_is_no_file_everywhere_is_refused(name, why):
    assert why in why_refused(name)


@pytest.mark.parametrize("name", ["a", "./a/b.nii.gz", "a/", "Ärzte/ct.nii.gz", "console.txt", "a..b"])
def test_ordinary_names_pass(name):
    assert why_refused(name) is None


@given(st.text(max_size=30))
def test_no_name_that_passes_leaves_its_folder(name):
    if why_refused(name) is None:
        root = Path("/a/root")
        assert (root / PurePosixPath(name)).resolve().is_relative_to(root)


def paths(*names):
    return [PurePosixPath(name) for name in names]


@pytest.mark.parametrize(
    "names",
    [
        ("a/x", "A/y"),
        ("ct.nii", "CT.nii"),
        ("\u00e9", "e\u0301"),
        ("a", "a/b"),
        ("a/b", "a"),
        ("x", "x"),
        ("stra\u00dfe", "STRASSE"),
    ],
)
def test_names_that_are_one_on_some_disks_are_found(names):
    assert clash(paths(*names)) is not None


def test_many_files_of_one_folder_don_t_clash():
    assert clash(paths("a/x", "a/y", "b/x", "a/b/x")) is None


def test_what_desktops_leave_behind_is_junk():
    assert all(is_junk(path) for path in paths("__MACOSX/a", "a/._b", "a/.DS_Store", "Thumbs.db"))
    assert not any(is_junk(path) for path in paths("a/ct.nii.gz", "a/.hidden"))
