"""Advisory locks on files, by which processes of one machine wait for each other."""

import contextlib
import errno
import fcntl
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO


@contextlib.contextmanager
def locked(file: Path, *, shared: bool = False, wait: bool = True) -> Iterator[TextIO | None]:
    """Hold a lock on a file, which is made where it is missing, with its folder.

    Args:
        file: what every process that takes part locks.
        shared: whether others may hold it too, if they ask for the same.
        wait: whether to wait for others.

    Yields:
        The open file, whose lock lasts as long as any process holds it open; None where another process has it and
        this does not wait.
    """
    mode = (fcntl.LOCK_SH if shared else fcntl.LOCK_EX) | (0 if wait else fcntl.LOCK_NB)
    with _opened(file) as handle:
        try:
            fcntl.flock(handle, mode)
        except BlockingIOError:
            yield None
        else:
            yield handle


def _opened(file: Path) -> TextIO:
    """Open a file to lock it, to read it alone where it may not be written: what lies there may still be read."""
    try:
        file.parent.mkdir(parents=True, exist_ok=True)
        return file.open("a")
    except OSError as error:
        if error.errno not in (errno.EACCES, errno.EROFS) or not file.exists():
            raise
        return file.open()
