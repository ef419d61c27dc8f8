from collections.abc import Iterator

import duckdb
import pytest
from support import lake_tables


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
