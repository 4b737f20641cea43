"""`wirsung fetch`: the files of a public source, whole, checked and unpacked."""

import os
from collections.abc import Sequence
from dataclasses import dataclass, replace
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import tyro
from rich.console import Console

from wirsung.compute.outcome import Outcome, Skip, attempt
from wirsung.datasets.fetching.archives import FOREIGN, is_archive
from wirsung.datasets.fetching.download import Got, Patience, download, measured, mismatch
from wirsung.datasets.fetching.names import why_refused
from wirsung.datasets.fetching.partial import FOLDER, Partial, only_one
from wirsung.datasets.fetching.progress import ByteProgress
from wirsung.datasets.fetching.record import Entry, Record, entry_of, read_record, write_record
from wirsung.datasets.fetching.room import check_free, gigabytes
from wirsung.datasets.fetching.transfer import DownloadError, Wanted
from wirsung.datasets.fetching.unpack import unpack
from wirsung.datasets.sources import Download, Source, source_named
from wirsung.errors import ConfigError, near_names

_MOST_NAMES = 100
"""Of what came out of an archive, so many are looked for to see whether it is still there."""


@dataclass(frozen=True)
class FetchSettings:
    """Get the files of a public dataset: download, resume, check and unpack them."""

    source: Annotated[tyro.conf.Positional[str], tyro.conf.arg(metavar="SOURCE")]
    """A public source, such as msd-pancreas, or a TOML file of your own."""
    out: Annotated[tyro.conf.Positional[Path], tyro.conf.arg(metavar="OUT")]
    """Folder for its files, and for fetched.json, which says what came from where and when."""
    only: tuple[str, ...] = ()
    """Files to get, by name; by default all."""
    unpack: bool = True
    """Unpack archives."""
    drop_archives: bool = False
    """Delete each archive once its content is unpacked."""
    take_changed: bool = False
    """Take a file that is not the published one, because its makers replaced it."""
    recheck: bool = False
    """Read every file that is there again and compare its checksum."""
    stall_s: float = 60.0
    """How long nothing may come before a connection is given up."""
    tries: int = 8
    """How often to try in a row without one new byte."""


@dataclass(frozen=True)
class Fetched:
    """What became of each file."""

    outcomes: list[Outcome[None]]
    source: Source
    called: str
    """The source as the user named it."""
    out: Path
    noun: str = "file"

    def lines(self) -> list[str]:
        """For the terminal: what to do next."""
        if any(outcome.status == "failed" for outcome in self.outcomes):
            return []
        told = [f"More: {self.source.access}"] if self.source.access else []
        told += [self.source.advice] if self.source.advice else []
        if self.source.layouts:
            told.append(f"Next: wirsung import {self.called} {self.out} --out DATASET")
        return told

    def as_json(self) -> dict[str, Any]:
        """For programs; `fetched.json` in the folder says more of each file."""
        return {"source": self.source.name, "out": str(self.out), "licence": self.source.licence.name}


def fetch(settings: FetchSettings) -> Fetched:
    """Get every file that is not there yet; each is whole and checked, or absent.

    Raises:
        ConfigError: No such source or file, or a setting is out of range.
        DownloadError: The source has no public address; the message says how to get it.
        ManifestError: The folder holds another source's files.
        StorageError: The disk is too small, or another run is at work in the folder.
    """
    source = source_named(settings.source)
    chosen = _chosen(source, settings)
    _announce(source, chosen)
    if not chosen:
        raise _closed(source, settings.source)
    with only_one(settings.out):
        job = _Job(settings, read_record(settings.out, source.name))
        check_free(settings.out, job.missing_bytes(chosen), "what is missing")
        outcomes = [attempt(partial(job.get), item.file, item) for item in chosen]
    return Fetched(outcomes, source, settings.source, settings.out)


