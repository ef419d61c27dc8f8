"""The files of a lake in a folder of a local disk: renames in one step, and locks of the file system.

A draft lies beside its place, so that it is renamed within one file system, whatever is mounted where.
"""

import contextlib
import fcntl
import hashlib
import io
import os
import re
import secrets
import shutil
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from sd_core.files.base import Leftovers, Write
from sd_core.files.whole import draft_prefix, make_folder, naming, put_in_place, put_whole, sync


@dataclass(frozen=True)
class Folder:
    """Files below a folder.

    Attributes:
        root: the folder, which need not be there.
    """

    root: Path

    def place(self, name: str = "") -> str:
        """Return the path of a file or folder."""
        return str(self.root / name)

    def get(self, name: str) -> tuple[bytes, str]:
        """Return what a file holds, and the SHA-256 of it.

        Raises:
            FileNotFoundError: there is none.
        """
        content = (self.root / name).read_bytes()
        return content, hashlib.sha256(content).hexdigest()

    def put(self, name: str, text: str) -> None:
        """Put a small file in place of what is there; its folder is there."""
        put_whole(self.root / name, text)

    def put_new(self, name: str, text: str) -> bool:
        """Put a small file where none is."""
        return self._put_if(name, text, None)

    def replace(self, name: str, text: str, tag: str) -> bool:
        """Put a small file in place of the one of a tag."""
        return self._put_if(name, text, tag)

    def _put_if(self, name: str, text: str, tag: str | None) -> bool:
        with _turn_of(self.root / name):
            try:
                found = self.get(name)[1]
            except FileNotFoundError:
                found = None
            if found == tag:
                self.put(name, text)
            return found == tag

    def put_together(self, folder: str, files: Mapping[str, Write]) -> dict[str, str]:
        """Write a draft of a folder and rename it, so that it is whole or absent."""
        place = self.root / folder
        draft = place.with_name(f"draft-{place.name}")
        make_folder(place.parent)
        try:
            draft.mkdir()
            hashes = {name: _written(draft / name, write) for name, write in files.items()}
            sync(draft)
            put_in_place(draft, place)
        except BaseException:
            shutil.rmtree(draft, ignore_errors=True)
            raise
        return hashes

    def put_by_hash(self, folder: str, stem: str, ending: str, write: Write) -> str:
        """Write a draft of a file and rename it."""
        home = self.root / folder
        home.mkdir(parents=True, exist_ok=True)
        draft = home / f"{draft_prefix(ending)}{secrets.token_hex(4)}"
        try:
            whole = f"{stem}-{_written(draft, write)}"
            draft.replace(home / f"{whole}{ending}")
        except BaseException:
            draft.unlink(missing_ok=True)
            raise
        return whole

    def give_up(self, folder: str) -> None:
        """Remove a new folder."""
        shutil.rmtree(self.root / folder, ignore_errors=True)

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield names of which there is no file."""
        return (name for name in names if not (self.root / name).is_file())

    def names(self, folder: str, past: re.Pattern[str]) -> Iterator[str]:
        """Yield the names of all files below a folder, but for those in folders whose own name matches a pattern."""
        # Unlike a search with a pattern, a walk goes on where a folder was renamed or pruned after it was seen.
        for place, folders, files in _walk(self.root / folder):
            folders[:] = [name for name in folders if not past.match(name)]
            home = Path(place).relative_to(self.root)
            yield from ((home / name).as_posix() for name in files)

    def young(self, names: Iterable[str]) -> set[str]:  # noqa: ARG002 - as a bucket is asked
        """Return none: who reads holds off who removes."""
        return set()

    def remove(self, names: Iterable[str]) -> None:
        """Remove files."""
        for name in names:
            (self.root / name).unlink(missing_ok=True)

    def local(self, name: str, digest: str | None = None) -> Path:  # noqa: ARG002 - the file itself is no copy
        """Return the path of a file."""
        return self.root / name

    def leftovers(self, pointer: str, version: re.Pattern[str], drafts: tuple[str, ...]) -> Iterator[Leftovers]:  # noqa: ARG002 - a bucket asks when it was put
        """Yield what may go, folder by folder."""
        for place, folders, files in _walk(self.root):
            stored = frozenset(name for name in folders if version.match(name))
            # Partitions may lie deeper, but nothing lies inside a version.
            folders[:] = [name for name in folders if name not in stored]
            left = frozenset(name for name in files if name.startswith(drafts))
            if stored or left:
                yield Leftovers(Path(place).relative_to(self.root).as_posix(), stored, left)

    def discard(self, leftovers: Leftovers) -> None:
        """Remove them."""
        home = self.root / leftovers.home
        for name in leftovers.versions:
            _remove(home / name)
        self.remove(f"{leftovers.home}/{name}" for name in leftovers.drafts)

    def has_folders(self) -> bool:
        """Return whether there is a folder."""
        return self.root.is_dir() and any(one.is_dir() for one in self.root.iterdir())


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


class _Hashed(io.FileIO):
    """A file that is written, and the SHA-256 of what was."""

    def __init__(self, path: Path) -> None:
        super().__init__(path, "wb")
        self.digest = hashlib.sha256()

    def write(self, content: Any) -> int:
        written = super().write(content)
        self.digest.update(memoryview(content).cast("B")[:written])
        return written


def _written(file: Path, write: Write) -> str:
    """Write a file, and return the SHA-256 of it."""
    with naming(file), _Hashed(file) as raw, io.BufferedWriter(raw) as handle:
        write(handle)
        handle.flush()
        os.fsync(handle.fileno())  # the pointer, which is put down after it, must not outlive a loss of power alone
        return raw.digest.hexdigest()


@contextlib.contextmanager
def _turn_of(file: Path) -> Iterator[None]:
    """Wait for others that would replace files of the same folder, by a lock on the folder itself."""
    handle = os.open(file.parent, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
