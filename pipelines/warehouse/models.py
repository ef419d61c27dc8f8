"""The SQL models: the folder ``sql`` read, put in order, and built in a DuckDB connection. No Dagster here.

What a table holds is declared in ``sd_core.schemas`` and computed in ``sql``; which assets, checks and files the models
become belongs to the rest of this package.
"""

import contextlib
import json
import time
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from functools import cache, partial
from graphlib import CycleError, TopologicalSorter
from pathlib import Path
from typing import Any

import duckdb

from pipelines.lab.home import SQL
from pipelines.warehouse.quoting import quoted
from pipelines.warehouse.side_by_side import Task, run_all
from sd_core.schemas import TABLES, Table

MACROS = "macros.sql"
LAKE = "lake"
# The layer that takes over the lake's rows as they are and adds none of their numbers up.
COPIED_LAYER = "staging"
# One thread, and joins as they are written: DuckDB would order them by estimates, which for the same rows differ by how
# a table was filled, and sums differ in their last bits by the order of rows.
FIXED_ORDER = {"threads": "1", "disabled_optimizers": "join_order,build_side_probe_side"}


@dataclass(frozen=True)
class Model:
    """One SQL file: the query that fills one table.

    Attributes:
        table: declaration of what the query gives.
        sql: the file's text, a header comment and one query.
        description: first sentence of the header.
        depends_on: models that the query reads, by name, ascending.
        lake_tables: tables of the lake that it reads, without their schema, ascending.
    """

    table: Table
    sql: str
    description: str
    depends_on: tuple[str, ...]
    lake_tables: tuple[str, ...]

    @property
    def name(self) -> str:
        """Name of the table and of the file."""
        return self.table.name

    @property
    def layer(self) -> str:
        """Name of the file's folder."""
        return self.table.layer


@dataclass(frozen=True)
class Built:
    """The result of building one model: rows, None for a view, which is not computed yet; and seconds."""

    rows: int | None
    seconds: float


def read_macros(folder: Path) -> str:
    """Return the statements that create the macros which models use."""
    return (folder / MACROS).read_text(encoding="utf-8")


def read_models(folder: Path, tables: Mapping[str, Table] = TABLES) -> list[Model]:
    """Read the models of a folder, which has a folder per layer and in it a file per table.

    Args:
        folder: with ``<layer>/<table>.sql``; other folders in it are left alone.
        tables: declarations by name; every one needs its file, but for copies of the lake's tables.

    Returns:
        The models in an order in which each comes after those it reads, the same on every call.

    Raises:
        ValueError: a file without a declaration or the other way round, in the wrong layer, without a header, with
            anything but one query, or reading an unknown table; models that read each other in a circle. The message
            names the file.
    """
    layers = sorted({table.layer for table in tables.values()})
    models = [_read(file, tables) for layer in layers for file in sorted((folder / layer).glob("*.sql"))]
    models += [_copy(table) for table in tables.values() if table.copied]
    if missing := sorted(tables.keys() - {model.name for model in models}):
        raise ValueError(f"{folder}: expected a file for every declared table, but there is none for {_list(missing)}")
    return _in_order(models)


@cache
def own_models() -> tuple[Model, ...]:
    """Return the product's own models, parsed once in a process: a run asks for them at several steps."""
    return tuple(read_models(SQL))


def needed_for(models: Iterable[Model], names: Iterable[str]) -> list[Model]:
    """Return the models of some names with all that they read, in order; the models come in order."""
    wanted = set(names)
    chosen = []
    for model in reversed(list(models)):
        if model.name in wanted:
            wanted.update(model.depends_on)
            chosen.append(model)
    return chosen[::-1]


def build(con: duckdb.DuckDBPyConnection, models: Iterable[Model], macros: str) -> dict[str, Built]:
    """Create macros, tables and views in the connection's current database, described by their comments.

    The lake's tables must be there as ``lake.<table>``. Staging copies and sorts, one model after the other, each on
    all threads. Every model after it has one thread and joins as it is written, and as many run at once: otherwise the
    numbers of a model would add up in an order of their own, and the same lake would give tables that differ in the
    last digits.

    Args:
        con: its current database is filled; it must not hold the tables yet.
        models: in order, as :func:`read_models` returns them.
        macros: statements that create the macros.

    Returns:
        Rows and seconds by table.

    Raises:
        ValueError: a query gives other columns or types than its table declares.
        duckdb.Error: a query fails.
    """
    return dict(build_and(con, models, macros, []))


