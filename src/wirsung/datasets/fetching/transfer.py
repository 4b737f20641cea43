"""One try to get one file by HTTP: ask for what is missing, take it only if it is of the same version."""

import re
import socket
import ssl
from collections.abc import Callable
from dataclasses import dataclass
from email.message import Message
from email.utils import parsedate_to_datetime
from http.client import HTTPException, HTTPResponse
from urllib.error import HTTPError, URLError
from urllib.parse import urlsplit
from urllib.request import (
    HTTPDefaultErrorHandler,
    HTTPErrorProcessor,
    HTTPHandler,
    HTTPRedirectHandler,
    HTTPSHandler,
    OpenerDirector,
    ProxyHandler,
    Request,
)

from wirsung import __version__
from wirsung.compute.atomic import storage_error
from wirsung.datasets.fetching.partial import Partial, Version
from wirsung.datasets.fetching.room import check_free
from wirsung.errors import WirsungError

Came = Callable[[int, int | None], None]
"""Told how many bytes there are, of how many; None where nobody knows."""

_PIECE = 1 << 18
_PASSING = {408, 425, 429, 500, 502, 503, 504}
"""What a server says when it may say otherwise later."""
_REASONS = {
    401: "asks for a login",
    403: "refuses: it may want a registration, or your agreement to its terms",
    404: "has no such file any more",
    410: "has no such file any more",
    451: "refuses for legal reasons",
}
_RANGE = re.compile(r"bytes (\d+)-(\d+)/(\d+|\*)")


class DownloadError(WirsungError):
    """A file can't be had, or is not what it should be: get it by hand, from elsewhere, or later."""


class CutError(Exception):
    """A try that ended early, and may do better another time."""

    def __init__(self, why: str, pause_s: float | None = None) -> None:
        super().__init__(why)
        self.pause_s = pause_s
        """What the server asked for."""


@dataclass(frozen=True)
class Wanted:
    """One file of a source."""

    url: str
    file: str
    """Its name in the output folder."""
    total_bytes: int | None = None
    """As published; None where nobody published it."""
    sha256: str = ""
    """As published; empty where nobody published it."""
    md5: str = ""
    """As published; tells damage, but not a forger."""


class _Redirects(HTTPRedirectHandler):
    """Follow redirects, but never from https to anything else."""

    def redirect_request(
        self, req: Request, fp: object, code: int, msg: str, headers: object, newurl: str
    ) -> Request | None:
        """The request that follows."""
        schemes = urlsplit(req.full_url).scheme, urlsplit(newurl).scheme
        if schemes[1] not in ("http", "https") or schemes == ("https", "http"):
            text = f"{req.full_url} leads to {newurl}, which is less safe. Get the file by hand."
            raise DownloadError(text)
        return super().redirect_request(req, fp, code, msg, headers, newurl)  # type: ignore[arg-type]


def opener() -> OpenerDirector:
    """What opens http and https and nothing else, through the proxy that the environment names."""
    made = OpenerDirector()
    handlers = (
        ProxyHandler,
        HTTPHandler,
        HTTPSHandler,
        _Redirects,
        HTTPDefaultErrorHandler,
        HTTPErrorProcessor,
    )
    for handler in handlers:
        made.add_handler(handler())
    return made


def transfer(wanted: Wanted, partial: Partial, stall_s: float, came: Came) -> None:
    """Bring the partial file nearer to the whole; returns when every byte that was promised has come.

    A part that is there already is kept only where the server confirms that it still has that version.

    Args:
        wanted: The file.
        partial: What is there of it, and goes on growing.
        stall_s: How long nothing may come.
        came: Called again and again with the bytes held, and with those of the whole where they are known.

    Raises:
        CutError: It ended early; trying again may help.
        DownloadError: Trying again won't help.
        StorageError: The disk is full, or the folder can't be written.
    """
    if urlsplit(wanted.url).scheme not in ("http", "https"):
        msg = f"{wanted.url} is no http or https address. Get the file by hand."
        raise DownloadError(msg)
    held, noted = partial.held_bytes(), partial.version()
    if noted is None or noted.url != wanted.url or noted.validator is None:
        held = 0
    if noted is not None and held and held == noted.total_bytes:
        return
    try:
        with opener().open(_request(wanted.url, held, noted), timeout=stall_s) as response:
            _take(wanted, partial, response, came)
    except HTTPError as error:
        with error:
            raise _refusal(wanted, partial, error) from error
    except TimeoutError as error:
        msg = f"nothing came for {stall_s:g} s"
        raise CutError(msg) from error
    except URLError as error:
        raise _unreachable(wanted, error, stall_s) from error
    except (OSError, HTTPException) as error:
        msg = f"the connection broke ({type(error).__name__})"
        raise CutError(msg) from error