class _Job:
    """The files of one run, and the record that grows with them."""

    def __init__(self, settings: FetchSettings, record: Record) -> None:
        self._settings, self._record, self._out = settings, record, settings.out
        self._patience = Patience(settings.stall_s, settings.tries)

    def missing_bytes(self, chosen: Sequence[Download]) -> int:
        """What is still to come, as far as sizes are known."""
        missing = [item for item in chosen if not self._is_there(item)]
        held = sum(Partial(self._out, item.file).held_bytes() for item in missing if item.bytes)
        return max(0, sum(item.bytes or 0 for item in missing) - held)

    def get(self, item: Download) -> None:
        """Get one file and unpack it.

        Raises:
            Skip: All was done before.
        """
        path, before = self._out / item.file, self._record
        if not self._is_there(item):
            self._download(item)
        elif path.is_file():
            self._check(item, path)
        entry = self._record.files[item.file]
        if self._settings.unpack and is_archive(item.file) and not self._is_unpacked(entry):
            self._unpack(item, path)
        if self._settings.drop_archives and self._record.files[item.file].unpacked:
            path.unlink(missing_ok=True)
        if self._record == before:
            raise Skip

    def _is_there(self, item: Download) -> bool:
        entry = self._record.files.get(item.file)
        return (self._out / item.file).is_file() or (entry is not None and self._is_unpacked(entry))

    def _is_unpacked(self, entry: Entry) -> bool:
        return bool(entry.unpacked) and all(os.path.lexists(self._out / name) for name in entry.unpacked)

    def _download(self, item: Download) -> None:
        wanted = _wanted(item)
        with ByteProgress(item.file, item.bytes) as progress:
            got = download(
                wanted, self._out, self._patience, progress, take_changed=self._settings.take_changed
            )
        self._note(item, _entry(got, wanted))

    def _check(self, item: Download, path: Path) -> None:
        """Hold a file that is there against the record, or against what was published."""
        entry = self._record.files.get(item.file)
        if entry is not None and entry.is_untouched(path) and not self._settings.recheck:
            return
        got = measured(path)
        if entry is None:
            why = None if self._settings.take_changed else mismatch(got, _wanted(item))
        else:
            why = None if got.sha256 == entry.sha256 else f"it is not the file that came on {entry.date}"
        if why:
            msg = f"{path} is there, but {why}. Move it away, and run this again."
            raise DownloadError(msg)
        found = entry or _entry(got, _wanted(item))
        self._note(item, replace(found, modified_ns=path.stat().st_mtime_ns))

    def _unpack(self, item: Download, path: Path) -> None:
        folder = folder_of(item)
        with ByteProgress(f"{item.file} unpacking") as progress:
            done = unpack(path, self._out / folder, progress.show, aside=self._out / FOLDER)
        names = (folder,) if folder else done.names[:_MOST_NAMES]
        self._note(item, replace(self._record.files[item.file], unpacked=names))

    def _note(self, item: Download, entry: Entry) -> None:
        self._record = self._record.with_entry(item.file, entry)
        write_record(self._out, self._record)


def folder_of(item: Download) -> str:
    """The folder below OUT that a file is unpacked into; empty for OUT itself.

    Raises:
        ConfigError: Its name leads out, or can't be a folder everywhere.
    """
    why = why_refused(item.folder) if item.folder else None
    if why:
        msg = f"{item.file} is to be unpacked into {item.folder!r}, which {why}. Mend the source's TOML."
        raise ConfigError(msg)
    return item.folder


def _entry(got: Got, wanted: Wanted) -> Entry:
    """The entry of a file; one that is not the published one was compared with nothing."""
    return entry_of(got, Wanted(wanted.url, wanted.file) if mismatch(got, wanted) else wanted)


def _wanted(item: Download) -> Wanted:
    return Wanted(item.url, item.file, item.bytes, item.sha256, item.md5)


def _chosen(source: Source, settings: FetchSettings) -> list[Download]:
    """The files to get, all of them or those that were named."""
    if settings.stall_s <= 0 or settings.tries < 1:
        msg = f"--stall-s {settings.stall_s:g} and --tries {settings.tries} must be above 0."
        raise ConfigError(msg)
    known = [item.file for item in source.downloads]
    for name in settings.only:
        if name not in known:
            msg = f"{source.name} has no file {name!r}. {near_names(name, known)}"
            raise ConfigError(msg)
    return [item for item in source.downloads if not settings.only or item.file in settings.only]


def _closed(source: Source, called: str) -> DownloadError:
    """Where to get what has no public address, and what to do then."""
    where = f" See {source.homepage}" if source.homepage else ""
    return DownloadError(
        f"{source.name} can't be downloaded without you. {source.access or 'Ask its makers.'}{where} "
        f"Then: {source.advice or f'wirsung import {called} FOLDER --out DATASET'}"
    )


def _announce(source: Source, chosen: Sequence[Download]) -> None:
    """Title, licence and citation, before a byte is asked for."""
    terms = source.licence.describe()
    licence = f"Licence: {terms}" if source.licence.name else terms.capitalize()
    sizes = [item.bytes for item in chosen]
    known = sum(size for size in sizes if size is not None)
    more = " and more" if None in sizes else ""
    told = [
        source.title,
        f"{licence}. {source.licence.note}".rstrip(),
        f"Cite: {source.citation} {source.doi_url}".rstrip() if source.citation else "",
        f"Files: {len(chosen)}, {gigabytes(known) + more if known else 'of unknown size'}." if chosen else "",
        *(f"  {item.file}: {item.content}" for item in chosen if item.content),
        *(f"{item.file} stays packed: unpack it yourself." for item in chosen if item.file.endswith(FOREIGN)),
    ]
    console = Console(stderr=True)
    for line in filter(None, told):
        console.print(line, markup=False, highlight=False, soft_wrap=True)
