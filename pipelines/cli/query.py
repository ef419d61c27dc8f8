"""``sdlab query``: a query's rows, a box on a terminal and CSV anywhere else.

What a query may do belongs in ``pipelines.warehouse.query``.
"""

import csv
import shutil
import sys

import duckdb

from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.warehouse.query import open_warehouse, reading_statement, refusal
from sd_core.errors import InputError

BATCH_ROWS = 10_000
FEWEST_LINES = 40


def query(home: StudyHome, sql: str) -> ExitCode:
    """Print a query's rows: a box on a terminal, CSV anywhere else. Return the exit code."""
    with open_warehouse(home) as connection:
        try:
            statement = reading_statement(connection, sql)
            if sys.stdout.isatty():
                _print_box(connection, statement)
            else:
                _write_csv(connection, statement)
        except duckdb.PermissionException:
            raise refusal(sql) from None
        except duckdb.OutOfMemoryException:
            larger = f"duckdb -readonly {home.published.warehouse}"
            raise InputError(f"SQL: {sql!r}: expected a query that fits in memory; larger ones: {larger}") from None
        except duckdb.Error as error:
            raise InputError(f"SQL: {error}") from None
    return ExitCode.DONE


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