def _request(url: str, held: int, noted: Version | None) -> Request:
    # No compression on the way: a length and a range must be of the file itself.
    headers = {"User-Agent": f"wirsung/{__version__}", "Accept": "*/*", "Accept-Encoding": "identity"}
    if held and noted is not None and noted.validator is not None:
        headers |= {"Range": f"bytes={held}-", "If-Range": noted.validator}
    return Request(url, headers=headers)


def _take(wanted: Wanted, partial: Partial, response: HTTPResponse, came: Came) -> None:
    """Store what the response brings."""
    _refuse_page(wanted, response.headers)
    if response.status == 206:
        version = _check_range(wanted, partial, response.headers)
    else:
        length = response.headers.get("Content-Length", "")
        version = _version(wanted.url, response.headers, int(length) if length.isdigit() else None)
        _check_offer(wanted, version)
        partial.begin(version)
        check_free(partial.out, version.total_bytes or 0, wanted.file)
    _store(partial, response, version.total_bytes, came)
    held = partial.held_bytes()
    if version.total_bytes is not None and held != version.total_bytes:
        msg = f"only {held:,} of {version.total_bytes:,} bytes came"
        raise CutError(msg)


def _check_offer(wanted: Wanted, version: Version) -> None:
    """Refuse a file of another size than the published one before it is downloaded."""
    published, offered = wanted.total_bytes, version.total_bytes
    if published is not None and offered is not None and published != offered:
        msg = (
            f"{wanted.url} now holds {offered:,} bytes, but {published:,} were published, "
            "so the file was replaced. To take the new one, run again with --take-changed."
        )
        raise DownloadError(msg)


def _check_range(wanted: Wanted, partial: Partial, headers: Message) -> Version:
    """The version of a part that the server sends; what is held is dropped where they don't fit."""
    found = _RANGE.fullmatch(headers.get("Content-Range", ""))
    total = int(found[3]) if found and found[3] != "*" else None
    noted, version = partial.version(), _version(wanted.url, headers, total)
    if found is None or int(found[1]) != partial.held_bytes() or noted is None or not noted.may_be(version):
        partial.discard()
        msg = "the file changed on the server meanwhile"
        raise CutError(msg)
    if not (wanted.sha256 or wanted.md5 or noted.is_confirmed_by(version)):
        partial.discard()
        msg = "the server does not say of which version the rest is, so it begins anew"
        raise CutError(msg)
    return noted


def _store(partial: Partial, response: HTTPResponse, total: int | None, came: Came) -> None:
    held = partial.held_bytes()
    try:
        file = partial.path.open("ab")
    except OSError as error:
        raise storage_error(partial.path, error) from error
    with file:
        while piece := response.read1(_PIECE):
            try:
                file.write(piece)
                file.flush()  # so that a kill loses nothing of what has come
            except OSError as error:
                raise storage_error(partial.path, error) from error
            held += len(piece)
            came(held, total)


def _version(url: str, headers: Message, total: int | None) -> Version:
    return Version(url, headers.get("ETag"), headers.get("Last-Modified"), total)


def _refuse_page(wanted: Wanted, headers: Message) -> None:
    if headers.get_content_type() == "text/html" and not wanted.file.endswith((".html", ".htm")):
        msg = (
            f"{wanted.url} sends a web page in place of {wanted.file}: perhaps a login or a question. "
            f"Open it in a browser, save the file as {wanted.file} in the output folder, and run this again."
        )
        raise DownloadError(msg)


def _refusal(wanted: Wanted, partial: Partial, error: HTTPError) -> Exception:
    if error.code == 416:
        partial.discard()
        return CutError("the server has fewer bytes than it promised")
    if error.code in _PASSING:
        return CutError(f"the server says {error.code}", _asked_pause_s(error.headers))
    why = _REASONS.get(error.code, "refuses")
    msg = (
        f"{wanted.url}: the server {why} (HTTP {error.code}). "
        f"Get it with a browser, save it as {wanted.file} in the output folder, and run this again."
    )
    return DownloadError(msg)


def _asked_pause_s(headers: Message) -> float | None:
    """`Retry-After`, in seconds or as a date."""
    text = headers.get("Retry-After", "")
    if text.isdigit():
        return float(text)
    try:
        until, now = parsedate_to_datetime(text), parsedate_to_datetime(headers.get("Date", ""))
        return max(0.0, (until - now).total_seconds())
    except (TypeError, ValueError):
        return None


def _unreachable(wanted: Wanted, error: URLError, stall_s: float) -> Exception:
    if isinstance(error.reason, ssl.SSLCertVerificationError):
        msg = f"{wanted.url}: the server can't prove who it is (its certificate). Get the file by hand."
        return DownloadError(msg)
    if isinstance(error.reason, TimeoutError):
        return CutError(f"nothing came for {stall_s:g} s")
    why = "no such host, or no network" if isinstance(error.reason, socket.gaierror) else str(error.reason)
    return CutError(f"{urlsplit(wanted.url).hostname} can't be reached ({why})")
