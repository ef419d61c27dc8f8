"""Several queries at once on one DuckDB database, each on a connection of its own."""

import time
from collections.abc import Callable, Sequence
from concurrent.futures import FIRST_COMPLETED, Future, ThreadPoolExecutor, wait
from dataclasses import dataclass
from threading import Lock
from typing import Any, Concatenate, ParamSpec, Self, TypeVar

import duckdb

INTERRUPT_EVERY_SECONDS = 0.05

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
        # Of calls that are done: to make one takes as long as a small query.
        self._idle: list[duckdb.DuckDBPyConnection] = []
        # None of them is closed while it is interrupted.
        self._changing = Lock()
        self._given: list[Future[Any]] = []
        self._pool = ThreadPoolExecutor(threads)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, *_: object) -> None:
        if kind is not None:
            self._pool.shutdown(wait=False, cancel_futures=True)
            # Until all have ended: a connection that is between two queries takes no notice.
            while not all(future.done() for future in self._given):
                self._interrupt()
                time.sleep(INTERRUPT_EVERY_SECONDS)
        self._pool.shutdown()
        for con in self._idle:
            con.close()

    def _interrupt(self) -> None:
        with self._changing:
            for con in self._open:
                con.interrupt()

    def submit(
        self,
        work: Callable[Concatenate[duckdb.DuckDBPyConnection, Parameters], Result],
        *args: Parameters.args,
        **kwargs: Parameters.kwargs,
    ) -> Future[Result]:
        """Call a function with a connection, and with these arguments, when a thread is free."""

        def call() -> Result:
            con = self._connection()
            with self._changing:
                self._open.add(con)
            try:
                return work(con, *args, **kwargs)
            finally:
                with self._changing:
                    self._open.remove(con)
                    self._idle.append(con)

        self._given.append(future := self._pool.submit(call))
        return future

    def _connection(self) -> duckdb.DuckDBPyConnection:
        """Return a connection that no thread uses."""
        with self._changing:
            if self._idle:
                return self._idle.pop()
        con = self._con.cursor()
        con.execute(f"use {self._database}")
        return con


@dataclass(frozen=True)
class Task:
    """Work on a database that may begin once other tasks are done.

    Attributes:
        name: of the task, unique.
        needs: names of tasks that must be done before.
        work: what is called with a connection.
        text: what of it its name and the code do not say, such as a query.
    """

    name: str
    needs: frozenset[str]
    work: Callable[[duckdb.DuckDBPyConnection], Any]
    text: str = ""


def run_all(con: duckdb.DuckDBPyConnection, threads: int, tasks: Sequence[Task]) -> dict[str, Any]:
    """Run tasks, as many at once as there are threads, and return what each gave, in the order of the tasks.

    Of those that may begin, the first in that order does. What a task needs and no task is counts as done.
    """
    waiting = list(tasks)
    open_tasks = {task.name for task in tasks}
    given: dict[str, Any] = {}
    with SideBySide(con, threads) as pool:
        running: dict[Future[Any], str] = {}
        while waiting or running:
            for task in [task for task in waiting if not task.needs & open_tasks][: threads - len(running)]:
                waiting.remove(task)
                running[pool.submit(task.work)] = task.name
            for future in wait(running, return_when=FIRST_COMPLETED).done:
                name = running.pop(future)
                given[name] = future.result()
                open_tasks.discard(name)
    return {task.name: given[task.name] for task in tasks}
