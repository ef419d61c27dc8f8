"""The report as a file beside the draft of a warehouse, published together with it."""

import os
from pathlib import Path

import duckdb

from pipelines.report.content import report


def draft_of(warehouse: Path) -> Path:
    """Return where the report of a warehouse that is not published yet lies."""
    return warehouse.with_suffix(".html")


def write_draft(warehouse: Path) -> Path:
    """Write the report of a warehouse that is not published yet, from its tables alone, and return the file."""
    # On one thread, so that its sums too add up in the same order every time.
    with duckdb.connect(str(warehouse), read_only=True, config={"threads": 1}) as connection:
        text = report(connection)
    with draft_of(warehouse).open("w", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
    return draft_of(warehouse)
