"""The ledger that a study names: where it is, whether it is there, and which entry is its last.

Importing this is quick, so that a run finds out soon whether the ledger has moved: the standard library asks SQLite's
file, since the ledger's own libraries take a second. What its books hold belongs in ``landing``, what may be done to it
in ``operate``.
"""

import contextlib
import os
import sqlite3
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from pathlib import Path

from pipelines.lab.home import ledgers_beside
from sd_core.errors import NotReadyError
from sd_core.lake import Lake
from sd_core.study.model import Study

# What must hold of a ledger before anything follows from it.
VERIFIES, RECONCILED, MARKED = "ledger_verifies", "reconciled", "marks_complete"
LEDGER_CHECKS: Mapping[str, str] = {
    VERIFIES: "Every digest, balance and lot of the ledger is what its entries say.",
    RECONCILED: "No reconciliation blocks the account or an instrument, its broker answers, and no activity is held.",
    MARKED: "Every session in New York was marked, from the first mark or the first satellite's start on.",
}
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


def place_of(study: Study, lake: Lake) -> tuple[str, Path, str | None]:
    """Return name, folder and address of the ledger: in ``SD_LEDGER``'s PostgreSQL, else a file below the home."""
    return study.ledger, ledgers_beside(lake), os.environ.get("SD_LEDGER") or None


def last_entry(study: Study, lake: Lake) -> Ending | None:
    """Return the last entry of the ledger; None where there is no ledger. Nothing is written, and nothing created."""
    name, folder, url = place_of(study, lake)
    return _of_file(folder / f"{name}.db") if url is None else _of_server(name, folder, url)


def ledger_of(study: Study, lake: Lake) -> Mapping[str, Study]:
    """Return the study under the one key of its ledger's dataset, and nothing where there is no ledger."""
    return {} if last_entry(study, lake) is None else {"": study}


def ending_of(study: Study, lake: Lake) -> dict[str, str | int]:
    """Return what says everything that the ledger holds: its name, and the number and digest of its last entry."""
    last = last_entry(study, lake)
    return {"ledger": study.ledger} | ({} if last is None else asdict(last))


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
