"""The published warehouse, opened to be read and for nothing else.

DuckDB's own read-only mode keeps rows from being changed, yet lets ``copy … to`` write over any file, the published one
among them. So a session here is locked up before it takes a query. How rows are printed belongs in ``pipelines.cli``.
"""

import contextlib
import os
import time
from collections.abc import Callable, Iterator
from threading import Event, Thread

import duckdb

from pipelines.lab.home import StudyHome
from pipelines.warehouse.interruption import ASKING
from pipelines.warehouse.quoting import quoted
from sd_core.errors import InputError

ALLOWED = "expected one query that reads the published tables; to save its rows: sdlab query … --out rows.csv"
# `pivot` without a list of values is several statements to DuckDB.
READING = {duckdb.StatementType.SELECT, duckdb.StatementType.EXPLAIN, duckdb.StatementType.MULTI}

# The newest `warehouse_layout()` of `sql/macros.sql` that the commands can read.
LAYOUT = 1

# In this order, as each needs what the next one takes away. Without external access no extension is loaded, nothing is
# attached and no variable of Python is a table; but what is attached could still be written over by its path, which
# takes a file system. The published file stays open and readable. Nothing spills, as that takes files too.
LOCKS = (
    "set temp_directory = ''",
    "set enable_external_access = false",
    "set disabled_filesystems = 'LocalFileSystem'",
    "set lock_configuration = true",
)

# What a query may take where nothing else is asked for, and of the machine's memory at most.
GIGABYTES, SHARE_OF_MEMORY, SECONDS = 4.0, 0.8, 600.0
# How long a query may take to end once it is interrupted; most end at once, a few do not listen.
GRACE_SECONDS = 1.0


def open_warehouse(home: StudyHome, gigabytes: float | None = None) -> duckdb.DuckDBPyConnection:
    """Open the published warehouse so that its session reads it and touches no other file.

    Each call opens what is published by then, whatever else of this process still reads what was published before.

    Args:
        home: the study.
        gigabytes: how much memory queries may take; None for DuckDB's default, four fifths of the machine's.

    Raises:
        InputError: nothing was published yet, the file is damaged, or a newer release published it.
    """
    if not home.published.warehouse.exists():
        raise InputError(f"{home.published.warehouse}: nothing published yet: expected a finished `sdlab run` before")
    connection = duckdb.connect()
    try:
        catalog = _catalog(home.study.name)
        connection.execute(f"attach {quoted(home.published.warehouse)} as {catalog} (read_only)")
        connection.execute(f"use {catalog}.main")
        _require_known_layout(home, connection)
        if gigabytes is not None:
            connection.execute(f"set memory_limit = '{gigabytes * 1e9:.0f}B'")
        for lock in LOCKS:
            connection.execute(lock)
    except InputError:
        connection.close()
        raise
    except duckdb.Error as error:
        connection.close()
        raise InputError(f"{home.published.warehouse}: expected what a run published; run again: {error}") from None
    return connection


@contextlib.contextmanager
def open_tables(home: StudyHome) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open the published warehouse for queries of our own, whose tables and columns an earlier release may lack.

    Raises:
        InputError: as :func:`open_warehouse`, or a query finds no such table or column.
    """
    with open_warehouse(home) as connection:
        try:
            yield connection
        except (duckdb.CatalogException, duckdb.BinderException) as error:
            raise InputError(
                f"{home.published.warehouse}: published by another release: expected its tables of this one: publish "
                f"them again with `sdlab run` ({str(error).splitlines()[0]})"
            ) from None


def _require_known_layout(home: StudyHome, connection: duckdb.DuckDBPyConnection) -> None:
    """Refuse a file that a newer release published; what an earlier one did is read as it is."""
    try:
        (found,) = connection.execute("select warehouse_layout()").fetchall()[0]
    except duckdb.CatalogException:
        return
    if found > LAYOUT:
        raise InputError(
            f"{home.published.warehouse}: published by a newer release, in layout {found}: expected at most {LAYOUT}: "
            "use that release, or run again"
        )


def default_gigabytes() -> float:
    """Return how much memory a query may take by default."""
    machine = os.sysconf("SC_PHYS_PAGES") * os.sysconf("SC_PAGE_SIZE") / 1e9
    return min(GIGABYTES, SHARE_OF_MEMORY * machine)


def ask(connection: duckdb.DuckDBPyConnection, work: Callable[[], None], seconds: float) -> None:
    """Do work that asks a connection, within a time; close the connection.

    The work has a thread of its own: while DuckDB computes it does not always notice Ctrl-C, and never the time.

    Raises:
        InputError: the time is over.
        KeyboardInterrupt: Ctrl-C. Where the work did not end by then, its thread goes on until the process ends.
    """
    # Joining the thread would not do: Python 3.11 takes a thread for ended where a join is interrupted.
    ended = Event()
    failures: list[BaseException] = []

    def working() -> None:
        try:
            work()
        except BaseException as error:
            failures.append(error)
        finally:
            ended.set()

    Thread(target=working, name=ASKING, daemon=True).start()
    try:
        if not ended.wait(seconds):
            raise InputError(f"expected an answer within {seconds:g} seconds; for a longer time: --seconds N")
    finally:
        _interrupt(connection, ended)
        if ended.is_set():
            connection.close()
    if failures:
        raise failures[0]


def _interrupt(connection: duckdb.DuckDBPyConnection, ended: Event) -> None:
    """Interrupt a query until it has ended, or for a while: a connection at work may refuse even this."""
    until = time.monotonic() + GRACE_SECONDS
    while not ended.is_set() and time.monotonic() < until:
        with contextlib.suppress(duckdb.Error):
            connection.interrupt()
        ended.wait(0.1)


def _catalog(name: str) -> str:
    """Return a study's name as that of a database, quoted; DuckDB keeps some for itself."""
    return f'"{name}_db"' if name in {"main", "memory", "system", "temp"} else f'"{name}"'


def reading_statement(connection: duckdb.DuckDBPyConnection, sql: str) -> duckdb.Statement:
    """Return the only statement of a text.

    Raises:
        InputError: it has several, or one that does more than read.
        duckdb.Error: it is no SQL.
    """
    statements = connection.extract_statements(sql)
    if len(statements) != 1 or statements[0].type not in READING:
        raise refusal(sql)
    return statements[0]


def refusal(sql: str) -> InputError:
    """Return the error for a text that is no query, or one that would do more than read."""
    return InputError(f"SQL: {sql!r}: {ALLOWED}")
