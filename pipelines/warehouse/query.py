"""SQL on the published warehouse from the command line, read-only."""

import csv
import shutil
import sys

import duckdb

from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from sd_core.errors import InputError

BATCH_ROWS = 10_000
FEWEST_LINES = 40


def open_warehouse(home: StudyHome) -> duckdb.DuckDBPyConnection:
    """Open the published warehouse read-only; raise InputError where none was published yet."""
    if not home.published.warehouse.exists():
        raise InputError(f"{home.published.warehouse}: nothing published yet: expected a finished `sdlab run` before")
    try:
        return duckdb.connect(str(home.published.warehouse), read_only=True)
    except duckdb.Error as error:
        raise InputError(f"{home.published.warehouse}: expected what a run published; run again: {error}") from None


def query(home: StudyHome, sql: str) -> ExitCode:
    """Print a query's rows: a box on a terminal, CSV anywhere else. Return the exit code."""
    with open_warehouse(home) as connection:
        try:
            if sys.stdout.isatty():
                _print_box(connection, sql)
            else:
                _write_csv(connection, sql)
        except duckdb.Error as error:
            raise InputError(f"SQL: {error}") from None
    return ExitCode.DONE


def _print_box(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    rows = connection.sql(sql)
    if rows is None:
        raise _no_query(sql)
    columns, lines = shutil.get_terminal_size()
    rows.show(max_width=columns, max_rows=max(lines, FEWEST_LINES))


def _write_csv(connection: duckdb.DuckDBPyConnection, sql: str) -> None:
    cursor = connection.execute(sql)
    if cursor is None or not cursor.description:
        raise _no_query(sql)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(column[0] for column in cursor.description)
    while rows := cursor.fetchmany(BATCH_ROWS):
        writer.writerows(rows)


def _no_query(sql: str) -> InputError:
    return InputError(f"SQL: {sql!r}: expected a query that gives rows")