def build_and(
    con: duckdb.DuckDBPyConnection, models: Iterable[Model], macros: str, checks: Sequence[Task]
) -> dict[str, Any]:
    """Build as :func:`build` does, and check each table as soon as it is there, while others are still being built.

    Args:
        con, models, macros: as :func:`build` takes them.
        checks: which tables each needs, and what it does with a connection; none bears the name of a model.

    Returns:
        What was built by table, and what each check gave by its name, in their order.
    """
    con.execute(macros)
    models = list(models)
    built: dict[str, Any] = {model.name: _build(con, model) for model in models if model.layer == COPIED_LAYER}
    tasks = [
        Task(model.name, frozenset(model.depends_on), partial(_build, model=model))
        for model in models
        if model.layer != COPIED_LAYER
    ]
    with _in_fixed_order(con) as threads:
        built |= run_all(con, threads, [*tasks, *checks])
    return {name: built[name] for name in (*(model.name for model in models), *(check.name for check in checks))}


def _read(file: Path, tables: Mapping[str, Table]) -> Model:
    if file.stem not in tables:
        raise ValueError(f"{file}: expected a declaration of {file.stem} in sd_core.schemas, but there is none")
    table = tables[file.stem]
    if file.parent.name != table.layer:
        raise ValueError(f"{file}: expected in the folder of its layer, {table.layer}")
    sql = file.read_text(encoding="utf-8")
    own, of_lake = tables_read(file, sql)
    if unknown := sorted(own - tables.keys()):
        raise ValueError(f"{file}: reads {_list(unknown)}: expected declared tables, or the lake's as lake.<table>")
    return Model(table, sql, _description(file, sql), tuple(sorted(own)), tuple(sorted(of_lake)))


def _copy(table: Table) -> Model:
    """Return the model of a table that is a copy of the lake's, ordered by its key."""
    columns = ",\n".join(f'    "{name}"::{kind.lower()} as "{name}"' for name, kind in table.types.items())
    key = ", ".join(f'"{name}"' for name in table.key)
    sql = (
        f"-- {table.description}\n-- Grain: {', '.join(table.key)}.\n-- Sources: lake.{table.name}.\n"
        f"select\n{columns}\nfrom lake.{table.name}\norder by {key}\n"
    )
    return Model(table, sql, table.description, (), (table.name,))


@cache
def tables_read(file: Path, sql: str) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tables that a query reads: those of its own database as written, and the names of the lake's.

    Parsing takes some milliseconds, so a query is parsed once in a process.

    Raises:
        ValueError: it is not one query; the message names the file.
    """
    return _sources(_query(file, sql))


def _description(file: Path, sql: str) -> str:
    """Return the first sentence of the comment that a file begins with."""
    first = sql.partition("\n")[0]
    if not first.startswith("-- "):
        raise ValueError(f"{file}: expected a comment on the first line that says what the table holds")
    return first.removeprefix("-- ")


def _query(file: Path, sql: str) -> Any:
    """Return the tree of a query, as DuckDB's parser writes it down."""
    written = _parser().cursor().execute("select json_serialize_sql($1)", [sql]).fetchall()[0][0]
    parsed = json.loads(written)
    if parsed["error"] and parsed["error_type"] == "parser":
        raise ValueError(f"{file}: expected DuckDB's SQL: {parsed['error_message']}")
    statements = [] if parsed["error"] else parsed["statements"]
    if len(statements) > 1:
        raise ValueError(f"{file}: expected one statement, was {len(statements)}")
    if not statements:
        raise ValueError(f"{file}: expected a SELECT")
    return statements[0]["node"]


@cache
def _parser() -> duckdb.DuckDBPyConnection:
    return duckdb.connect()


def _sources(query: Any) -> tuple[frozenset[str], frozenset[str]]:
    """Return the tables that a query reads: those of its own database as written, and the names of the lake's."""
    read = set(_tables_in(query, frozenset()))
    own = {f"{schema}.{name}" if schema else name for schema, name in read if schema != LAKE}
    return frozenset(own), frozenset(name for schema, name in read if schema == LAKE)


