"""One file, whole and checked, whatever happens on the way."""

import hashlib
import time
from dataclasses import dataclass, replace
from pathlib import Path

from wirsung.compute.atomic import flush_folder
from wirsung.datasets.fetching.partial import Partial
from wirsung.datasets.fetching.room import check_free
from wirsung.datasets.fetching.transfer import CutError, DownloadError, Wanted, transfer

SET_ASIDE = ".mismatch"
"""Suffix of a file that came whole but is not the published one."""
_PIECE = 1 << 20
_LONGEST_PAUSE_S = 300.0


@dataclass(frozen=True)
class Patience:
    """How long to wait for a server."""

    stall_s: float = 60.0
    """How long nothing may come before the connection is given up."""
    tries: int = 8
    """In a row without one new byte."""
    pause_s: float = 1.0
    """Before the second try; twice as long before each further one."""

    def before(self, miss: int, asked_s: float | None) -> float:
        """The pause before the next try, in seconds, at most five minutes.

        Example:
            >>> Patience().before(1, None), Patience().before(4, None), Patience().before(1, 90)
            (1.0, 8.0, 90)
        """
        grown: float = self.pause_s * 2 ** (max(miss, 1) - 1)
        return min(grown if asked_s is None else max(asked_s, grown), _LONGEST_PAUSE_S)


class Watch:
    """Somebody who is told how a download goes; this one does nothing about it."""

    def show(self, done_bytes: int, total_bytes: int | None = None) -> None:
        """So many bytes are there now, of so many where it is known."""

    def say(self, text: str) -> None:
        """Something happened that a user may wonder about."""


@dataclass(frozen=True)
class Got:
    """A file as it lies on the disk."""

    path: Path
    total_bytes: int
    sha256: str
    md5: str = ""


def download(
    wanted: Wanted,
    out: Path,
    patience: Patience,
    watch: Watch | None = None,
    *,
    take_changed: bool = False,
) -> Got:
    """Get the file into the folder, going on where an earlier try or run ended.

    Args:
        wanted: The file and what is known of it.
        out: The folder.
        patience: With the server.
        watch: Told how it goes.
        take_changed: Keep a file that is not the published one.

    Raises:
        DownloadError: It can't be had, or it is not the published file, which is then set aside.
        StorageError: The disk is too small, or the folder can't be written.
    """
    partial, aside = Partial(out, wanted.file), out / (wanted.file + SET_ASIDE)
    if take_changed:
        wanted = Wanted(wanted.url, wanted.file)
        if aside.is_file():
            aside.replace(out / wanted.file)
            return measured(out / wanted.file)
    elif aside.is_file():
        msg = (
            f"{aside} came before and is not the published file. Remove it to download again, "
            "or take it as it is with --take-changed."
        )
        raise DownloadError(msg)
    _check_disk(wanted, out, partial.held_bytes())
    _transfer_patiently(wanted, partial, patience, watch or Watch())
    got = measured(partial.path)
    why = mismatch(got, wanted)
    if why:
        partial.become(aside)
        msg = (
            f"{wanted.file} came whole from {wanted.url}, but {why}: it was replaced or forged. "
            f"It lies aside as {aside.name}: look at it, then run again with --take-changed, or remove it."
        )
        raise DownloadError(msg)
    path = out / wanted.file
    partial.become(path)
    flush_folder(path.parent)
    return replace(got, path=path)


def _transfer_patiently(wanted: Wanted, partial: Partial, patience: Patience, watch: Watch) -> None:
    """Try until all is there; only a try that brings more than any before it sets the count back."""
    best = misses = 0
    while True:
        try:
            transfer(wanted, partial, patience.stall_s, watch.show)
        except CutError as cut:
            held = partial.held_bytes()
            misses = 0 if held > best else misses + 1
            best = max(best, held)
            if misses >= patience.tries:
                raise _given_up(wanted, cut, held, misses) from cut
            pause_s = patience.before(misses, cut.pause_s)
            watch.say(f"{cut}; trying again in {pause_s:g} s")
            time.sleep(pause_s)
        else:
            return


def measured(path: Path) -> Got:
    """Size and checksums of the file as it lies on the disk."""
    sha256, md5 = hashlib.sha256(), hashlib.md5(usedforsecurity=False)
    with path.open("rb") as file:
        while piece := file.read(_PIECE):
            sha256.update(piece)
            md5.update(piece)
    return Got(path, path.stat().st_size, sha256.hexdigest(), md5.hexdigest())


def mismatch(got: Got, wanted: Wanted) -> str | None:
    """What differs from what was published; None where nothing does.

    Example:
        >>> mismatch(Got(Path("x"), 3, "ab"), Wanted("u", "x", total_bytes=4))
        'it has 3 bytes and not 4'
    """
    if wanted.sha256 and got.sha256 != wanted.sha256:
        return f"its SHA-256 is {got.sha256} and not {wanted.sha256}"
    if wanted.md5 and got.md5 != wanted.md5:
        return f"its MD5 is {got.md5} and not {wanted.md5}"
    if wanted.total_bytes is not None and got.total_bytes != wanted.total_bytes:
        return f"it has {got.total_bytes:,} bytes and not {wanted.total_bytes:,}"
    return None


def _check_disk(wanted: Wanted, out: Path, held: int) -> None:
    if wanted.total_bytes is not None:
        check_free(
            out, max(0, wanted.total_bytes - held), f"the rest of {wanted.file}" if held else wanted.file
        )


def _given_up(wanted: Wanted, cut: CutError, held: int, misses: int) -> DownloadError:
    kept = f" {held:,} bytes are kept: run it again to go on." if held else " Run it again later."
    often = f", {misses} times" if misses > 1 else ""
    return DownloadError(f"{wanted.file} can't be had: {cut}{often}.{kept}")
