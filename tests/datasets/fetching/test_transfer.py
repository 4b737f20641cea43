import hashlib
import shutil

import pytest

from wirsung.datasets.fetching.partial import Partial, Version
from wirsung.datasets.fetching.transfer import CutError, DownloadError, Wanted, transfer
from wirsung.errors import StorageError

BODY = bytes(range(256)) * 40


def begun(tmp_path, url, count, **version):
    partial = Partial(tmp_path, "a.bin")
    partial.begin(Version(url, total_bytes=len(BODY), **version))
    partial.path.write_bytes(BODY[:count])
    return partial


def run(server, partial, path="/a.bin", stall_s=30.0, **known):
    shown = []
    transfer(Wanted(server.url(path), "a.bin", **known), partial, stall_s, lambda *told: shown.append(told))
    return shown


def test_a_file_comes_whole_with_its_version_noted(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, last_modified="Mon, 01 Jan 2024 00:00:00 GMT")]
    partial = Partial(tmp_path, "a.bin")
    shown = run(server, partial)
    assert partial.path.read_bytes() == BODY
    assert shown[-1] == (len(BODY), len(BODY))
    noted = partial.version()
    assert (noted.etag, noted.last_modified) == ('"v1"', "Mon, 01 Jan 2024 00:00:00 GMT")
    assert noted.total_bytes == len(BODY)
    assert server.asked("/a.bin")[0]["Accept-Encoding"] == "identity"


def test_only_what_is_missing_is_asked_for_and_only_of_the_same_version(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY)]
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    run(server, partial)
    (asked,) = server.asked("/a.bin")
    assert (asked["Range"], asked["If-Range"]) == ("bytes=1000-", '"v1"')
    assert partial.path.read_bytes() == BODY


def test_a_server_that_ignores_the_range_starts_the_file_anew(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, heeds_range=False)]
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    run(server, partial)
    assert partial.path.read_bytes() == BODY


def test_two_versions_are_never_glued_though_the_server_ignores_if_range(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY[::-1], etag='"v2"', heeds_if_range=False)]
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    with pytest.raises(CutError, match="the file changed on the server"):
        run(server, partial)
    assert partial.held_bytes() == 0
    run(server, partial)
    assert partial.path.read_bytes() == BODY[::-1]


def test_a_rest_of_a_version_unsaid_is_taken_only_where_a_checksum_will_tell(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, etag=None, heeds_if_range=False)]
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    with pytest.raises(CutError, match="does not say of which version the rest is"):
        run(server, partial)
    assert partial.held_bytes() == 0
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    run(server, partial, sha256=hashlib.sha256(BODY).hexdigest())
    assert partial.path.read_bytes() == BODY


def test_a_file_without_any_version_is_never_resumed(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, etag=None)]
    partial = begun(tmp_path, server.url("/a.bin"), 1000)
    run(server, partial)
    assert "Range" not in server.asked("/a.bin")[0]
    assert partial.path.read_bytes() == BODY


def test_bytes_of_another_address_are_not_continued(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY)]
    partial = begun(tmp_path, "http://127.0.0.1/other", 1000, etag='"v1"')
    run(server, partial)
    assert "Range" not in server.asked("/a.bin")[0]


def test_what_came_whole_before_a_kill_is_not_asked_for_again(server, tmp_path):
    partial = begun(tmp_path, server.url("/a.bin"), len(BODY), etag='"v1"')
    run(server, partial)
    assert not server.requests


def test_a_cut_keeps_what_came(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, send_bytes=3000)]
    partial = Partial(tmp_path, "a.bin")
    with pytest.raises(CutError, match="only 3,000 of 10,240 bytes came"):
        run(server, partial)
    assert partial.path.read_bytes() == BODY[:3000]


def test_a_stall_is_given_up_and_keeps_what_came(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, send_bytes=3000, stall=True)]
    partial = Partial(tmp_path, "a.bin")
    with pytest.raises(CutError, match="nothing came for 2 s"):
        run(server, partial, stall_s=2)
    assert partial.path.read_bytes() == BODY[:3000]


def test_chunks_without_a_length_are_whole_when_their_end_has_come(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY, is_chunked=True, send_bytes=4000), served(BODY, is_chunked=True)]
    partial = Partial(tmp_path, "a.bin")
    with pytest.raises(CutError, match="the connection broke"):
        run(server, partial)
    run(server, partial)
    assert hashlib.sha256(partial.path.read_bytes()).digest() == hashlib.sha256(BODY).digest()


@pytest.mark.parametrize(
    ("status", "said"),
    [(401, "asks for a login"), (403, "registration"), (404, "no such file"), (418, "refuses")],
)
def test_a_refusal_is_final_and_says_what_to_do(server, served, tmp_path, status, said):
    server.script["/a.bin"] = [served(status=status)]
    with pytest.raises(DownloadError, match=rf"{said}.*save it as a\.bin in the output folder"):
        run(server, Partial(tmp_path, "a.bin"))


def test_a_busy_server_says_when_to_come_back(server, served, tmp_path):
    server.script["/a.bin"] = [served(status=503, headers={"Retry-After": "7"}), served(status=429)]
    with pytest.raises(CutError, match="503") as busy:
        run(server, Partial(tmp_path, "a.bin"))
    assert busy.value.pause_s == 7
    with pytest.raises(CutError, match="429") as busy:
        run(server, Partial(tmp_path, "a.bin"))
    assert busy.value.pause_s is None


