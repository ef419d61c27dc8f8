"""Warehouses for reports: the small study of ``lake_tables``, changed at will, built and written like a draft."""

from collections.abc import Callable
from functools import cache, lru_cache

import duckdb
import pytest
from support import lake_tables

from pipelines.report.content import report

Change = Callable[[duckdb.DuckDBPyConnection], object]


@pytest.fixture(scope="session")
def small_report() -> Callable[..., str]:
    """Return a function that gives the report of the small study, after changes to its lake and then to its tables."""

    # Several tests in a row change the tables of one study.
    @lru_cache(maxsize=4)
    def built(change_lake: Change) -> duckdb.DuckDBPyConnection:
        connection = lake_tables.connect()
        lake_tables.fill_small_study(connection)
        change_lake(connection)
        lake_tables.build_all(connection)
        return connection

    # Every second test asks for the study without a change.
    @cache
    def write(change_lake: Change = unchanged, change_tables: Change = unchanged) -> str:
        connection = built(change_lake)
        connection.begin()
        try:
            change_tables(connection)
            return report(connection)
        finally:
            connection.rollback()

    return write


def unchanged(_: duckdb.DuckDBPyConnection) -> None:
    """Leave everything as it is."""
