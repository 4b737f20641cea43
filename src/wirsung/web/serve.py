"""The verb `serve`: a warm model behind HTTP, until it is interrupted."""

import contextlib
import logging
import signal
import socket
import sys
import tempfile
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import uvicorn

from wirsung.errors import ConfigError
from wirsung.web.service import service
from wirsung.web.settings import ServeSettings
from wirsung.web.uploads import Uploads
from wirsung.web.warm import warm_model


@dataclass(frozen=True)
class Served:
    """A service that ended."""

    url: str

    def lines(self) -> list[str]:
        """For the terminal."""
        return [f"{self.url} is closed."]

    def as_json(self) -> dict[str, str]:
        """For programs."""
        return {"url": self.url}


def serve(settings: ServeSettings) -> Served:
    """Load the model, listen, and answer until an interrupt.

    Raises:
        ConfigError: No model is named, or the address can't be listened at.
        CheckpointError: The model can't be used.
    """
    model = warm_model(settings)
    listening = _listen(settings.host, settings.port)
    url = _url(listening)
    with tempfile.TemporaryDirectory(prefix="wirsung-serve-") as folder, listening:
        uploads = Uploads(Path(folder), settings.largest_mb, settings.session_minutes)
        # No log of requests, nor of bytes in them: what a client sends may tell who the patient is.
        logging.getLogger("python_multipart").setLevel(logging.CRITICAL)
        config = uvicorn.Config(service(model, uploads), log_level="warning", access_log=False)
        sys.stderr.write(f"{model.name} answers at {url} until Ctrl-C.\n")
        sys.stderr.flush()
        # uvicorn sends itself again what stopped it; the uploads must be deleted all the same.
        with _interrupted_by_termination(), contextlib.suppress(KeyboardInterrupt):
            uvicorn.Server(config).run(sockets=[listening])
    return Served(url)


@contextlib.contextmanager
def _interrupted_by_termination() -> Iterator[None]:
    """SIGTERM is an interrupt like Ctrl-C."""
    before = signal.signal(signal.SIGTERM, signal.default_int_handler)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _listen(host: str, port: int) -> socket.socket:
    family = socket.AF_INET6 if ":" in host else socket.AF_INET
    listening = socket.socket(family, socket.SOCK_STREAM)
    listening.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        listening.bind((host, port))
    except OSError as error:
        listening.close()
        msg = f"{host}:{port} can't be listened at ({error.strerror}). Choose another --host or --port."
        raise ConfigError(msg) from error
    listening.listen()
    return listening


def _url(listening: socket.socket) -> str:
    host, port = listening.getsockname()[:2]
    return f"http://[{host}]:{port}" if ":" in host else f"http://{host}:{port}"
