"""The lake: versioned Parquet datasets that any number of processes write and read at once.

A dataset's partition lies in ``<dataset>/<key>/<version>/``, one Parquet file per table. It becomes visible when
``<dataset>/<key>/current.json`` is replaced, which happens in one step after every file is whole; a writer that dies
before leaves nothing that a reader would meet. A dataset of segments, files of many small partitions together, has no
pointers: each is renamed into place whole. The pointer holds a SHA-256 of every file and of itself, the name of a
segment that of its file, so that a bit that a disk turned is found before it becomes a number. What a dataset means
belongs to its writer; the published warehouse belongs in ``pipelines``.
"""

import contextlib
import hashlib
import importlib.metadata
import io
import json
import os
import re
import secrets
import shutil
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

import pyarrow as pa
import pyarrow.parquet as pq

from sd_core.errors import DamagedError, InputError
from sd_core.files import draft_prefix, make_folder, naming, put_in_place, put_whole, sync
from sd_core.locks import locked
from sd_core.wording import printable

POINTER = "current.json"
# What a release must know to read a lake, noted in it when it is begun. Raised with every change of the columns of its
# tables or of the form of a pointer; 1 is a lake without the note, whose pointers may have no checksums.
LAYOUT = 2
LAYOUT_FILE = "layout.json"
# How the file of a segment ends.
SEGMENT = ".parquet"
# The time it was written, in nanoseconds, and a random part; longer than any ticker.
VERSION = re.compile(r"(draft-)?[0-9]{20}-[0-9a-f]{8}$")


@dataclass(frozen=True)
class Version:
    """One stored version of a partition.

    Attributes:
        folder: where its Parquet files lie.
        version: its name, unique within the partition.
        rows: row count by table.
        facts: what the writer noted: hashes, source, times. JSON values only.
        kept: earlier versions that stay readable beside this one.
        hashes: SHA-256 of each table's file, hexadecimal; none where a release that knew of none wrote it.
    """

    folder: Path
    version: str
    rows: Mapping[str, int]
    facts: Mapping[str, Any]
    kept: tuple[str, ...] = field(default=())
    hashes: Mapping[str, str] = field(default_factory=dict)

    def file(self, table: str) -> Path:
        """Return the path of a table's Parquet file."""
        return self.folder / f"{table}.parquet"

    def read(self, table: str) -> pa.Table:
        """Read one table.

        Raises:
            DamagedError: its file is not the one that was written.
        """
        content = self.file(table).read_bytes()
        self._compare(table, hashlib.sha256(content).hexdigest())
        return pq.read_table(pa.BufferReader(content))

    def verify(self) -> None:
        """Compare the file of each table with what was written, for a reader that opens the files itself.

        Raises:
            DamagedError: one is another.
        """
        for table in self.rows:
            with self.file(table).open("rb") as handle:
                self._compare(table, hashlib.file_digest(handle, "sha256").hexdigest())

    def _compare(self, table: str, found: str) -> None:
        if found != self.hashes.get(table, found):
            raise _damaged(self.folder.parent, f"{self.version}/{table}.parquet: SHA-256 {found}")


