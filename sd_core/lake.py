"""The lake: versioned Parquet datasets that any number of processes, on any number of machines, write and read at once.

A dataset's partition lies in ``<dataset>/<key>/<version>/``, one Parquet file per table. It becomes visible when
``<dataset>/<key>/current.json`` is replaced, which happens in one step after every file is whole; a writer that dies
before leaves nothing that a reader would meet. A dataset of segments, files of many small partitions together, has no
pointers: each is renamed into place whole. The pointer holds a SHA-256 of every file and of itself, the name of a
segment that of its file, so that a bit that a disk turned is found before it becomes a number. Where the files lie, and
what makes them whole there, belongs in ``sd_core.files``; what a dataset means, to its writer; the published warehouse,
in ``pipelines``.
"""

import contextlib
import hashlib
import importlib.metadata
import json
import re
import secrets
import time
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from types import EllipsisType
from typing import Any, BinaryIO, TypeVar

import pyarrow as pa
import pyarrow.parquet as pq

from sd_core.errors import DamagedError, InputError, MovedError, StoreError
from sd_core.files.base import LOCK, Files, Write
from sd_core.files.folder import Folder
from sd_core.files.whole import draft_prefix
from sd_core.locks import locked
from sd_core.wording import printable

POINTER = "current.json"
# What a release must know to read a lake, noted in it when it is begun. Raised with every change of the columns of its
# tables or of the form of a pointer; 1 is a lake without the note, whose pointers may have no checksums.
LAYOUT = 2
LAYOUT_FILE = "layout.json"
# How the file of a segment ends.
SEGMENT = ".parquet"
# How often segments are listed again, where another machine has removed one before it was read.
MOST_LISTINGS = 10
# How often what follows from a stored version is computed again, since another process has stored one meanwhile.
MOST_TURNS = 50
# The time it was written, in nanoseconds, and a random part; longer than any ticker.
VERSION = re.compile(r"(draft-)?[0-9]{20}-[0-9a-f]{8}$")

Done = TypeVar("Done")


@dataclass(frozen=True)
class Version:
    """One stored version of a partition.

    Attributes:
        files: where it lies.
        home: the partition's folder there.
        version: its name, unique within the partition.
        rows: row count by table.
        facts: what the writer noted: hashes, source, times. JSON values only.
        kept: earlier versions that stay readable beside this one.
        hashes: SHA-256 of each table's file, hexadecimal; none where a release that knew of none wrote it.
        tag: that of the pointer that names it, see :meth:`Files.get`; none in what :meth:`Lake.write` returns.
    """

    files: Files = field(compare=False, repr=False)
    home: str
    version: str
    rows: Mapping[str, int]
    facts: Mapping[str, Any]
    kept: tuple[str, ...] = field(default=())
    hashes: Mapping[str, str] = field(default_factory=dict)
    tag: str = field(default="", compare=False, repr=False)

    def name(self, table: str) -> str:
        """Return the name of a table's file."""
        return f"{self.home}/{self.version}/{table}.parquet"

    def file(self, table: str) -> Path:
        """Return the path of a table's Parquet file on this machine."""
        with self._expected(table):
            return self.files.local(self.name(table))

    def read(self, table: str) -> pa.Table:
        """Read one table.

        Raises:
            DamagedError: its file is not the one that was written, or missing.
        """
        with self._expected(table):
            content = self.files.local(self.name(table), self.hashes.get(table)).read_bytes()
        self._compare(table, hashlib.sha256(content).hexdigest())
        return pq.read_table(pa.BufferReader(content))

    def verify(self) -> None:
        """Compare the file of each table with what was written, for a reader that opens the files itself.

        Raises:
            DamagedError: one is another, or missing.
        """
        for table in self.rows:
            with self._expected(table), self.files.local(self.name(table), self.hashes.get(table)).open("rb") as handle:
                self._compare(table, hashlib.file_digest(handle, "sha256").hexdigest())

    @contextlib.contextmanager
    def _expected(self, table: str) -> Iterator[None]:
        try:
            yield
        except FileNotFoundError:
            raise self._missing(table) from None

    def _missing(self, table: str) -> DamagedError:
        return _damaged(self.files.place(self.home), f"{self.version}/{table}.parquet is missing")

    def _compare(self, table: str, found: str) -> None:
        if found != self.hashes.get(table, found):
            raise _damaged(self.files.place(self.home), f"{self.version}/{table}.parquet: SHA-256 {found}")


