"""``sdlab query``: a query's rows, rounded in a box on a terminal, whole as CSV anywhere else.

What a query may do belongs in ``pipelines.warehouse.query``.
"""

import contextlib
import csv
import functools
import re
import shutil
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import TextIO

import duckdb

from pipelines.cli.endings import say
from pipelines.cli.exit_code import ExitCode
from pipelines.lab.home import StudyHome
from pipelines.warehouse.query import SECONDS, ask, default_gigabytes, open_warehouse, reading_statement, refusal
from pipelines.warehouse.quoting import quoted_name
from sd_core.errors import InputError
from sd_core.study.model import Study
from sd_core.wording import nearest

BATCH_ROWS = 2_048
FEWEST_LINES = 40


def query(
    home: StudyHome, sql: str, out: Path | None = None, *, gigabytes: float | None = None, seconds: float = SECONDS
) -> ExitCode:
    """Print a query's rows, a box on a terminal and CSV anywhere else, or write them to a file. Return the exit code.

    A file that is there already is replaced once all rows are written, so that a query that fails leaves it as it was.

    Args:
        home: the study.
        sql: one query that reads.
        out: the file that takes the rows.
        gigabytes: how much memory it may take, by default what ``default_gigabytes`` says.
        seconds: how long it may take.

    Raises:
        InputError: the query is refused, fails or takes too much, or the file cannot be written or is a file of the
            warehouse.
    """
    if out is not None and out.resolve().is_relative_to(home.root / "warehouse"):
        raise InputError(f"--out: {str(out)!r}: expected a file outside of {home.root / 'warehouse'}")
    most = gigabytes or default_gigabytes()
    connection = open_warehouse(home, most)
    try:
        ask(connection, functools.partial(_answer, connection, home.study, sql, out), seconds)
    except duckdb.PermissionException:
        raise refusal(sql) from None
    except duckdb.OutOfMemoryException:
        raise InputError(
            f"SQL: {sql!r}: expected a query that fits in {most:g} GB of memory; for more: --memory GB, or on the "
            f"disk as well: duckdb -readonly {home.published.warehouse}"
        ) from None
    except duckdb.Error as error:
        raise InputError(f"SQL: {error}") from None
    finally:
        if out is not None:
            with contextlib.suppress(OSError):
                _draft_of(out).unlink()
    return ExitCode.DONE


def _answer(connection: duckdb.DuckDBPyConnection, study: Study, sql: str, out: Path | None) -> None:
    statement = reading_statement(connection, sql)
    if out is not None:
        _write_file(connection, statement, out)
    elif sys.stdout.isatty():
        _print_box(connection, statement)
    else:
        _write_csv(connection, statement, sys.stdout)
    hints = list(_hints(study, sql))
    if hints and connection.execute(statement).fetchone() is None:
        say("\n".join(hints))


def _print_box(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement) -> None:
    rows = _rounded(connection.sql(statement))
    columns, lines = shutil.get_terminal_size()
    rows.show(max_width=columns, max_rows=max(lines, FEWEST_LINES))


def _rounded(rows: duckdb.DuckDBPyRelation) -> duckdb.DuckDBPyRelation:
    """Round what is computed in binary fractions to four digits, and to cents where it is larger; cut long text."""
    if len({name.casefold() for name in rows.columns}) < len(rows.columns):
        return rows  # columns of one name could not be distinguished
    shown = zip(rows.columns, map(str, rows.types), strict=True)
    return rows.project(", ".join(_SHOWN.get(kind, "{name}").format(name=quoted_name(name)) for name, kind in shown))


_ROUNDED = (
    "case when isfinite({name}) and {name} <> 0 "
    "then round({name}, greatest(2, 3 - floor(log10(abs({name}))))::integer) else {name} end as {name}"
)
# By type. No terminal is wider than so many letters.
_SHOWN = {"DOUBLE": _ROUNDED, "FLOAT": _ROUNDED, "VARCHAR": "left({name}, 1000) as {name}"}


def _write_file(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, out: Path) -> None:
    draft = _draft_of(out)
    try:
        with draft.open("w", encoding="utf-8", newline="") as handle:
            _write_csv(connection, statement, handle)
        draft.replace(out)
    except OSError as error:
        raise InputError(f"--out: {str(out)!r}: expected a file that can be written: {error.strerror}") from None


def _draft_of(out: Path) -> Path:
    return out.with_name(f".{out.name}.draft")


def _write_csv(connection: duckdb.DuckDBPyConnection, statement: duckdb.Statement, to: TextIO) -> None:
    cursor = connection.execute(statement)
    writer = csv.writer(to, lineterminator="\n")
    writer.writerow(column[0] for column in cursor.description)
    while rows := cursor.fetchmany(BATCH_ROWS):
        writer.writerows(rows)


def _hints(study: Study, sql: str) -> Iterator[str]:
    """Ask of words in a query that are no name in the study whether a similar name was meant."""
    known = {*study.fetched_tickers, *study.strategies}
    for word in dict.fromkeys(_WORD.findall(sql)):
        if word not in known and (meant := nearest(word, known)):
            yield f"{study.name} has no {word!r}: did you mean {meant!r}?"


_WORD = re.compile(r"'([^']+)'")
