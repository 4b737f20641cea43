"""Images that clients send: kept under names of our own, no longer than needed, no larger than allowed."""

import re
import secrets
import shutil
import tempfile
import threading
import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from wirsung.errors import ConfigError, ImageError, counted

_CHUNK_BYTES = 1 << 20
_NIFTI = (".nii.gz", ".nii")


@dataclass(frozen=True)
class Upload:
    """One file as the client sends it."""

    name: str
    """Of the client's; only its suffix is looked at, as a name may tell who the patient is."""
    content: BinaryIO


@dataclass(frozen=True)
class Session:
    """An image that is kept for a while."""

    id: str
    image: Path
    """A NIfTI file or a folder of DICOM files."""
    expires_s: float
    """On the clock of the uploads."""


class Uploads:
    """The folder of the images, and the sessions that keep some of them."""

    def __init__(
        self,
        folder: Path,
        largest_mb: float,
        session_minutes: float,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        self._folder = folder
        self.largest_bytes = int(largest_mb * 1_000_000)
        self._session_s = session_minutes * 60
        self._clock = clock
        self._sessions: dict[str, Session] = {}
        self._lock = threading.Lock()

    def room(self) -> Path:
        """A new folder that only this process can read."""
        return Path(tempfile.mkdtemp(dir=self._folder))

    def store(self, files: Sequence[Upload], room: Path) -> Path:
        """The image of the files: a NIfTI file, or a folder of what must be a DICOM series.

        Raises:
            ImageError: No file, several NIfTI files, or more than is allowed.
        """
        suffixes = {suffix for file in files if (suffix := _suffix(file.name))}
        if not files or (suffixes and len(files) > 1):
            came = counted(len(files), "file", "files")
            msg = f"One NIfTI file or the files of one DICOM series are needed, but {came} came."
            raise ImageError(msg)
        left = self.largest_bytes
        if suffixes:
            target = room / f"image{suffixes.pop()}"
            self._copy(files[0], target, left)
            return target
        series = room / "image"
        series.mkdir()
        for number, file in enumerate(files):
            left -= self._copy(file, series / f"{number:05d}", left)
        return series

    def open_session(self, files: Sequence[Upload], minutes: float | None = None) -> Session:
        """Keep an image.

        Args:
            files: As for `store`.
            minutes: How long, at most what the settings say.
        """
        self._expire()
        room = self.room()
        try:
            image = self.store(files, room)
        except Exception:
            shutil.rmtree(room, ignore_errors=True)
            raise
        kept_s = self._session_s if minutes is None else min(minutes * 60, self._session_s)
        session = Session(secrets.token_hex(16), image, self._clock() + kept_s)
        with self._lock:
            self._sessions[session.id] = session
        return session

    def session(self, session_id: str) -> Session:
        """An open session.

        Raises:
            ConfigError: There is none of that id, or its time is over.
        """
        self._expire()
        with self._lock:
            found = self._sessions.get(session_id)
        if found is None:
            msg = "There is no such session, or its time is over. Open another with PUT /session/."
            raise ConfigError(msg)
        return found

    def close_session(self, session_id: str) -> Session:
        """Delete the image of a session.

        Raises:
            ConfigError: There is no such session.
        """
        found = self.session(session_id)
        with self._lock:
            self._sessions.pop(session_id, None)
        shutil.rmtree(found.image.parent, ignore_errors=True)
        return found

    def unnamed(self, message: str) -> str:
        """The message without the place where uploads lie."""
        return re.sub(f"{re.escape(str(self._folder))}/[^/\\s]+/", "the uploaded ", message)

    def _expire(self) -> None:
        with self._lock:
            over = [item for item in self._sessions.values() if item.expires_s <= self._clock()]
            for item in over:
                del self._sessions[item.id]
        for item in over:
            shutil.rmtree(item.image.parent, ignore_errors=True)

    def _copy(self, file: Upload, target: Path, left: int) -> int:
        written = 0
        with target.open("xb") as out:
            while chunk := file.content.read(_CHUNK_BYTES):
                written += len(chunk)
                if written > left:
                    limit = self.largest_bytes / 1_000_000
                    msg = f"The upload is larger than {limit:g} MB. Serve with a higher --largest-mb."
                    raise ImageError(msg)
                out.write(chunk)
        return written


def _suffix(name: str) -> str:
    """The NIfTI suffix of a file's name; empty for any other."""
    return next((suffix for suffix in _NIFTI if name.lower().endswith(suffix)), "")
