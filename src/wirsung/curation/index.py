"""The index of a tree of files: each header is read once, and again only where its file changed.

It is a folder of Parquet files. Folders are spread over at most 256 shards by the hash of their name, and one
of very many files has shards of its own. A shard is one file and one task, so a killed run loses the shards
it was at, and no process holds more than one in memory. The index holds file names, which exports take from
patients: it lies beside a dataset, never inside.
"""

import hashlib
import os
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from zlib import crc32

import pyarrow as pa
import pyarrow.compute as pc
import pyarrow.dataset as pads
import pyarrow.parquet as pq

from wirsung.compute.atomic import atomic_path
from wirsung.compute.cases import Outcome, Skip, map_cases
from wirsung.curation.index_rows import ROW_SCHEMA, DrawnFile, Row, damage_of, labels_of, rows_of, slices_of
from wirsung.curation.pseudonyms import pseudonym
from wirsung.errors import ManifestError, StorageError
from wirsung.imaging.dicom import Stack, spoiled
from wirsung.imaging.dicom_headers import Damaged
from wirsung.imaging.dicom_stacks import find_stacks

_VERSION = b"2"
_SUFFIX = ".parquet"
_ROWS_AT_ONCE = 50_000
"""Above, series are taken in sixteen parts."""
_LARGEST = 50_000
"""Files of one folder in a shard."""
_PARTS = "0123456789abcdef"


@dataclass(frozen=True)
class Index:
    """An index on the disk."""

    folder: Path
    root: Path
    """The tree whose files it lists."""

    def count(self) -> dict[str, int]:
        """How many rows are slices, and how many are scouts, were set aside or are damaged, by code.

        Raises:
            StorageError: The index can't be read.
        """
        table = self._table(["status", "code", "is_localizer"])
        found: Counter[str] = Counter()
        for row in table.group_by(table.column_names).aggregate([([], "count_all")]).to_pylist():
            name = "LOCALIZER" if row["is_localizer"] else row["code"] or row["status"]
            found[name] += row["count_all"]
        return dict(found)

    def slices(self, columns: list[str]) -> pa.Table:
        """Columns of `ROW_SCHEMA` of all slices, scouts included.

        Raises:
            StorageError: The index can't be read.
        """
        return self._table(columns, pc.field("status") == "slice")

    def stacks(self) -> Iterator[Stack]:
        """The stacks of all files, those with a problem included, without opening any of the files.

        Raises:
            StorageError: The index can't be read.
        """
        damaged = self.damaged()
        known = set(pc.unique(self._table(["series"], pc.field("status") == "slice")["series"]).to_pylist())
        for table in self._parts():
            found, _ = find_stacks(slices_of(table, self.root))
            for stack in found:
                yield spoiled(stack, damaged, known)

    def _parts(self) -> Iterator[pa.Table]:
        """All slices, those of one series together."""
        is_slice = pc.field("status") == "slice"
        if self._dataset().count_rows(filter=is_slice) <= _ROWS_AT_ONCE:
            yield self._table(None, is_slice)
            return
        for digit in _PARTS:
            part = pc.utf8_slice_codeunits(pc.field("series"), 1, 2) == digit
            yield self._table(None, is_slice & part)
        yield self._table(None, is_slice & (pc.field("series") == ""))

    def labels(self) -> list[DrawnFile]:
        """The SEG and RTSTRUCT files, by path.

        Raises:
            StorageError: The index can't be read.
        """
        columns = ["file", "code", "frame_of_reference", "refers_to"]
        rows = self._table(columns, pc.field("status") == "labels").to_pylist()
        return sorted((labels_of(row, self.root) for row in rows), key=lambda item: item.path)

    def telling_folders(self) -> dict[Path, str]:
        """The folders that are called after a patient, with the attribute of the header that says so.

        Raises:
            StorageError: The index can't be read.
        """
        tells = pc.list_value_length(pc.field("tells")) > 0
        found: dict[Path, str] = {}
        for row in self._table(["file", "tells"], (pc.field("status") == "slice") & tells).to_pylist():
            parts = Path(row["file"]).parts
            for told in row["tells"]:
                number, attribute = told.split()
                found[self.root.joinpath(*parts[: int(number)])] = attribute
        return found

    def known_instances(self, wanted: Iterable[str]) -> set[str]:
        """Those of the slices' pseudonyms that are among the wanted.

        Raises:
            StorageError: The index can't be read.
        """
        among = pc.field("instance").isin(sorted(wanted))
        return set(self._table(["instance"], (pc.field("status") == "slice") & among)["instance"].to_pylist())

    def damaged(self) -> list[tuple[Path, Damaged]]:
        """The files that should be slices and are damaged.

        Raises:
            StorageError: The index can't be read.
        """
        rows = self._table(["file", "code", "series"], pc.field("status") == "damaged")
        return [damage_of(row, self.root) for row in rows.to_pylist()]

    def _table(self, columns: list[str] | None, where: pc.Expression | None = None) -> pa.Table:
        try:
            return self._dataset().to_table(columns=columns, filter=where)
        except (pa.ArrowException, OSError) as error:
            msg = f"{self.folder} can't be read as an index. Delete it, and index the files anew."
            raise StorageError(msg) from error

    def _dataset(self) -> pads.Dataset:
        return pads.dataset(sorted(map(str, self.folder.glob(f"*{_SUFFIX}"))), schema=ROW_SCHEMA)


