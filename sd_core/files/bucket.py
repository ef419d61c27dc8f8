"""The files of a lake in a bucket of an object store that speaks S3.

What is put is there whole, so that there are no drafts; of two writers the last one wins, but where a file is only put
in place of the one that was read. Nothing is locked: what no pointer names stays for a day, since a reader on another
machine may still want it. The settings of the store, keys among them, are what the environment of each process says;
nothing here keeps them.
"""

import contextlib
import datetime as dt
import errno
import functools
import hashlib
import io
import os
import re
import secrets
import shutil
import time
from collections import defaultdict
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path
from typing import Any, TypeVar
from urllib.parse import urlsplit

from sd_core.errors import InputError, StoreError
from sd_core.files.base import LOCK, Leftovers, Write
from sd_core.files.whole import make_folder, put_in_place, sync
from sd_core.wording import printable

ADDRESS = re.compile(
    r"s3://(?P<bucket>[a-z0-9][a-z0-9.-]{1,61}[a-z0-9])(?P<prefix>(/[A-Za-z0-9_=-][A-Za-z0-9_.=-]*)*)/?"
)
# How long a store that does not answer is asked again, in seconds, and after how many one question is asked again.
PATIENCE, ANSWERED_WITHIN, CONNECTED_WITHIN = 60, 15, 5
# How long one file may take, whose parts come in time.
TRANSFERRED_WITHIN = 600
# How long what no pointer names any more stays.
SPARED = dt.timedelta(hours=24)
ENDPOINTS = ("AWS_ENDPOINT_URL_S3", "AWS_ENDPOINT_URL", "AWS_ENDPOINT")
SHORTEST_PAUSE, LONGEST_PAUSE = 0.1, 2.0
# What the library says where it could not reach the store, and where asking again may help; and the store where it has
# no such bucket.
UNREACHED = "HTTP error"
PASSING = re.compile(rf"{UNREACHED}|status code: (5\d\d|429)")
NO_BUCKET = "NoSuchBucket"

Answer = TypeVar("Answer")


