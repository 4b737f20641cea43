import hashlib
import random

import pytest

from wirsung.datasets.fetching.download import Got, Patience, Watch, download, mismatch
from wirsung.datasets.fetching.transfer import DownloadError, Wanted
from wirsung.errors import StorageError

BODY = bytes(range(256)) * 40
SHA = hashlib.sha256(BODY).hexdigest()
QUICK = Patience(stall_s=30, tries=3, pause_s=0.0)


def get(server, out, **known):
    take_changed = known.pop("take_changed", False)
    wanted = Wanted(server.url("/a.bin"), "a.bin", **known)
    return download(wanted, out, QUICK, take_changed=take_changed)


def test_a_file_that_is_cut_and_refused_on_the_way_comes_whole(server, served, tmp_path):
    server.script["/a.bin"] = [
        served(BODY, send_bytes=1000),
        served(status=503),
        served(BODY, send_bytes=2000),
        served(BODY),
    ]
    got = get(server, tmp_path, sha256=SHA)
    assert got.path.read_bytes() == BODY
    assert (got.total_bytes, got.sha256) == (len(BODY), SHA)
    assert [asked.get("Range") for asked in server.asked("/a.bin")] == [
        None, "bytes=1000-", "bytes=1000-", "bytes=3000-",
    ]  # fmt: skip


def test_a_file_that_stalls_comes_whole(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, send_bytes=100, stall=True), served(BODY)]
    patience = Patience(stall_s=1, tries=10, pause_s=0.0)
    got = download(Wanted(server.url("/a.bin"), "a.bin"), tmp_path, patience)
    assert got.path.read_bytes() == BODY


def test_a_file_that_changes_between_two_tries_is_all_of_the_new_version(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, send_bytes=1000), served(BODY[::-1], etag='"v2"')]
    assert get(server, tmp_path).path.read_bytes() == BODY[::-1]


class Listener(Watch):
    def __init__(self):
        self.shown, self.said = [], []

    def show(self, done_bytes, total_bytes=None):
        self.shown.append(done_bytes)

    def say(self, text):
        self.said.append(text)


def test_who_waits_is_told_why_and_how_long(server, served, tmp_path):
    server.script["/a.bin"] = [served(status=503, headers={"Retry-After": "0"}), served(BODY)]
    listener = Listener()
    download(Wanted(server.url("/a.bin"), "a.bin"), tmp_path, QUICK, listener)
    assert listener.said == ["the server says 503; trying again in 0 s"]
    assert listener.shown[-1] == len(BODY)


@pytest.mark.parametrize("seed", range(40))
def test_whatever_a_server_does_the_file_is_one_whole_version_or_none(server, served, tmp_path, seed):
    chance = random.Random(seed)
    versions = [bytes(chance.randrange(256) for _ in range(chance.randrange(1, 5000))) for _ in range(3)]

    def step():
        number = chance.randrange(3)
        return served(
            versions[number],
            status=chance.choice([200, 200, 200, 200, 500, 503]),
            etag=chance.choice([f'"{number}"', f'"{number}"', f'W/"{number}"', None]),
            last_modified=chance.choice([None, f"Mon, 0{number + 1} Jan 2024 00:00:00 GMT"]),
            send_bytes=chance.choice([None, chance.randrange(5000)]),
            promise_bytes=chance.choice([None, None, None, len(versions[number]) + 7]),
            heeds_range=chance.random() < 0.8,
            heeds_if_range=chance.random() < 0.7,
        )

    server.script["/a.bin"] = [step() for _ in range(12)]
    try:
        got = get(server, tmp_path)
    except DownloadError:
        assert not (tmp_path / "a.bin").exists()
    else:
        assert got.path.read_bytes() in versions


def test_an_earlier_runs_part_is_continued(server, served, tmp_path):
    server.script["/a.bin"] = [*[served(BODY, send_bytes=1000)], *[served(status=500)] * 3, served(BODY)]
    with pytest.raises(DownloadError, match=r"the server says 500, 3 times\. 1,000 bytes are kept"):
        get(server, tmp_path)
    assert not (tmp_path / "a.bin").exists()
    assert get(server, tmp_path).path.read_bytes() == BODY
    assert server.asked("/a.bin")[-1]["Range"] == "bytes=1000-"


def test_a_server_that_promises_too_much_is_given_up(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, promise_bytes=20_000)]
    with pytest.raises(DownloadError, match="3 times"):
        get(server, tmp_path)
    assert not (tmp_path / "a.bin").exists()


def test_a_server_that_promises_too_little_is_found_out_by_the_checksum(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, promise_bytes=5000)]
    with pytest.raises(DownloadError, match=f"its SHA-256 is [0-9a-f]+ and not {SHA}"):
        get(server, tmp_path, sha256=SHA)


def test_a_wrong_checksum_sets_the_file_aside_until_the_user_says(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY[::-1])]
    with pytest.raises(DownloadError, match=r"replaced or forged.*a\.bin\.mismatch"):
        get(server, tmp_path, sha256=SHA)
    assert (tmp_path / "a.bin.mismatch").read_bytes() == BODY[::-1]
    assert not (tmp_path / "a.bin").exists()
    with pytest.raises(DownloadError, match="is not the published file"):
        get(server, tmp_path, sha256=SHA)
    assert len(server.requests) == 1
    assert get(server, tmp_path, sha256=SHA, take_changed=True).path.read_bytes() == BODY[::-1]
    assert len(server.requests) == 1


def test_a_file_of_another_size_comes_where_the_user_takes_it(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY)]
    with pytest.raises(DownloadError, match="--take-changed"):
        get(server, tmp_path, total_bytes=9)
    assert get(server, tmp_path, total_bytes=9, take_changed=True).sha256 == SHA


def test_an_md5_is_held_against_the_file(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY)]
    known = hashlib.md5(BODY, usedforsecurity=False).hexdigest()
    assert get(server, tmp_path, md5=known).md5 == known
    assert mismatch(Got(tmp_path, 1, "", known), Wanted("", "", md5="0" * 32)).startswith("its MD5 is")


def test_pauses_double_and_end_at_five_minutes():
    patience = Patience(pause_s=2)
    assert [patience.before(miss, None) for miss in (1, 2, 3)] == [2, 4, 8]
    assert patience.before(20, None) == patience.before(1, 1e6) == 300


def test_a_disk_that_is_too_small_is_said_before_a_byte_is_asked_for(server, tmp_path):
    with pytest.raises(StorageError, match=r"a\.bin takes 1000000\.0 TB, but only .* are free"):
        get(server, tmp_path / "not" / "yet", total_bytes=10**18)
    assert not server.requests
