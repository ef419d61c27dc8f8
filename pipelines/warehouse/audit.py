"""The audit of a rebuilt warehouse: every table against its declaration, and the identities of ``sql/audit``.

A declaration has a table's columns, types, values and key. One check holds a table to all of it, and its examples name
what is broken: Dagster records each check of each run, and most of them find nothing.

An identity is one file there: a sentence, the table it belongs to, and a SELECT of the rows that break it. Warnings
about prices are no part of this; they are a published table.
"""

import re
import time
from collections.abc import Callable, Iterable, Iterator, Sequence
from dataclasses import dataclass
from functools import partial
from pathlib import Path

import duckdb
import pandas as pd
import pandera.errors
import pyarrow as pa

from pipelines.warehouse.models import columns_of, tables_read
from pipelines.warehouse.side_by_side import Task
from sd_core.schemas import TABLES, Table

# A quarter of a million rows at once keeps memory small.
BATCH_ROWS = 262_144
EXAMPLES = 5
NOTHING = pd.DataFrame()

_TABLE_LINE = re.compile(r"-- table: (\w+)")


@dataclass(frozen=True)
class Identity:
    """A law that the stored rows obey: a query for those that do not."""

    name: str
    table: str
    description: str
    sql: str


@dataclass(frozen=True)
class Verdict:
    """What one check found.

    Attributes:
        check, table: which check of which table.
        failures: how many rows (or values) break it.
        examples: the first of them, as text for people; empty where there is none.
        seconds: how long it took.
    """

    check: str
    table: str
    failures: int
    examples: str
    seconds: float

    @property
    def passed(self) -> bool:
        """Whether nothing was found."""
        return self.failures == 0


DECLARED = "as_declared"
# What is broken of a declaration, as examples name it beside the checks of pandera.
TYPES, KEY = "columns_and_types", "key_is_unique"


def read_identities(folder: Path) -> list[Identity]:
    """Read the identities of a folder, by name."""
    return [_read_identity(file) for file in sorted(folder.glob("*.sql"))]


def _read_identity(file: Path) -> Identity:
    sql = file.read_text(encoding="utf-8")
    table = _TABLE_LINE.search(sql)
    if table is None or table[1] not in TABLES:
        raise ValueError(f"{file}: expected a line '-- table: NAME' with the name of a published table")
    return Identity(file.stem, table[1], sql.splitlines()[0].removeprefix("-- "), sql)


def audit(
    connection: duckdb.DuckDBPyConnection, identities: Iterable[Identity], tables: Iterable[Table] = TABLES.values()
) -> Iterator[Verdict]:
    """Yield the verdict of every check on tables of the current database."""
    return (check.work(connection) for check in checks(identities, tables))


def checks(identities: Iterable[Identity], tables: Iterable[Table] = TABLES.values()) -> list[Task]:
    """Return every check as a task that gives a :class:`Verdict`, and needs the tables that it reads."""
    stored = [table for table in tables if table.stored]
    tasks = [
        *(_task(DECLARED, table.name, {table.name}, partial(_against_declaration, table=table)) for table in stored),
        *(
            _task(
                identity.name,
                identity.table,
                tables_read(Path(identity.name), identity.sql)[0],
                partial(_rows, query=identity.sql),
                identity.sql,
            )
            for identity in identities
        ),
    ]
    # What reads most tables can begin last and takes longest: it goes before what else may begin then.
    return sorted(tasks, key=lambda task: -len(task.needs))


Judge = Callable[[duckdb.DuckDBPyConnection], tuple[int, "pd.DataFrame"]]


def _task(check: str, table: str, needs: Iterable[str], judge: Judge, text: str = "") -> Task:
    return Task(f"{table}: {check}", frozenset(needs), partial(_judged, check=check, table=table, judge=judge), text)


def passed_before(check: Task) -> Verdict:
    """Return the verdict of a check whose tables are those that passed it when they were published."""
    table, _, name = check.name.partition(": ")
    return Verdict(name, table, 0, "", 0.0)


def _judged(connection: duckdb.DuckDBPyConnection, check: str, table: str, judge: Judge) -> Verdict:
    began = time.perf_counter()
    count, found = judge(connection)
    examples = found.head(EXAMPLES).to_string(index=False) if count else ""
    return Verdict(check, table, count, examples, time.perf_counter() - began)


def _rows(connection: duckdb.DuckDBPyConnection, query: str) -> tuple[int, pd.DataFrame]:
    """Return how many rows a query gives, and those."""
    found = connection.execute(query)
    rows = found.fetchall()
    # Nothing is found by nearly all of them, and a frame of nothing takes as long as the query.
    return len(rows), pd.DataFrame(rows, columns=[name for name, *_ in found.description]) if rows else NOTHING


def as_frame(rows: pa.RecordBatch | pa.Table) -> pd.DataFrame:
    """Return rows from DuckDB as the declarations judge them; text stays in Arrow's memory, which saves most time."""
    frame: pd.DataFrame = rows.to_pandas(date_as_object=False)
    return frame


def _against_declaration(connection: duckdb.DuckDBPyConnection, table: Table) -> tuple[int, pd.DataFrame]:
    """Return how many values, or keys, are not as declared, and those: column, check, failure_case.

    Other columns or types than declared end it. Values are validated in batches, since pandera on millions of rows at
    once takes gigabytes, up to the first batch in which something is found.
    """
    columns = dict(columns_of(connection, table.name))
    if columns != table.types:
        return 1, _cases("", TYPES, [f"expected {table.types}, was {columns}"])
    repeated, found = _rows(connection, _duplicates(table))
    times = [", ".join(map(str, row)) for row in found.head(EXAMPLES).itertuples(index=False)]
    cases = _cases(", ".join(table.key), KEY, times) if repeated else NOTHING
    for batch in connection.sql(f"from {table.name}").to_arrow_reader(BATCH_ROWS):
        try:
            table.schema.validate(as_frame(batch), lazy=True)
        except pandera.errors.SchemaErrors as error:
            broken = pd.DataFrame(error.failure_cases)[["column", "check", "failure_case"]]
            return repeated + len(broken), pd.concat([cases, broken]) if repeated else broken
    return repeated, cases


def _cases(column: str, check: str, failures: Sequence[str]) -> pd.DataFrame:
    return pd.DataFrame([(column, check, failure) for failure in failures], columns=["column", "check", "failure_case"])


def _duplicates(table: Table) -> str:
    # A column may bear the name of a word of SQL.
    key = ", ".join(f'"{column}"' for column in table.key)
    return f"select {key}, count(*) as times from {table.name} group by {key} having count(*) > 1"