class Lake:
    """The lake of one study.

    Writers and readers hold a shared lock for the moment that they need, so that :meth:`prune`, which holds it alone,
    never takes a file from under them. The lock is one of this machine; a bucket, which other machines prune as well,
    keeps for a day what nothing names.

    Attributes:
        root: the study's folder on this machine.
        files: the lake's files; by default those below that folder.
    """

    def __init__(self, root: Path, files: Files | None = None) -> None:
        self.root = root
        self.files = files or Folder(root)

    @property
    def here(self) -> "Lake":
        """The lake of what concerns this machine alone: in the study's folder, wherever the other files lie."""
        return Lake(self.root)

    def snapshot(self) -> "Snapshot":
        """Return the lake as it is now, for a reader that must not meet what others store meanwhile."""
        return Snapshot(self)

    def place(self, dataset: str, key: str = "") -> str:
        """Return where a partition lies, for people."""
        return self.files.place(_home(dataset, key))

    def write(
        self,
        dataset: str,
        key: str,
        tables: Mapping[str, pa.Table],
        facts: Mapping[str, Any],
        *,
        keep: tuple[str, ...] = (),
        instead_of: Version | EllipsisType | None = ...,
    ) -> Version:
        """Store tables as the new current version of a partition; ``key`` is "" for a dataset without partitions.

        ``keep`` names earlier versions that pruning must leave. The bytes of a file depend on its table alone.
        ``instead_of`` is what :meth:`current` has returned, for a writer that goes on from there; without it the last
        writer wins.

        Raises:
            MovedError: the current version is another one by now; what is stored stays.
        """
        home = _home(dataset, key)
        version = f"{time.time_ns():020d}-{secrets.token_hex(4)}"
        with self.shared():
            begins = self.layout is None
            writes = {f"{name}.parquet": _writing(table) for name, table in tables.items()}
            put = self.files.put_together(f"{home}/{version}", writes)
            hashes = {name: put[f"{name}.parquet"] for name in tables}
            rows = {name: table.num_rows for name, table in tables.items()}
            written = Version(self.files, home, version, rows, dict(facts), keep, hashes)
            try:
                if not self._put_pointer(written, instead_of):
                    raise MovedError(f"{self.place(dataset, key)}: another process has written meanwhile")
            except BaseException:
                self.files.give_up(f"{home}/{version}")
                raise
            if begins:
                self.note_layout()
        return written

    def _put_pointer(self, version: Version, instead_of: Version | EllipsisType | None = ...) -> bool:
        """Make a version of a partition its current one, in place of what is expected there; return whether it is."""
        named = {
            "version": version.version,
            "rows": version.rows,
            "facts": version.facts,
            "kept": list(version.kept),
            "hashes": version.hashes,
        }
        name = f"{version.home}/{POINTER}"
        text = json.dumps({**named, "checksum": _checksum(named)}, indent=1, sort_keys=True)
        if instead_of is None:
            return self.files.put_new(name, text)
        if isinstance(instead_of, Version):
            return self.files.replace(name, text, instead_of.tag)
        self.files.put(name, text)
        return True

    def current(self, dataset: str, key: str = "") -> Version | None:
        """Return the current version of a partition, or None where nothing was stored yet.

        Raises:
            DamagedError: the pointer is not one that was written, or a file that it names is missing.
        """
        home = _home(dataset, key)
        current = self._pointer(home)
        while current is not None and (gone := _first_missing(current)) is not None:
            # It may have been superseded and pruned since the pointer was read.
            before, current = current, self._pointer(home)
            if current == before:
                raise before._missing(gone)  # noqa: SLF001 - of the same module
        return current

    def _pointer(self, home: str) -> Version | None:
        """Return the version that a partition's pointer names, or None where none was ever written.

        Raises:
            DamagedError: the pointer is not one that :meth:`write` put there.
        """
        try:
            content, tag = self.files.get(f"{home}/{POINTER}")
        except FileNotFoundError:
            return None
        return _read_pointer(self.files, home, content, tag)

    @property
    def layout(self) -> int | None:
        """The layout of what is stored; None where nothing is yet.

        Raises:
            DamagedError: the note of it cannot be read.
            InputError: a newer release wrote it.
        """
        try:
            noted = json.loads(self.files.get(LAYOUT_FILE)[0].decode())
            layout, release = int(noted["layout"]), str(noted["release"])
        except FileNotFoundError:
            return 1 if self.files.has_folders() else None
        except (ValueError, TypeError, KeyError, RecursionError):
            raise _damaged(self.files.place(), f"{LAYOUT_FILE} cannot be read") from None
        if layout > LAYOUT:
            raise InputError(
                f"{self.files.place()}: written by release {printable(release)}, in layout {layout}: expected at most "
                f"{LAYOUT}: use that release, or name another home with SD_HOME"
            )
        return layout

    def note_layout(self) -> None:
        """Note that what is stored has the present layout."""
        noted = {"layout": LAYOUT, "release": importlib.metadata.version("sdlab")}
        self.files.put(LAYOUT_FILE, json.dumps(noted))

    def seal(self, dataset: str, key: str) -> None:
        """Give a partition of a release before there were checksums the checksums of what is stored now."""
        version = self.current(dataset, key)
        if version is None or len(version.hashes) == len(version.rows):
            return
        with self.shared():
            hashes = {name: hashlib.sha256(version.file(name).read_bytes()).hexdigest() for name in version.rows}
            self._put_pointer(replace(version, hashes=hashes))

    def keys(self, dataset: str) -> list[str]:
        """Return the keys of a dataset's partitions, sorted; "" is that of a dataset without partitions."""
        pointers = (name for name in self.files.names(dataset, VERSION) if name.rpartition("/")[2] == POINTER)
        return sorted(name.removesuffix(POINTER).removeprefix(dataset).strip("/") for name in pointers)

    def discard(self, dataset: str, key: str = "") -> None:
        """Forget what is stored of a partition; pruning removes its files."""
        with self.shared():
            self.files.remove([f"{_home(dataset, key)}/{POINTER}"])

    def prune(self) -> None:
        """Remove what no pointer names: superseded versions and the drafts of writers that died.

        Does nothing while the lake is read or written on this machine; the next run tries again. Partitions stay,
        whether a study still names them or not, and nothing is removed where a pointer is damaged: which versions it
        named is not known.
        """
        with self._alone() as alone:
            if not alone:
                return
            for left in self.files.leftovers(POINTER, VERSION, (draft_prefix(POINTER), draft_prefix(SEGMENT))):
                try:
                    current = self._pointer(left.home)
                except DamagedError:
                    continue
                named = {current.version, *current.kept} if current else set()
                self.files.discard(replace(left, versions=left.versions - named))
        if self.files.root != self.root:
            self.here.prune()

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
        with self.shared():
            return self.files.put_by_hash(dataset, name, SEGMENT, _writing(table))

    def segments(self, dataset: str) -> list[str]:
        """Return the names of a dataset's segments, in their order."""
        found = (name.removeprefix(f"{dataset}/") for name in self.files.names(dataset, VERSION))
        return sorted(name.removesuffix(SEGMENT) for name in found if name.endswith(SEGMENT) and name[0] != ".")

    def read_segment(self, dataset: str, name: str, columns: Sequence[str] | None = None) -> pa.Table:
        """Read a segment, or some of its columns.

        Raises:
            DamagedError: its file is not the one that was written.
            FileNotFoundError: it is not there any more.
        """
        expected = name.rpartition("-")[2]
        content = self.files.local(f"{dataset}/{name}{SEGMENT}", expected).read_bytes()
        found = hashlib.sha256(content).hexdigest()
        if found != expected:
            raise _damaged(self.place(dataset), f"{name}{SEGMENT}: SHA-256 {found}")
        return pq.read_table(pa.BufferReader(content), columns=None if columns is None else list(columns))

    def read_segments(self, dataset: str, columns: Sequence[str] | None = None) -> dict[str, pa.Table]:
        """Read all segments of a dataset, or some of their columns, by name in their order.

        Raises:
            DamagedError: a file is not the one that was written.
        """
        for _ in range(MOST_LISTINGS):
            # Who removes segments on another machine has put others before, which have the rows that count.
            with contextlib.suppress(FileNotFoundError):
                return {name: self.read_segment(dataset, name, columns) for name in self.segments(dataset)}
        raise _damaged(self.place(dataset), "segments that are listed are missing")

    def remove_segments(self, dataset: str, names: Iterable[str]) -> bool:
        """Remove segments, unless the lake is read or written on this machine; return whether they were.

        Those that readers on other machines may still want stay; who asks again tomorrow removes them.
        """
        with self._alone() as alone:
            if alone:
                files = {f"{dataset}/{name}{SEGMENT}" for name in names}
                self.files.remove(files - self.files.young(files))
            return alone

    def remove_damaged(self, dataset: str, names: Iterable[str]) -> None:
        """Remove segments of which no reader can want anything."""
        self.files.remove(f"{dataset}/{name}{SEGMENT}" for name in names)

    @contextlib.contextmanager
    def shared(self) -> Iterator[None]:
        """Hold off pruning on this machine while the lake's files are read or written."""
        with locked(self.files.root / LOCK, shared=True):
            yield

    @contextlib.contextmanager
    def _alone(self) -> Iterator[bool]:
        """Be alone with the lake's files on this machine; False where they are read or written."""
        with locked(self.files.root / LOCK, wait=False) as held:
            yield held is not None


