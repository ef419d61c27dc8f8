"""Several queries at once on one DuckDB database, each on a connection of its own."""

from collections.abc import Callable
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Concatenate, ParamSpec, Self, TypeVar

import duckdb

Parameters = ParamSpec("Parameters")
Result = TypeVar("Result")


class SideBySide:
    """Threads that call functions with a connection to the database, and in the schema, of another connection.

    Left by an exception, it interrupts what runs and drops what waits.
    """

    def __init__(self, con: duckdb.DuckDBPyConnection, threads: int) -> None:
        self._con = con
        self._database = con.execute("select current_database()").fetchall()[0][0]
        self._open: set[duckdb.DuckDBPyConnection] = set()
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            for con in list(self._open):
                con.interrupt()
        self._pool.shutdown()

    def submit(
        self,
        work: Callable[Concatenate[duckdb.DuckDBPyConnection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Result]:
        """Call a function with a connection, and with these arguments, when a thread is free."""

        def call() -> Result:
            with self._con.cursor() as con:
                con.execute(f"use {self._database}")
                self._open.add(con)
                try:
                    return work(con, *args, **kwargs)
                finally:
                    self._open.remove(con)

        return self._pool.submit(call)