def _tables_in(node: Any, expressions: frozenset[str]) -> Iterator[tuple[str, str]]:
    """Yield schema and name of every table below a node, but for the common table expressions in force there."""
    if isinstance(node, list):
        for one in node:
            yield from _tables_in(one, expressions)
    elif isinstance(node, dict):
        kind = node.get("type")
        if kind == "BASE_TABLE" and (node["schema_name"] or node["table_name"] not in expressions):
            yield node["schema_name"], node["table_name"]
        if kind == "TABLE_FUNCTION" and (called := node["function"]["function_name"]) != "unnest":
            yield "", f"{called}(…)"
        # An expression reads those before it, and itself if it is recursive; otherwise its own name is a table in it.
        if kind == "RECURSIVE_CTE_NODE":
            expressions |= {node["cte_name"]}
        for one in node.get("cte_map", {}).get("map", ()):
            yield from _tables_in(one["value"], expressions)
            expressions |= {one["key"]}
        for name, below in node.items():
            if name != "cte_map":
                yield from _tables_in(below, expressions)


def _in_order(models: list[Model]) -> list[Model]:
    by_name = {model.name: model for model in models}
    try:
        names = list(TopologicalSorter({model.name: model.depends_on for model in models}).static_order())
    except CycleError as error:
        circle: list[str] = error.args[1]
        raise ValueError(f"models read each other in a circle: {' <- '.join(circle)}") from None
    return [by_name[name] for name in names]


def _build(con: duckdb.DuckDBPyConnection, model: Model) -> Built:
    started = time.perf_counter()
    kind = "table" if model.table.stored else "view"
    # In one transaction, since a commit for each of several hundred comments takes as long as a large table.
    with _transaction(con):
        created = con.execute(f"create {kind} {model.name} as {model.sql}").fetchall()
        _check_columns(con, model)
        con.execute(f"comment on {kind} {model.name} is {quoted(model.table.description)}")
        for column, comment in model.table.comments.items():
            con.execute(f"comment on column {model.name}.{column} is {quoted(comment)}")
    rows = created[0][0] if model.table.stored else None
    return Built(rows, seconds=time.perf_counter() - started)


@contextlib.contextmanager
def _transaction(con: duckdb.DuckDBPyConnection) -> Iterator[None]:
    con.begin()
    try:
        yield
    except BaseException:
        con.rollback()
        raise
    con.commit()


def columns_of(con: duckdb.DuckDBPyConnection, table: str) -> list[tuple[str, str]]:
    """Return names and types of a table's columns, in order: in a third of the time of ``describe``."""
    relation = con.table(table)
    return list(zip(relation.columns, map(str, relation.types), strict=True))


def _check_columns(con: duckdb.DuckDBPyConnection, model: Model) -> None:
    """Compare the columns of what a query made with those that its table declares: names, order and types."""
    given = columns_of(con, model.name)
    declared = list(model.table.types.items())
    if given != declared:
        differing = [pair for pair in given if pair not in declared] or given
        expected = [pair for pair in declared if pair not in given] or declared
        raise ValueError(f"{model.name}: expected the columns {_columns(expected)}, was {_columns(differing)}")


@contextlib.contextmanager
def _in_fixed_order(con: duckdb.DuckDBPyConnection) -> Iterator[int]:
    """Let every query add its numbers up in the same order every time; yield how many threads there were.

    DuckDB has one such setting for a whole database and all of its connections, so it is put back.
    """
    before = {name: con.execute(f"select current_setting('{name}')").fetchall()[0][0] for name in FIXED_ORDER}
    for name, value in FIXED_ORDER.items():
        con.execute(f"set {name} = '{value}'")
    try:
        yield before["threads"]
    finally:
        for name, value in before.items():
            con.execute(f"set {name} = '{value}'")


def _columns(pairs: Iterable[tuple[str, str]]) -> str:
    return ", ".join(f"{name} {kind}" for name, kind in pairs)


def _list(names: Iterable[str]) -> str:
    return ", ".join(names)