@dataclass(frozen=True)
class Bucket:
    """Files below a prefix of a bucket.

    Attributes:
        url: ``s3://BUCKET/PREFIX``.
        cache: folder of this machine that takes copies of files that are never changed.
        spared: for how long what may go stays.
    """

    url: str
    cache: Path
    spared: dt.timedelta = SPARED

    def __post_init__(self) -> None:
        if ADDRESS.fullmatch(self.url) is None:
            # What looks like an address of another kind may have a password in it.
            shown = "an address with @ or ?" if set(self.url) & {"@", "?"} else printable(self.url)
            raise InputError(
                f"{shown}: expected the address of a bucket, s3://BUCKET or s3://BUCKET/PREFIX, of letters, digits "
                "and . _ = -"
            )

    @property
    def root(self) -> Path:
        """The folder of copies."""
        return self.cache

    def place(self, name: str = "") -> str:
        """Return the address of a file or folder."""
        return f"{self.url}/{name}" if name else self.url

    def get(self, name: str) -> tuple[bytes, str]:
        """Return what a file holds, and its ETag.

        Raises:
            FileNotFoundError: there is none.
        """
        import obstore

        def read() -> tuple[bytes, str]:
            found = obstore.get(self._store, name)
            return bytes(found.bytes()), str(found.meta["e_tag"])

        return self._ask(name, read)

    def put(self, name: str, text: str) -> None:
        """Put a small file in place of what is there."""
        self._put(name, text.encode())

    def put_new(self, name: str, text: str) -> bool:
        """Put a small file where none is: ``If-None-Match``."""
        return self._put_if(name, text.encode(), "create")

    def replace(self, name: str, text: str, tag: str) -> bool:
        """Put a small file in place of the one of a tag: ``If-Match``."""
        return self._put_if(name, text.encode(), {"e_tag": tag})

    def _put(self, name: str, content: bytes) -> None:
        import obstore

        self._ask(name, lambda: obstore.put(self._store, name, content))

    def _put_if(self, name: str, content: bytes, mode: Any) -> bool:
        """Put a file on a condition; it has been put where an earlier question, whose answer was lost, has put it."""
        import obstore
        from obstore.exceptions import AlreadyExistsError, PreconditionError

        try:
            self._ask(name, lambda: obstore.put(self._store, name, content, mode=mode))
        except (AlreadyExistsError, PreconditionError):
            with contextlib.suppress(FileNotFoundError):
                return self.get(name)[0] == content
            return False
        return True

    def put_together(self, folder: str, files: Mapping[str, Write]) -> dict[str, str]:
        """Put the files of a new folder, one after the other."""
        hashes = {}
        for name, write in files.items():
            content = _content(name, write)
            hashes[name] = hashlib.sha256(content).hexdigest()
            self._put(f"{folder}/{name}", content)
        return hashes

    def put_by_hash(self, folder: str, stem: str, ending: str, write: Write) -> str:
        """Put a file."""
        content = _content(stem, write)
        whole = f"{stem}-{hashlib.sha256(content).hexdigest()}"
        self._put(f"{folder}/{whole}{ending}", content)
        return whole

    def give_up(self, folder: str) -> None:
        """Leave a new folder to pruning: a pointer whose answer did not come may name it."""

    def missing(self, names: Iterable[str]) -> Iterator[str]:  # noqa: ARG002 - it would ask for each
        """Yield nothing: reading finds out."""
        return iter(())

    def names(self, folder: str, past: re.Pattern[str]) -> Iterator[str]:
        """Yield the names of all files below a folder, but for those in folders whose own name matches a pattern."""
        for found in self._listed(folder):
            inside = found["path"].removeprefix(folder).split("/")[:-1]
            if not any(past.match(name) for name in inside):
                yield found["path"]

    def young(self, names: Iterable[str]) -> set[str]:
        """Return files that were put within a day before the newest of their folders."""
        asked = set(names)
        young = set()
        for folder in {name.rpartition("/")[0] for name in asked}:
            put = {one["path"]: one["last_modified"] for one in self._listed(folder)}
            now = max(put.values(), default=None)
            young |= {name for name in asked & put.keys() if now - put[name] < self.spared}
        return young

    def remove(self, names: Iterable[str]) -> None:
        """Remove files, and their copies."""
        import obstore

        gone = list(names)
        if gone:
            self._ask(gone[0], lambda: obstore.delete(self._store, gone))
        for name in gone:
            (self.cache / name).unlink(missing_ok=True)

    def local(self, name: str, digest: str | None = None) -> Path:
        """Return a copy of a file that is never changed, which is made once.

        Raises:
            FileNotFoundError: there is none.
        """
        copy = self.cache / name
        if copy.is_file() and (digest is None or _sha256(copy) == digest):
            return copy
        content, _ = self.get(name)
        make_folder(copy.parent)
        draft = copy.with_name(f".{copy.name}.{secrets.token_hex(4)}")
        try:
            draft.write_bytes(content)
            sync(draft)
            put_in_place(draft, copy)
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        _forget_once(self)
        return copy

    def leftovers(self, pointer: str, version: re.Pattern[str], drafts: tuple[str, ...]) -> Iterator[Leftovers]:  # noqa: ARG002 - there are none
        """Yield versions that were superseded a day ago, and those of writers that died then.

        The time is that of the store: of what was put last. A version is superseded when the next one of its folder was
        put; one without a next is a dead writer's where the pointer is older. Copies of what is not there any more go.
        """
        listed = self.forget_copies()
        versions: dict[str, dict[str, dt.datetime]] = defaultdict(dict)
        for name, put in listed.items():
            home, _, folder = name.rpartition("/")[0].rpartition("/")
            if version.match(folder):
                versions[home][folder] = max(put, versions[home].get(folder, put))
        now = max(listed.values(), default=None)
        for home, stored in versions.items():
            ends = _ends(stored, listed.get(f"{home}/{pointer}"))
            gone = frozenset(name for name, end in ends if now is not None and now - end >= self.spared)
            if gone:
                yield Leftovers(home, gone, frozenset())

    def forget_copies(self) -> dict[str, dt.datetime]:
        """Remove copies of what is not there any more; return when each file was put, by name."""
        old = time.time() - TRANSFERRED_WITHIN
        listed = {one["path"]: one["last_modified"] for one in self._listed("")}
        for place, _, files in os.walk(self.cache):
            for copy in (Path(place, name) for name in files):
                if copy.relative_to(self.cache).as_posix() in listed or copy == self.cache / LOCK:
                    continue
                with contextlib.suppress(FileNotFoundError):  # another process has removed it
                    if copy.stat().st_mtime < old:  # else it may be a draft, or of a file that was put since
                        copy.unlink()
        return listed

    def discard(self, leftovers: Leftovers) -> None:
        """Remove them, and their copies."""
        for name in leftovers.versions:
            folder = f"{leftovers.home}/{name}"
            self.remove([one["path"] for one in self._listed(folder)])
            shutil.rmtree(self.cache / folder, ignore_errors=True)

    def has_folders(self) -> bool:
        """Return False: no release before the note of the layout wrote into a bucket."""
        return False

    def _listed(self, folder: str) -> list[Any]:
        """Return path, time and ETag of all files below a folder."""
        import obstore

        return self._ask(folder, lambda: [*obstore.list(self._store, folder or None).collect()])

    @property
    def _store(self) -> Any:
        settings = tuple(sorted((name, value) for name, value in os.environ.items() if name.startswith("AWS_")))
        return _opened(self.url, settings)

    def _ask(self, name: str, question: Callable[[], Answer]) -> Answer:
        """Ask the store, and again while it cannot be reached or fails, for as long as our patience lasts.

        All that is asked here may be done twice. The library's own patience cannot be interrupted, and ends where
        something might have been done although no answer came.

        Raises:
            FileNotFoundError: there is no such file.
            InputError: the store refuses its keys, or has no such bucket.
            StoreError: it cannot be reached, or answers something else.
        """
        from obstore.exceptions import GenericError, PermissionDeniedError, UnauthenticatedError

        until, pause = time.monotonic() + PATIENCE, SHORTEST_PAUSE
        while True:
            try:
                return question()
            except (FileNotFoundError, GenericError, PermissionDeniedError, UnauthenticatedError) as error:
                said, kind = str(error), type(error)
            if kind is not GenericError or not PASSING.search(said) or time.monotonic() > until:
                break
            time.sleep(pause)
            pause = min(2 * pause, LONGEST_PAUSE)
        # Raised here, so that what the store said, which may have a key in it, is no part of any trace.
        if NO_BUCKET in said:
            raise InputError(f"{self.url}: {_endpoint()} has no such bucket: make it first, or name another one")
        if kind is FileNotFoundError:
            raise FileNotFoundError(errno.ENOENT, os.strerror(errno.ENOENT), self.place(name))
        if kind is not GenericError:
            raise InputError(
                f"{self.url}: {_endpoint()} refuses: {_code(said)}: expected AWS_ACCESS_KEY_ID and "
                "AWS_SECRET_ACCESS_KEY of someone who may read and write there"
            )
        if UNREACHED in said:
            raise StoreError(f"{self.url}: {_endpoint()} was asked for {PATIENCE} s and did not answer")
        raise StoreError(f"{self.url}: {_endpoint()} answers {_code(said)}")


