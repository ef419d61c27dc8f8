from collections.abc import Iterator

import duckdb
import pytest
from support import lake_tables

from pipelines.warehouse.models import build, read_macros, read_models


@pytest.fixture
def con() -> Iterator[duckdb.DuckDBPyConnection]:
    """An empty lake and an empty warehouse."""
    with lake_tables.connect() as connection:
        yield connection


@pytest.fixture
def small(con: duckdb.DuckDBPyConnection) -> duckdb.DuckDBPyConnection:
    """The small study in the lake, nothing built yet."""
    lake_tables.fill_small_study(con)
    return con


@pytest.fixture(scope="session")
def build_all():
    """Build every model of the product in a connection."""
    models, macros = read_models(lake_tables.SQL), read_macros(lake_tables.SQL)
    return lambda con: build(con, models, macros)
