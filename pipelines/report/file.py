"""The report as a file beside the draft of a warehouse, published together with it."""

import os
from pathlib import Path

import duckdb

from pipelines.report.content import report


def write_draft(warehouse: Path, draft: Path) -> None:
    """Write the report of a warehouse that is not published yet, from its tables alone."""
    # On one thread, so that its sums too add up in the same order every time.
    with duckdb.connect(str(warehouse), read_only=True, config={"threads": 1}) as connection:
        text = report(connection)
    with draft.open("w", encoding="utf-8", newline="\n") as handle:
        handle.write(text)
        handle.flush()
        os.fsync(handle.fileno())
