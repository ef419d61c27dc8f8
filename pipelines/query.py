"""SQL on the published warehouse from the command line, read-only.

DuckDB's own read-only mode keeps rows from being changed, yet lets ``copy … to`` write over any file, the published one
among them. So a session here is locked up before it takes a query.
"""

import csv
import shutil
import sys

import duckdb

from pipelines.exit_code import ExitCode
from pipelines.home import StudyHome
from sd_core.errors import InputError

BATCH_ROWS = 10_000
FEWEST_LINES = 40

ALLOWED = "expected one query that reads the published tables; to save its rows: sdlab query … > rows.csv"
# `pivot` without a list of values is several statements to DuckDB.
READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}

# In this order, as each needs what the next one takes away. Without external access no extension is loaded, nothing is
# attached and no variable of Python is a table; but what is attached could still be written over by its path, which
# takes a file system. The published file stays open and readable. Nothing spills, as that takes files too.
LOCKS = (
    "set temp_directory = ''",
    "set enable_external_access = false",
    "set disabled_filesystems = 'LocalFileSystem'",
    "set lock_configuration = true",
)


def open_warehouse(home: StudyHome) -> duckdb.DuckDBPyConnection:
    """Open the published warehouse so that its session reads it and touches no other file.

    Each call opens what is published by then, whatever else of this process still reads what was published before.

    Raises:
        InputError: nothing was published yet, or the file is damaged.
    """
    if not home.warehouse.exists():
        raise InputError(f"{home.warehouse}: nothing published yet: expected a finished `sdlab run` before")
    connection = duckdb.connect()
    try:
        path = str(home.warehouse).replace("'", "''")
        catalog = _catalog(home.study.name)
        connection.execute(f"attach '{path}' as {catalog} (read_only)")
        connection.execute(f"use {catalog}.main")
        for lock in LOCKS:
            connection.execute(lock)
    except duckdb.Error as error:
        connection.close()
        raise InputError(f"{home.warehouse}: expected what a run published; run again: {error}") from None
    return connection


def query(home: StudyHome, sql: str) -> ExitCode:
    """Print a query's rows: a box on a terminal, CSV anywhere else. Return the exit code."""
    with open_warehouse(home) as connection:
        try:
            statement = _reading_statement(connection, sql)
            if sys.stdout.isatty():
                _print_box(connection, statement)
            else:
                _write_csv(connection, statement)
        except duckdb.PermissionException:
            raise _refusal(sql) from None
        except duckdb.OutOfMemoryException:
            larger = f"duckdb -readonly {home.warehouse}"
            raise InputError(f"SQL: {sql!r}: expected a query that fits in memory; larger ones: {larger}") from None
        except duckdb.Error as error:
            raise InputError(f"SQL: {error}") from None
    return ExitCode.DONE


def _catalog(name: str) -> str:
    """Return a study's name as that of a database, quoted; DuckDB keeps some for itself."""
    return f'"{name}_db"' if name in {"main", "memory", "system", "temp"} else f'"{name}"'


def _reading_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the only statement of a text, which must be one that reads."""
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in READING:
        raise _refusal(sql)
    return statements[0]


def _refusal(sql: str) -> InputError:
    return InputError(f"SQL: {sql!r}: {ALLOWED}")


def _print_box(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    rows = connection.sql(statement)
    columns, lines = shutil.get_terminal_size()
    rows.show(max_width=columns, max_rows=max(lines, FEWEST_LINES))


def _write_csv(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    cursor = connection.execute(statement)
    writer = csv.writer(sys.stdout, lineterminator="\n")
    writer.writerow(column[0] for column in cursor.description)
    while rows := cursor.fetchmany(BATCH_ROWS):
        writer.writerows(rows)
