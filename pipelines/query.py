"""SQL on the published warehouse from the command line, read-only."""

import csv
import shutil
import sys

import duckdb

from pipelines.home import StudyHome
from sd_core.errors import InputError


def open_warehouse(home: StudyHome) -> duckdb.DuckDBPyConnection:
    """Open the published warehouse read-only; raise InputError where none was published yet."""
    if not home.warehouse.exists():
        raise InputError(f"{home.warehouse}: nothing published yet: expected a finished `sdlab run` before")
    return duckdb.connect(str(home.warehouse), read_only=True)


def query(home: StudyHome, sql: str) -> int:
    """Print a query's rows: a box on a terminal, CSV anywhere else. Return the exit code."""
    with open_warehouse(home) as connection:
        try:
            if sys.stdout.isatty():
                columns, lines = shutil.get_terminal_size()
                connection.sql(sql).show(max_width=columns, max_rows=max(lines, 40))
            else:
                cursor = connection.execute(sql)
                writer = csv.writer(sys.stdout, lineterminator="\n")
                writer.writerow(column[0] for column in cursor.description or ())
                while rows := cursor.fetchmany(10_000):
                    writer.writerows(rows)
        except duckdb.Error as error:
            raise InputError(f"SQL: {error}") from None
    return 0