class Snapshot(Lake):
    """A lake of which each pointer and each listing is read once: the repeatable reads of a database.

    What is judged by a pointer and what is then read by it are one version, whatever others store meanwhile. What is
    written through it is seen; who reads the files holds the lake's shared lock. It belongs to one thread.
    """

    def __init__(self, lake: Lake) -> None:
        super().__init__(lake.root, lake.files)
        self._pointers: dict[str, Version | None] = {}
        self._keys: dict[str, list[str]] = {}
        self._segments: dict[str, list[str]] = {}

    def _pointer(self, home: str) -> Version | None:
        if home not in self._pointers:
            self._pointers[home] = super()._pointer(home)
        return self._pointers[home]

    def write(self, dataset: str, key: str, *arguments: Any, **named: Any) -> Version:
        """Store tables as :meth:`Lake.write` does."""
        written = super().write(dataset, key, *arguments, **named)
        self._pointers.pop(written.home, None)
        self._keys.pop(dataset, None)
        return written

    def keys(self, dataset: str) -> list[str]:
        """Return the keys of a dataset's partitions, sorted."""
        if dataset not in self._keys:
            self._keys[dataset] = super().keys(dataset)
        return self._keys[dataset]

    def segments(self, dataset: str) -> list[str]:
        """Return the names of a dataset's segments, in their order."""
        if dataset not in self._segments:
            self._segments[dataset] = super().segments(dataset)
        return self._segments[dataset]

    def read_segments(self, dataset: str, columns: Sequence[str] | None = None) -> dict[str, pa.Table]:
        """Read all segments of a dataset, or some of their columns, by name in their order.

        Raises:
            DamagedError: a file is not the one that was written.
            MovedError: another machine has removed one, since others have its rows.
        """
        try:
            return {name: self.read_segment(dataset, name, columns) for name in self.segments(dataset)}
        except FileNotFoundError:
            raise MovedError(f"{self.place(dataset)}: another process has merged segments meanwhile") from None


