"""A real server on this machine that misbehaves as it is told."""

import shutil
import ssl
import subprocess
import threading
from dataclasses import dataclass, field
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest


@dataclass
class Served:
    """What the server does with one request; the defaults are those of a good server."""

    content: bytes = b""
    status: int = 200
    etag: str | None = '"v1"'
    last_modified: str | None = None
    headers: dict = field(default_factory=dict)
    send_bytes: int | None = None
    """Close the connection after so many bytes of the body."""
    stall: bool = False
    """Send nothing more after `send_bytes`, but keep the connection."""
    promise_bytes: int | None = None
    """Content-Length in place of the true one."""
    heeds_range: bool = True
    heeds_if_range: bool = True
    is_chunked: bool = False


class _Quiet(ThreadingHTTPServer):
    def handle_error(self, request, client_address):
        """A client that goes away is what some tests want."""


class Server:
    """`script[path]` is what happens, request by request; its last entry stays."""

    def __init__(self, context=None):
        self.scheme = "http" if context is None else "https"
        self.script, self.requests = {}, []
        self.released = threading.Event()
        outer = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def do_GET(self):
                outer.requests.append((self.path, dict(self.headers)))
                steps = outer.script.get(self.path, [Served(status=404)])
                outer.serve(self, steps.pop(0) if len(steps) > 1 else steps[0])

            def log_message(self, *_):
                pass

        self._server = _Quiet(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        if context is not None:
            self._server.socket = context.wrap_socket(self._server.socket, server_side=True)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01})
        self._thread.start()

    def url(self, path):
        return f"{self.scheme}://127.0.0.1:{self._server.server_address[1]}{path}"

    def asked(self, path):
        """The headers of each request for that path."""
        return [headers for found, headers in self.requests if found == path]

    def close(self):
        self.released.set()
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()

    @staticmethod
    def first_byte(headers, step):
        """Where the part begins that is asked for and may be had; None for the whole."""
        condition = headers.get("If-Range")
        is_it = condition in (None, step.etag, step.last_modified) or not step.heeds_if_range
        if "Range" not in headers or not step.heeds_range or not is_it:
            return None
        return int(headers["Range"].removeprefix("bytes=").rstrip("-"))

    def serve(self, handler, step):
        body, first, status = step.content, self.first_byte(handler.headers, step), step.status
        if first is not None and status == 200:
            status = 206 if first < len(body) else 416
        first = first or 0
        part = body[first:]
        handler.send_response_only(status)  # without a date of its own
        if status == 206:
            handler.send_header("Content-Range", f"bytes {first}-{len(body) - 1}/{len(body)}")
        for name, value in {"ETag": step.etag, "Last-Modified": step.last_modified, **step.headers}.items():
            if value is not None:
                handler.send_header(name, value)
        if step.is_chunked:
            handler.send_header("Transfer-Encoding", "chunked")
            part = b"%x\r\n%b\r\n0\r\n\r\n" % (len(part), part)
        else:
            promised = len(part) if step.promise_bytes is None else step.promise_bytes - first
            handler.send_header("Content-Length", str(max(0, promised)))
        handler.end_headers()
        handler.wfile.write(part if step.send_bytes is None else part[: step.send_bytes])
        handler.wfile.flush()
        if step.stall:
            self.released.wait(30)
        if step.stall or step.send_bytes is not None or step.promise_bytes is not None:
            handler.close_connection = True


@pytest.fixture
def server(monkeypatch):
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    monkeypatch.setenv("no_proxy", "127.0.0.1")
    found = Server()
    yield found
    found.close()


@pytest.fixture
def tls_server(server, tmp_path):
    """The same by https, and the file of its certificate, which nobody trusts yet."""
    if shutil.which("openssl") is None:
        pytest.skip("no openssl to make a certificate with")
    key, certificate = tmp_path / "key.pem", tmp_path / "certificate.pem"
    command = [
        "openssl",
        "req",
        "-x509",
        "-newkey",
        "rsa:2048",
        "-nodes",
        "-days",
        "2",
        "-subj",
        "/CN=127.0.0.1",
    ]
    command += ["-addext", "subjectAltName=IP:127.0.0.1", "-keyout", str(key), "-out", str(certificate)]
    subprocess.run(command, check=True, capture_output=True)
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate, key)
    found = Server(context)
    yield found, certificate
    found.close()


@pytest.fixture(scope="session")
def served():
    """The class of what a server does."""
    return Served
