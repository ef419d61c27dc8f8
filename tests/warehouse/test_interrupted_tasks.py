"""Queries at once: what fails ends those beside it, wherever they are."""

import threading

import duckdb
import pytest

from pipelines.warehouse.side_by_side import SideBySide

# Adds up for a minute, unless it is stopped.
SLOW = "select sum(sin(a.i) * sin(b.i)) from range(60000) as a(i), range(60000) as b(i)"


def test_failure_interrupts_a_query_that_begins_after_it():
    con = duckdb.connect()
    con.execute("set threads = 1")
    started, failed = threading.Event(), threading.Event()

    def between_two_queries(own: duckdb.DuckDBPyConnection) -> None:
        started.set()
        assert failed.wait(30)
        # The first interrupt is over by now: it came while there was no query.
        threading.Event().wait(0.5)
        own.execute(SLOW)

    class StoppingError(Exception):
        """What ends the others."""

    def fail(pool: SideBySide) -> None:
        with pool:
            given.append(pool.submit(between_two_queries))
            assert started.wait(30)
            failed.set()
            raise StoppingError

    given = []
    with pytest.raises(StoppingError):
        fail(SideBySide(con, 2))
    assert isinstance(given[0].exception(), duckdb.InterruptException)