@dataclass(frozen=True)
class _Shard:
    """Some folders, and the file that lists theirs."""

    root: Path
    folders: tuple[str, ...]
    path: Path
    key: bytes = field(repr=False)
    part: int = 0
    parts: int = 1
    """Of a folder of very many files only those are the shard's whose hash falls into its part."""

    def files(self) -> Iterator[Path]:
        """The files in its folders, in the order of their names."""
        for name in self.folders:
            for path in sorted((self.root / name).iterdir()):
                is_ours = self.parts == 1 or crc32(os.fsencode(path.name)) % self.parts == self.part
                if is_ours and path.name[0] != "." and not path.is_dir():
                    yield path


def index_tree(
    root: Path, folder: Path, *, key: bytes, workers: int = 1, cluster: str | None = None
) -> tuple[Index, list[Outcome[int]]]:
    """Index the files in `root` and its folders, hidden ones left out; files that did not change stay.

    Args:
        root: Only read.
        folder: Where the index lies, outside `root`.
        key: For pseudonyms; another key makes the index anew.
        workers: Processes.
        cluster: A Dask cluster in their place, see `compute.cases.map_cases`.

    Raises:
        ManifestError: There is no such folder, or a part of it can't be read.
        StorageError: The index can't be written.
    """
    if not root.is_dir():
        msg = f"{root} is no folder. Name the folder with the raw scans."
        raise ManifestError(msg)
    shards = _shards(root, folder, key)
    try:
        folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    except OSError as error:
        msg = f"{folder} can't be made ({error.strerror}). Choose another place for the index."
        raise StorageError(msg) from error
    for path in folder.glob(f"*{_SUFFIX}"):
        if path.name.removesuffix(_SUFFIX) not in shards:
            path.unlink()
    outcomes = map_cases(_index_shard, shards, workers=workers, description="index/shard", cluster=cluster)
    for outcome in outcomes:
        if outcome.status == "failed":
            msg = f"{root} can't be indexed: {outcome.message}"
            raise ManifestError(msg)
    return Index(folder, root), outcomes


def _shards(root: Path, folder: Path, key: bytes) -> dict[str, _Shard]:
    """The shards by the name of their file."""
    spread: dict[str, list[str]] = {}
    shards: dict[str, _Shard] = {}
    for name, count in _folders(root):
        digits = hashlib.sha256(os.fsencode(name)).hexdigest()
        if count <= _LARGEST:
            spread.setdefault(digits[:2], []).append(name)
            continue
        parts = 1 << (count // _LARGEST).bit_length()  # a power of two, so that it seldom changes
        for part in range(parts):
            label = f"{digits[:16]}-{part}-of-{parts}"
            shards[label] = _Shard(root, (name,), folder / f"{label}{_SUFFIX}", key, part, parts)
    for label, names in spread.items():
        shards[label] = _Shard(root, tuple(names), folder / f"{label}{_SUFFIX}", key)
    return dict(sorted(shards.items()))


def _folders(root: Path) -> Iterator[tuple[str, int]]:
    """The folders with files, relative to the root, and how many; links to folders are not followed."""

    def refuse(error: OSError) -> None:
        msg = f"{error.filename} can't be listed ({error.strerror}). Mend its rights, or take it away."
        raise ManifestError(msg) from error

    for place, folders, files in os.walk(root, onerror=refuse):
        folders[:] = sorted(name for name in folders if name[0] != ".")
        count = sum(name[0] != "." for name in files)
        if count:
            yield Path(place).relative_to(root).as_posix(), count


def _index_shard(shard: _Shard) -> int:
    """Write the rows of some folders; returns how many files had to be read.

    Raises:
        Skip: Nothing changed.
    """
    mark = {b"wirsung": _VERSION + pseudonym(shard.key, "key", "check").encode()}
    before = _rows_before(shard.path, mark)
    rows: list[Row] = []
    kept = read = 0
    for path in shard.files():
        file, stat = path.relative_to(shard.root).as_posix(), _stat(path)
        known = before.get(file, [])
        if known and (known[0]["size"], known[0]["mtime_ns"]) == stat:
            rows += known
            kept += 1
        else:
            rows += rows_of(path, file, stat, shard.key)
            read += 1
    if not read and kept == len(before) and shard.path.is_file():
        raise Skip(0)
    table = pa.Table.from_pylist(rows, schema=ROW_SCHEMA).replace_schema_metadata(mark)
    with atomic_path(shard.path) as partial:
        pq.write_table(table, partial, compression="zstd")
    return read


def _stat(path: Path) -> tuple[int, int]:
    try:
        stat = path.stat()
    except OSError:  # a link to nothing; the reader says so
        return -1, -1
    return stat.st_size, stat.st_mtime_ns


def _rows_before(path: Path, mark: Mapping[bytes, bytes]) -> dict[str, list[Row]]:
    """The rows of an earlier run by file; none where it is damaged, older, or made with another key."""
    try:
        table = pq.ParquetFile(path).read() if path.is_file() else None
    except (pa.ArrowException, OSError):
        return {}
    if table is None or not mark.items() <= (table.schema.metadata or {}).items():
        return {}
    rows: dict[str, list[Row]] = {}
    for row in table.to_pylist():
        rows.setdefault(row["file"], []).append(row)
    return rows
