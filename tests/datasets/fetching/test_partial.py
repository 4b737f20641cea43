import json

import pytest

from wirsung.datasets.fetching.partial import Partial, Version, only_one
from wirsung.errors import StorageError


def test_a_weak_etag_alone_lets_nothing_be_resumed():
    assert Version("u", etag='W/"1"').validator is None
    assert Version("u", etag='"1"', last_modified="then").validator == '"1"'


def test_a_version_is_confirmed_by_what_was_asked_for_alone():
    dated = Version("u", last_modified="then")
    assert dated.is_confirmed_by(Version("u", etag='"1"', last_modified="then"))
    assert not dated.is_confirmed_by(Version("u", etag='"1"'))
    assert not Version("u").is_confirmed_by(Version("u"))


def test_a_new_version_drops_the_bytes_of_the_old_one(tmp_path):
    partial = Partial(tmp_path, "a.bin")
    partial.begin(Version("u", etag='"1"'))
    partial.path.write_bytes(b"old")
    partial.begin(Version("u", etag='"2"', total_bytes=7))
    assert partial.held_bytes() == 0
    assert partial.version() == Version("u", '"2"', None, 7)


@pytest.mark.parametrize("text", ["", "[]", "{}", '{"schema": 2}', '{"schema": 1, "url": "u", "extra": 1}'])
def test_a_damaged_note_is_no_version(tmp_path, text):
    partial = Partial(tmp_path, "a.bin")
    partial.begin(Version("u"))
    partial.note_path.write_text(text)
    assert partial.version() is None


def test_a_whole_file_leaves_no_note_behind(tmp_path):
    partial = Partial(tmp_path, "a.bin")
    partial.begin(Version("u"))
    partial.path.write_bytes(b"whole")
    assert json.loads(partial.note_path.read_text())["schema"] == 1
    partial.become(tmp_path / "a.bin")
    assert (tmp_path / "a.bin").read_bytes() == b"whole"
    assert not list(partial.path.parent.iterdir())


def test_a_second_run_in_the_same_folder_is_refused_and_the_lock_goes_with_the_first(tmp_path):
    with only_one(tmp_path), pytest.raises(StorageError, match="another wirsung fetch"), only_one(tmp_path):
        pass
    with only_one(tmp_path):
        pass
    assert not list(tmp_path.iterdir())
