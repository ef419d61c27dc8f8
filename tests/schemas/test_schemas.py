"""Declarations against the SQL that fills their tables, the data that arrives, and the committed dictionary."""

from collections.abc import Iterator
from pathlib import Path

import duckdb
import pandas as pd
import pandera.errors
import pytest
import sqlglot
from support.lake_tables import SQL, add_taxes, connect, fill_small_study

from pipelines.warehouse.audit import as_frame
from pipelines.warehouse.models import build, read_macros, read_models
from sd_core.schemas import TABLES
from sd_core.schemas.dictionary import LAYERS, data_dictionary

DICTIONARY = Path(__file__).parents[2] / "docs" / "data-dictionary.md"
MODELS = {model.name: model for model in read_models(SQL)}

by_table = pytest.mark.parametrize("name", TABLES)


@pytest.fixture(scope="module")
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """The small study, built."""
    with connect() as connection:
        fill_small_study(connection)
        add_taxes(connection)
        build(connection, MODELS.values(), read_macros(SQL))
        yield connection


@by_table
def test_columns_have_the_declared_names_order_and_types(con, name):
    described = con.execute(f"describe {name}").fetchall()
    assert [(column, kind) for column, kind, *_ in described] == list(TABLES[name].types.items())


@by_table
def test_frames_from_duckdb_pass_the_schema(con, name):
    TABLES[name].schema.validate(as_frame(con.sql(f"from {name}").to_arrow_table()), lazy=True)


@by_table
def test_empty_frames_from_duckdb_pass_the_schema(con, name):
    TABLES[name].schema.validate(as_frame(con.sql(f"from {name} where false").to_arrow_table()), lazy=True)


@by_table
def test_batch_with_only_nulls_where_they_are_allowed_passes_the_schema(con, name):
    schema = TABLES[name].schema
    columns = ", ".join(
        f"null::{kind} as {column}" if schema.columns[column].nullable else column
        for column, kind in TABLES[name].types.items()
    )
    schema.validate(as_frame(con.sql(f"select {columns} from {name}").to_arrow_table()), lazy=True)


@by_table
def test_key_identifies_rows(con, name):
    key = ", ".join(f'"{column}"' for column in TABLES[name].key)
    assert con.execute(f"select {key} from {name} group by {key} having count(*) > 1").fetchall() == []


@by_table
def test_comments_in_the_warehouse_are_those_declared(con, name):
    kind = "table" if TABLES[name].stored else "view"
    described = f"select comment from duckdb_{kind}s() where {kind}_name = $1 and database_name = 'warehouse'"
    assert con.execute(described, [name]).fetchall() == [(TABLES[name].description,)]
    comments = con.execute(
        "select column_name, comment from duckdb_columns() where table_name = $1 and database_name = 'warehouse'",
        [name],
    ).fetchall()
    assert dict(comments) == TABLES[name].comments


@by_table
def test_sql_header_has_the_description_grain_and_sources(name):
    model = MODELS[name]
    sources = {*model.depends_on, *(f"lake.{table}" for table in model.lake_tables)}
    description, grain, listed = model.sql.splitlines()[:3]
    assert description == f"-- {TABLES[name].description}"
    assert grain == f"-- Grain: {', '.join(TABLES[name].key)}."
    assert set(listed.removeprefix("-- Sources: ").removesuffix(".").split(", ")) == sources


@by_table
def test_stored_tables_are_ordered_by_their_key_and_views_leave_order_to_the_reader(name):
    order = sqlglot.parse_one(MODELS[name].sql, dialect="duckdb").args.get("order")
    columns = tuple(term.this.name for term in order.expressions) if order else ()
    assert columns == (TABLES[name].key if TABLES[name].stored else ())


@by_table
def test_columns_are_named_one_by_one(name):
    assert not list(sqlglot.parse_one(MODELS[name].sql, dialect="duckdb").find_all(sqlglot.exp.Star))


@by_table
def test_every_number_has_a_unit_and_every_column_a_description(name):
    for column in TABLES[name].columns.values():
        assert column.description
        assert bool(column.unit) == (column.type in ("DOUBLE", "BIGINT"))


@pytest.mark.parametrize(
    ("table", "column", "value"),
    [
        ("simulation_daily", "value", float("inf")),
        ("simulation_daily", "bank", None),
        ("simulation_daily", "skipped_buys", -1),
        ("simulation_ledger", "kind", "GIFT"),
        ("simulation_ledger", "leg", 5),
        ("simulation_returns", "drawdown", 0.1),
        ("prices", "close", 0.0),
        ("report_strategy", "reserve", 1.0),
    ],
)
def test_value_that_the_declaration_forbids_is_refused(con, table, column, value):
    frame = as_frame(con.sql(f"from {table}").to_arrow_table())
    frame[column] = pd.Series([value] * len(frame), dtype=frame[column].dtype)
    with pytest.raises(pandera.errors.SchemaErrors, match=column):
        TABLES[table].schema.validate(frame, lazy=True)


def test_swapped_columns_are_refused(con):
    frame = as_frame(con.sql("from rates").to_arrow_table())[["session", "risk_free_return", "rate"]]
    with pytest.raises(pandera.errors.SchemaErrors):
        TABLES["rates"].schema.validate(frame, lazy=True)


def test_every_layer_is_in_the_dictionary():
    assert {table.layer for table in TABLES.values()} == set(LAYERS)


def test_committed_dictionary_is_the_one_that_the_declarations_give():
    committed = DICTIONARY.read_text(encoding="utf-8")
    assert committed == data_dictionary(TABLES.values()), "python -m sd_core.schemas > docs/data-dictionary.md"
