"""Uploads and sessions: sizes, names, and when an image is gone."""

from io import BytesIO

import pytest

from wirsung.errors import ConfigError, ImageError
from wirsung.web.uploads import Upload, Uploads


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def uploads(tmp_path, clock):
    return Uploads(tmp_path, largest_mb=0.001, session_minutes=2, clock=clock)


def upload(name, size=10):
    return Upload(name, BytesIO(bytes(size)))


def test_a_file_is_kept_under_a_name_of_ours(uploads):
    room = uploads.room()
    assert uploads.store([upload("../../DOE JANE.NII.GZ")], room) == room / "image.nii.gz"
    assert [path.name for path in room.iterdir()] == ["image.nii.gz"]


def test_a_series_is_a_folder_in_the_order_it_came(uploads):
    room = uploads.room()
    image = uploads.store([upload("a"), upload("../b"), upload("")], room)
    assert sorted(path.name for path in image.iterdir()) == ["00000", "00001", "00002"]


def test_just_the_largest_size_is_taken_and_a_byte_more_is_not(uploads):
    assert uploads.store([upload("a.nii", 1000)], uploads.room()).stat().st_size == 1000
    with pytest.raises(ImageError, match=r"larger than 0\.001 MB"):
        uploads.store([upload("a.nii", 1001)], uploads.room())


def test_the_files_of_a_series_count_together(uploads):
    uploads.store([upload("a", 500), upload("b", 500)], uploads.room())
    with pytest.raises(ImageError, match="larger"):
        uploads.store([upload("a", 500), upload("b", 501)], uploads.room())


def test_a_session_ends_in_time_and_its_image_is_deleted(uploads, clock):
    session = uploads.open_session([upload("a.nii")])
    clock.now = 119.0
    assert uploads.session(session.id).image.is_file()
    clock.now = 120.0
    with pytest.raises(ConfigError, match="no such session"):
        uploads.session(session.id)
    assert not session.image.exists()


def test_a_client_may_ask_for_less_time_but_not_for_more(uploads, clock):
    short, long = uploads.open_session([upload("a.nii")], 1), uploads.open_session([upload("a.nii")], 60)
    clock.now = 61.0
    with pytest.raises(ConfigError):
        uploads.session(short.id)
    assert uploads.session(long.id).image.is_file()
    clock.now = 121.0
    with pytest.raises(ConfigError):
        uploads.session(long.id)


def test_a_refused_upload_leaves_nothing(uploads, tmp_path):
    with pytest.raises(ImageError):
        uploads.open_session([upload("a.nii", 2000)])
    assert not list(tmp_path.iterdir())


def test_messages_do_not_say_where_uploads_lie(uploads, tmp_path):
    room = uploads.room()
    assert uploads.unnamed(f"{room}/image.nii.gz is damaged.") == "the uploaded image.nii.gz is damaged."
