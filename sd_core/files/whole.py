"""Files that are whole or absent: after a kill, on a full disk, and after a loss of power.

A file is written beside its place, handed to the disk, and renamed; then the folder, which holds the name, is handed to
the disk too. Without the last step a loss of power may take a rename back that a program has already counted on.
"""

import contextlib
import os
import secrets
from collections.abc import Iterator
from pathlib import Path


def sync(place: Path) -> None:
    """Wait until the disk holds what a file contains, or which names a folder has."""
    handle = os.open(place, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def put_in_place(draft: Path, place: Path) -> None:
    """Rename a draft that the disk holds to its place in one step, and wait until the disk holds the name.

    Args:
        draft: a file, or a folder of files, of the same file system.
        place: what is there is replaced, a folder only where it is empty.
    """
    draft.replace(place)
    sync(place.parent)


def put_whole(path: Path, text: str) -> None:
    """Write a small file so that a reader finds the old text or the new, never a part.

    Raises:
        OSError: it cannot be written; what was there is as it was, and nothing lies beside it.
    """
    draft = path.with_name(draft_prefix(path.name) + secrets.token_hex(4))
    try:
        with naming(path), draft.open("w", encoding="utf-8") as handle:
            handle.write(text)
            handle.flush()
            os.fsync(handle.fileno())
        put_in_place(draft, path)
    except BaseException:
        draft.unlink(missing_ok=True)
        raise


def draft_prefix(name: str) -> str:
    """Return how the drafts of a file begin, by which those are known that were left behind by a kill."""
    return f".{name}."


def make_folder(folder: Path) -> None:
    """Make a folder and those above it where they are missing, and wait until the disk holds their names."""
    missing = [one for one in (folder, *folder.parents) if not one.exists()]
    folder.mkdir(parents=True, exist_ok=True)
    for one in missing:
        sync(one.parent)


@contextlib.contextmanager
def naming(file: Path) -> Iterator[None]:
    """Give errors of the system, some of which name no file or a draft, the name of the one that is written."""
    try:
        yield
    except OSError as error:
        if error.errno is None:
            raise
        raise OSError(error.errno, error.strerror, str(file)) from None
