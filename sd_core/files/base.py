"""What a lake asks of the place of its files.

A name is a path below that place, with slashes: ``market/00…a1/prices.parquet``. A file is whole or absent for every
reader. Files of Parquet are never changed once they are there; what is replaced are small files of text.
"""

import re
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any, BinaryIO, Protocol

# A file of this machine beside those of the lake, which is locked by who uses them here.
LOCK = ".lock"
# Writes what a file holds.
Write = Callable[[BinaryIO], Any]


@dataclass(frozen=True)
class Leftovers:
    """What may go from one folder, if the pointer there does not name it.

    Attributes:
        home: the folder.
        versions: names of folders in it.
        drafts: names of files in it that writers left behind when they died.
    """

    home: str
    versions: frozenset[str]
    drafts: frozenset[str]


class Files(Protocol):
    """The files of a lake, wherever they lie."""

    @property
    def root(self) -> Path:
        """The folder of this machine that has the files, or copies of them."""
        ...

    def place(self, name: str = "") -> str:
        """Return where a file or folder lies, for people."""
        ...

    def get(self, name: str) -> tuple[bytes, str]:
        """Return what a file holds, and a tag that is another one when it holds something else.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def put(self, name: str, text: str) -> None:
        """Put a small file in place of what is there; the last writer wins."""
        ...

    def put_new(self, name: str, text: str) -> bool:
        """Put a small file where none is; return whether it was put, or another one is there."""
        ...

    def replace(self, name: str, text: str, tag: str) -> bool:
        """Put a small file in place of the one of a tag; return whether it was put, or what is there is another."""
        ...

    def put_together(self, folder: str, files: Mapping[str, Write]) -> dict[str, str]:
        """Put the files of a new folder, of which nothing is there before, and return the SHA-256 of each."""
        ...

    def put_by_hash(self, folder: str, stem: str, ending: str, write: Write) -> str:
        """Put a file and return its name in the folder without the ending: the stem, and the SHA-256 of what it holds.

        The same again under the same stem is one file.
        """
        ...

    def give_up(self, folder: str) -> None:
        """Remove a new folder that will not be named, where that is sure."""
        ...

    def missing(self, names: Iterable[str]) -> Iterator[str]:
        """Yield names of which there is no file, where finding out costs nothing; reading finds out in any case."""
        ...

    def names(self, folder: str, past: re.Pattern[str]) -> Iterator[str]:
        """Yield the names of all files below a folder, but for those in folders whose own name matches a pattern."""
        ...

    def young(self, names: Iterable[str]) -> set[str]:
        """Return those files that readers may still want whatever names them."""
        ...

    def remove(self, names: Iterable[str]) -> None:
        """Remove files; one that is not there is none."""
        ...

    def local(self, name: str, digest: str | None = None) -> Path:
        """Return a file of this machine that holds what a file does that is never changed.

        Args:
            name: of the file.
            digest: SHA-256 that a copy of this machine must have; one that has not is made again.

        Raises:
            FileNotFoundError: there is none.
        """
        ...

    def leftovers(self, pointer: str, version: re.Pattern[str], drafts: tuple[str, ...]) -> Iterator[Leftovers]:
        """Yield what may go, folder by folder, while no one else on this machine uses the files.

        Args:
            pointer: name of the files that name versions.
            version: how folders are called that a pointer may name; nothing lies deeper.
            drafts: how the names of drafts begin.
        """
        ...

    def discard(self, leftovers: Leftovers) -> None:
        """Remove them."""
        ...

    def has_folders(self) -> bool:
        """Return whether there is a folder; only a release that noted no layout leaves one without the note."""
        ...