class Lake:
    """The lake of one study, below one folder.

    Writers and readers hold a shared lock for the moment that they need, so that :meth:`prune`, which holds it alone,
    never takes a file from under them.
    """

    def __init__(self, root: Path) -> None:
        self.root = root

    def write(
        self,
        dataset: str,
        key: str,
        tables: Mapping[str, pa.Table],
        facts: Mapping[str, Any],
        *,
        keep: tuple[str, ...] = (),
    ) -> Version:
        """Store tables as the new current version of a partition; ``key`` is "" for a dataset without partitions.

        ``keep`` names earlier versions that pruning must leave. The bytes of a file depend on its table alone.
        """
        home = self.root / dataset / key
        version = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        with self.shared():
            begins = self.layout is None
            hashes = _put_tables(tables, home / f"draft-{version}", home / version)
            rows = {name: table.num_rows for name, table in tables.items()}
            written = Version(home / version, version, rows, dict(facts), keep, hashes)
            try:
                _put_pointer(home, written)
            except BaseException:
                shutil.rmtree(home / version, ignore_errors=True)
                raise
            if begins:
                self.note_layout()
        return written

    def current(self, dataset: str, key: str = "") -> Version | None:
        """Return the current version of a partition, or None where nothing was stored yet.

        Raises:
            DamagedError: the pointer is not one that was written, or a file that it names is missing.
        """
        home = self.root / dataset / key
        current = _read_pointer(home)
        if current is not None:
            for table in current.rows:
                if not current.file(table).is_file():
                    raise _damaged(home, f"{current.version}/{table}.parquet is missing")
        return current

    @property
    def layout(self) -> int | None:
        """The layout of what is stored; None where nothing is yet.

        Raises:
            DamagedError: the note of it cannot be read.
            InputError: a newer release wrote it.
        """
        try:
            noted = json.loads((self.root / LAYOUT_FILE).read_text(encoding="utf-8"))
            layout, release = int(noted["layout"]), str(noted["release"])
        except FileNotFoundError:
            return 1 if self.root.is_dir() and any(one.is_dir() for one in self.root.iterdir()) else None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise _damaged(self.root, f"{LAYOUT_FILE} cannot be read") from None
        if layout > LAYOUT:
            raise InputError(
                f"{self.root}: written by release {printable(release)}, in layout {layout}: expected at most {LAYOUT}: "
                "use that release, or name another home with SD_HOME"
            )
        return layout

    def note_layout(self) -> None:
        """Note that what is stored has the present layout."""
        noted = {"layout": LAYOUT, "release": importlib.metadata.version("sdlab")}
        put_whole(self.root / LAYOUT_FILE, json.dumps(noted))

    def seal(self, dataset: str, key: str) -> None:
        """Give a partition of a release before there were checksums the checksums of what is stored now."""
        version = self.current(dataset, key)
        if version is None or len(version.hashes) == len(version.rows):
            return
        with self.shared():
            hashes = {name: hashlib.sha256(version.file(name).read_bytes()).hexdigest() for name in version.rows}
            _put_pointer(self.root / dataset / key, replace(version, hashes=hashes))

    def keys(self, dataset: str) -> list[str]:
        """Return the keys of a dataset's partitions, sorted; "" is that of a dataset without partitions."""
        home = self.root / dataset
        found = []
        # Unlike a search with a pattern, a walk goes on where a folder was renamed or pruned after it was seen.
        for place, folders, files in _walk(home):
            folders[:] = [name for name in folders if not VERSION.match(name)]
            if POINTER in files:
                folder = Path(place).relative_to(home)
                found.append("" if folder == Path() else folder.as_posix())
        return sorted(found)

    def discard(self, dataset: str, key: str = "") -> None:
        """Forget what is stored of a partition; pruning removes its files."""
        with self.shared():
            (self.root / dataset / key / POINTER).unlink(missing_ok=True)

    def written(self, dataset: str, key: str) -> int | None:
        """Return when a partition's current version became visible, in nanoseconds; None where nothing was stored yet.

        It is another number for each version, and takes a fraction of the time of reading the pointer.
        """
        try:
            return (self.root / dataset / key / POINTER).stat().st_mtime_ns
        except FileNotFoundError:
            return None

    def prune(self) -> None:
        """Remove what no pointer names: superseded versions and the drafts of writers that died.

        Does nothing while the lake is read or written; the next run tries again. Partitions stay, whether a study still
        names them or not, and nothing is removed where a pointer is damaged: which versions it named is not known.
        """
        with locked(self._lock_file, wait=False) as held:
            if held is None:
                return
            for home, folders, files in _walk(self.root):
                stored = {name for name in folders if VERSION.match(name)}
                # Partitions may lie deeper, but nothing lies inside a version.
                folders[:] = [name for name in folders if name not in stored]
                try:
                    current = _read_pointer(Path(home))
                except DamagedError:
                    continue
                for name in stored - ({current.version, *current.kept} if current else set()):
                    _remove(Path(home, name))
                for name in files:
                    if name.startswith((draft_prefix(POINTER), draft_prefix(SEGMENT))):
                        Path(home, name).unlink()

    def append(self, dataset: str, name: str, table: pa.Table) -> str:
        """Add a segment to a dataset: a file of rows that is there whole or not at all, and is named by no pointer.

        A reader takes all segments of a dataset together, and decides which of their rows count. The same rows under
        the same name are one segment, however often they are added.

        Args:
            dataset: of segments alone.
            name: of which the order is that of the segments.
            table: its rows.

        Returns:
            The segment's whole name, which ends with the SHA-256 of its file.
        """
        home = self.root / dataset
        home.mkdir(parents=True, exist_ok=True)
        with self.shared():
            draft = home / f"{draft_prefix(SEGMENT)}{secrets.token_hex(4)}"
            try:
                whole = f"{name}-{_write(table, draft)}"
                draft.replace(home / f"{whole}{SEGMENT}")
            except BaseException:
                draft.unlink(missing_ok=True)
                raise
        return whole

    def segments(self, dataset: str) -> list[str]:
        """Return the names of a dataset's segments, in their order."""
        return sorted(file.stem for file in (self.root / dataset).glob(f"[!.]*{SEGMENT}"))

    def read_segment(self, dataset: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a segment, or some of its columns.

        Raises:
            DamagedError: its file is not the one that was written.
        """
        file = self.root / dataset / f"{name}{SEGMENT}"
        content = file.read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != name.rpartition("-")[2]:
            raise _damaged(file.parent, f"{file.name}: SHA-256 {found}")
        return pq.read_table(pa.BufferReader(content), columns=None if columns is None else list(columns))

    def remove_segments(self, dataset: str, names: Iterable[str]) -> bool:
        """Remove segments, unless the lake is read or written; return whether they were."""
        with locked(self._lock_file, wait=False) as held:
            if held is None:
                return False
            for name in names:
                (self.root / dataset / f"{name}{SEGMENT}").unlink(missing_ok=True)
            return True

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold off pruning while the lake's files are read or written."""
        with locked(self._lock_file, shared=True):
            yield

    @property
    def _lock_file(self) -> Path:
        return self.root / ".lock"


def _walk(root: Path) -> Iterator[tuple[str, list[str], list[str]]]:
    """Walk through folders as `os.walk` does, and also through those that links lead to, each once.

    A dataset may have been moved to another disk, with a link in its place.
    """
    whole = root.resolve()
    seen, waiting = {whole}, [root]
    while waiting:
        for place, folders, files in os.walk(waiting.pop()):
            yield place, folders, files
            for link in (Path(place, name) for name in folders):
                # A link to where this lake itself lies would lead into others.
                if link.is_symlink() and (target := link.resolve()) not in seen and not whole.is_relative_to(target):
                    seen.add(target)
                    waiting.append(link)


def _remove(version: Path) -> None:
    """Remove a version; of a link to one, which no run makes, the link alone."""
    if version.is_symlink():
        version.unlink()
    else:
        shutil.rmtree(version)


def _damaged(home: Path, what: str) -> DamagedError:
    return DamagedError(
        f"{home}: {what}: expected what a run wrote there; `sdlab run` computes it again, or says what is lost"
    )


def _put_tables(tables: Mapping[str, pa.Table], draft: Path, place: Path) -> dict[str, str]:
    """Write a folder of tables that is whole or absent, and return the SHA-256 of each file."""
    make_folder(place.parent)
    try:
        draft.mkdir()
        hashes = {name: _write(table, draft / f"{name}.parquet") for name, table in tables.items()}
        sync(draft)
        put_in_place(draft, place)
    except BaseException:
        shutil.rmtree(draft, ignore_errors=True)
        raise
    return hashes


class _Hashed(io.FileIO):
    """A file that is written, and the SHA-256 of what was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        written = super().write(content)
        self.digest.update(memoryview(content).cast("B")[:written])
        return written


def _write(table: pa.Table, file: Path) -> str:
    """Write one table and return the SHA-256 of its file.

    A dictionary pays for text, which repeats, and only costs time for numbers, which do not.
    """
    text = [field.name for field in table.schema if _is_text(field.type)]
    with naming(file), _Hashed(file) as raw, io.BufferedWriter(raw) as handle:
        pq.write_table(table, handle, compression="zstd", compression_level=1, use_dictionary=text or False)
        handle.flush()
        os.fsync(handle.fileno())  # the pointer, which is put down after it, must not outlive a loss of power alone
        return raw.digest.hexdigest()


def _put_pointer(home: Path, version: Version) -> None:
    """Make a version of a partition its current one."""
    named = {
        "version": version.version,
        "rows": version.rows,
        "facts": version.facts,
        "kept": list(version.kept),
        "hashes": version.hashes,
    }
    put_whole(home / POINTER, json.dumps({**named, "checksum": _checksum(named)}, indent=1, sort_keys=True))


def _checksum(named: Mapping[Any, Any]) -> str:
    """Return the SHA-256 of what a pointer says, however it is laid out."""
    return hashlib.sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _read_pointer(home: Path) -> Version | None:
    """Return the version that a partition's pointer names, or None where none was ever written.

    Raises:
        DamagedError: the pointer is not one that :meth:`Lake.write` put there.
    """
    try:
        pointer = json.loads((home / POINTER).read_text(encoding="utf-8"))
    except FileNotFoundError:
        return None
    except (ValueError, RecursionError):  # the latter where brackets are nested thousands deep
        raise _damaged(home, f"{POINTER} cannot be read") from None
    match pointer:
        case {"checksum": str(checksum), **named} if checksum == _checksum(named):
            hashes: Mapping[str, str] = pointer["hashes"]
        case {"version": str(), "rows": dict(rows), "facts": dict(), "kept": list(kept), **more} if (
            not more  # of a release before there were checksums
            and all(isinstance(count, int) for count in rows.values())
            and all(isinstance(name, str) for name in kept)
        ):
            hashes = {}
        case _:
            raise _damaged(home, f"{POINTER} is not what was written")
    version: str = pointer["version"]
    return Version(home / version, version, pointer["rows"], pointer["facts"], tuple(pointer["kept"]), hashes)
