"""The end of a ledger, found out at once: whether it is there, and which entry is its last.

A run asks this to know whether it has anything to do, so importing it imports no database's libraries.
"""

import contextlib
import sqlite3
from dataclasses import dataclass
from pathlib import Path

from sd_core.errors import NotReadyError

_LAST = "select entry, digest from seal order by entry desc limit 1"


@dataclass(frozen=True)
class Ending:
    """The last entry of a ledger.

    Attributes:
        entry: its number; 0 before the first, and where the ledger cannot be read.
        digest: which says everything up to it; ``unreadable`` where the ledger cannot be read.
    """

    entry: int
    digest: str


UNREADABLE = Ending(0, "unreadable")


def ending(name: str, folder: Path, url: str | None = None) -> Ending | None:
    """Return the last entry of a ledger, or None where there is no ledger; nothing is written, and nothing created.

    Args:
        name, folder, url: as a :class:`~sd_core.buckets.ledger.store.Store` takes them.
    """
    return _of_file(folder / f"{name}.db") if url is None else _of_server(name, folder, url)


def _of_file(file: Path) -> Ending | None:
    if not file.exists():
        return None
    try:
        with contextlib.closing(sqlite3.connect(f"{file.resolve().as_uri()}?mode=ro", uri=True)) as connection:
            found = connection.execute(_LAST).fetchone()
    except sqlite3.Error:
        # What is the matter with it is said where it is read.
        return UNREADABLE
    return Ending(*found) if found else Ending(0, "")


def _of_server(name: str, folder: Path, url: str) -> Ending | None:
    from sd_core.buckets.ledger.state import State
    from sd_core.buckets.ledger.store import AbsentError, Store

    store = Store(name, folder, url)
    try:
        with store.reading() as connection:
            state = State(connection)
            return Ending(state.last_entry, state.last_digest)
    except AbsentError:
        return None
    except NotReadyError:
        return UNREADABLE
    finally:
        store.close()