def until_unmoved(step: Callable[[], Done], turns: int = MOST_TURNS) -> Done:
    """Do a step that reads a partition and writes what follows from it; again where others have written meanwhile.

    Raises:
        StoreError: others were quicker every time.
    """
    for _ in range(turns):
        with contextlib.suppress(MovedError):
            return step()
    raise StoreError(f"other processes have written the same partition {turns} times before this one could")


def _first_missing(version: Version) -> str | None:
    """Return a table of a version of which there is no file, where finding out costs nothing."""
    tables = {version.name(table): table for table in version.rows}
    return next((tables[name] for name in version.files.missing(tables)), None)


def _home(dataset: str, key: str) -> str:
    return f"{dataset}/{key}" if key else dataset


def _damaged(home: str, what: str) -> DamagedError:
    return DamagedError(
        f"{home}: {what}: expected what a run wrote there; `sdlab run` computes it again, or says what is lost"
    )


def _writing(table: pa.Table) -> Write:
    """Return what writes a table.

    A dictionary pays for text, which repeats, and only costs time for numbers, which do not.
    """
    text = [field.name for field in table.schema if _is_text(field.type)]

    def write(handle: BinaryIO) -> None:
        pq.write_table(table, handle, compression="zstd", compression_level=1, use_dictionary=text or False)

    return write


def _checksum(named: Mapping[Any, Any]) -> str:
    """Return the SHA-256 of what a pointer says, however it is laid out."""
    return hashlib.sha256(json.dumps(named, sort_keys=True, separators=(",", ":")).encode()).hexdigest()


def _is_text(kind: pa.DataType) -> bool:
    return bool(pa.types.is_string(kind) or pa.types.is_dictionary(kind))


def _read_pointer(files: Files, home: str, content: bytes, tag: str) -> Version:
    """Return the version that a pointer names.

    Raises:
        DamagedError: the pointer is not one that :meth:`Lake.write` put there.
    """
    try:
        pointer = json.loads(content.decode())
    except (ValueError, RecursionError):  # the latter where brackets are nested thousands deep
        raise _damaged(files.place(home), f"{POINTER} cannot be read") from None
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
            raise _damaged(files.place(home), f"{POINTER} is not what was written")
    return Version(
        files,
        home,
        pointer["version"],
        pointer["rows"],
        pointer["facts"],
        tuple(pointer["kept"]),
        hashes,
        tag,
    )