@functools.lru_cache(maxsize=8)
def _forget_once(bucket: Bucket) -> None:
    """Remove superfluous copies, once in each process that makes one: where a machine only works, nothing else does."""
    bucket.forget_copies()


@functools.lru_cache(maxsize=8)
def _opened(url: str, settings: tuple[tuple[str, str], ...]) -> Any:
    """Return the library's client, one for each process and settings: it keeps connections open.

    Raises:
        InputError: it is not installed, or refuses a setting.
    """
    try:
        from obstore.exceptions import BaseError
        from obstore.store import S3Store
    except ImportError:
        raise InputError("SD_LAKE: expected obstore, which speaks to buckets: pip install 'sdlab[cluster]'") from None
    endpoint = urlsplit(_setting(dict(settings), ENDPOINTS) or "https://s3.amazonaws.com")
    if endpoint.scheme not in ("http", "https") or not endpoint.hostname:
        raise InputError(f"{ENDPOINTS[1]}: expected the address of a store, http://HOST:PORT or https://HOST")
    address = ADDRESS.fullmatch(url)
    assert address is not None
    try:
        return S3Store(
            address["bucket"],
            prefix=address["prefix"].strip("/") or None,
            client_options={
                "allow_http": endpoint.scheme == "http",
                "connect_timeout": dt.timedelta(seconds=CONNECTED_WITHIN),
                "read_timeout": dt.timedelta(seconds=ANSWERED_WITHIN),
                "timeout": dt.timedelta(seconds=TRANSFERRED_WITHIN),
            },
            retry_config={"max_retries": 0},
        )
    except (BaseError, ValueError):
        raise InputError(f"{url}: expected settings in AWS_… that describe a store") from None


def _setting(settings: Mapping[str, str], names: Iterable[str]) -> str | None:
    return next((settings[name] for name in names if settings.get(name)), None)


def _endpoint() -> str:
    """Return what is asked, without what an address may say of its user."""
    address = urlsplit(_setting(os.environ, ENDPOINTS) or "")
    if not address.hostname:
        return "Amazon S3"
    return f"{address.scheme}://{address.hostname}{f':{address.port}' if address.port else ''}"


def _code(said: str) -> str:
    """Return what a store answered: its code, or the status."""
    if "redirect" in said:
        return "with a redirect, as another region does: expected that of the bucket in AWS_REGION"
    found = re.search(r"<Code>(\w+)</Code>", said) or re.search(r"status code: (\d+)", said)
    return found[1] if found else "nothing that is known"


def _content(name: str, write: Write) -> bytes:
    with io.BytesIO() as handle:
        handle.name = name  # as a file has
        write(handle)
        return handle.getvalue()


def _sha256(file: Path) -> str:
    with file.open("rb") as handle:
        return hashlib.file_digest(handle, "sha256").hexdigest()


def _ends(versions: Mapping[str, dt.datetime], named: dt.datetime | None) -> Iterator[tuple[str, dt.datetime]]:
    """Yield the versions of a folder that may be named no more, and since when at the earliest.

    The last one is that of the pointer, unless that is older or gone.
    """
    order = sorted(versions, key=lambda name: (versions[name], name))
    yield from ((name, versions[following]) for name, following in pairwise(order))
    if named is None or named < versions[order[-1]]:
        yield order[-1], versions[order[-1]]