def test_a_date_to_come_back_is_counted_from_the_servers_own_clock(server, served, tmp_path):
    headers = {"Retry-After": "Fri, 31 Dec 1999 23:59:59 GMT", "Date": "Fri, 31 Dec 1999 23:59:29 GMT"}
    server.script["/a.bin"] = [served(status=503, headers=headers)]
    with pytest.raises(CutError) as busy:
        run(server, Partial(tmp_path, "a.bin"))
    assert busy.value.pause_s == 30


def test_a_server_with_fewer_bytes_than_it_promised_starts_anew(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY[:500])]
    partial = begun(tmp_path, server.url("/a.bin"), 1000, etag='"v1"')
    with pytest.raises(CutError, match="fewer bytes than it promised"):
        run(server, partial)
    assert partial.held_bytes() == 0


def test_a_redirect_is_followed_with_the_range(server, served, tmp_path):
    server.script["/old"] = [served(status=302, headers={"Location": "/a.bin"})]
    server.script["/a.bin"] = [served(BODY)]
    partial = begun(tmp_path, server.url("/old"), 1000, etag='"v1"')
    run(server, partial, "/old")
    assert server.asked("/a.bin")[0]["Range"] == "bytes=1000-"
    assert partial.path.read_bytes() == BODY


@pytest.mark.parametrize("target", ["file:///etc/passwd", "ftp://127.0.0.1/x"])
def test_a_redirect_away_from_http_is_refused(server, served, tmp_path, target):
    server.script["/a.bin"] = [served(status=302, headers={"Location": target})]
    with pytest.raises(DownloadError, match=r"less safe|HTTP 302"):
        run(server, Partial(tmp_path, "a.bin"))


def test_a_circle_of_redirects_ends(server, served, tmp_path):
    server.script["/a.bin"] = [served(status=302, headers={"Location": "/a.bin"})]
    with pytest.raises(DownloadError, match="HTTP 302"):
        run(server, Partial(tmp_path, "a.bin"))


def test_a_web_page_in_place_of_the_file_is_no_file(server, served, tmp_path):
    server.script["/a.bin"] = [served(b"<html>log in</html>", headers={"Content-Type": "text/html"})]
    with pytest.raises(DownloadError, match=r"sends a web page in place of a\.bin"):
        run(server, Partial(tmp_path, "a.bin"))


def test_a_file_of_another_size_is_refused_before_it_comes(server, served, tmp_path):
    server.script["/a.bin"] = [served(BODY)]
    partial = Partial(tmp_path, "a.bin")
    with pytest.raises(DownloadError, match="now holds 10,240 bytes, but 9 were published"):
        run(server, partial, total_bytes=9)
    assert partial.held_bytes() == 0


def test_a_disk_without_room_for_what_the_server_offers_is_said_first(server, served, tmp_path, monkeypatch):
    usage = shutil.disk_usage(tmp_path)
    monkeypatch.setattr(shutil, "disk_usage", lambda path: usage._replace(free=5000))
    server.script["/a.bin"] = [served(BODY)]
    partial = Partial(tmp_path, "a.bin")
    with pytest.raises(StorageError, match=r"a\.bin takes 10\.2 kB, but only 5\.0 kB are free"):
        run(server, partial)
    assert partial.held_bytes() == 0


def test_a_server_that_is_not_there_is_tried_again_later(server, tmp_path):
    wanted = Wanted("http://127.0.0.1:1/a.bin", "a.bin")
    with pytest.raises(CutError, match=r"127\.0\.0\.1 can't be reached"):
        transfer(wanted, Partial(tmp_path, "a.bin"), 5, lambda held, total: None)


def test_a_server_that_can_not_prove_who_it_is_gets_no_second_try(tls_server, served, tmp_path):
    server, _ = tls_server
    server.script["/a.bin"] = [served(BODY)]
    with pytest.raises(DownloadError, match="can't prove who it is"):
        run(server, Partial(tmp_path, "a.bin"))


def test_https_works_where_the_certificate_is_trusted(tls_server, served, tmp_path, monkeypatch):
    server, certificate = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    server.script["/a.bin"] = [served(BODY)]
    partial = Partial(tmp_path, "a.bin")
    run(server, partial)
    assert partial.path.read_bytes() == BODY


def test_a_redirect_from_https_to_http_is_refused_on_the_way(tls_server, served, tmp_path, monkeypatch):
    server, certificate = tls_server
    monkeypatch.setenv("SSL_CERT_FILE", str(certificate))
    target = "http://127.0.0.1:1/b.bin"
    server.script["/a.bin"] = [served(status=302, headers={"Location": target})]
    with pytest.raises(DownloadError, match="less safe"):
        run(server, Partial(tmp_path, "a.bin"))


def test_other_addresses_than_http_are_refused(tmp_path):
    with pytest.raises(DownloadError, match="no http or https address"):
        transfer(
            Wanted("file:///etc/passwd", "a.bin"), Partial(tmp_path, "a.bin"), 5, lambda held, total: None
        )
