"""Warehouses for reports: the small study of ``lake_tables``, changed at will, built and written like a draft."""

from collections.abc import Callable
from functools import cache
from pathlib import Path

import duckdb
import pytest
from support import lake_tables

from pipelines.report.content import report
from pipelines.warehouse.models import build, read_macros, read_models


@pytest.fixture(scope="session")
def small_report() -> Callable[..., str]:
    """Return a function that gives the report of the small study, after changes to its lake and then to its tables."""
    models, macros = read_models(lake_tables.SQL), read_macros(lake_tables.SQL)

    # Every second test asks for the study without a change.
    @cache
    def write(
        change_lake: Callable[[duckdb.DuckDBPyConnection], object] = lambda _: None,
        change_tables: Callable[[duckdb.DuckDBPyConnection], object] = lambda _: None,
        warehouse: Path | str = ":memory:",
    ) -> str:
        with lake_tables.connect(warehouse) as connection:
            lake_tables.fill_small_study(connection)
            change_lake(connection)
            build(connection, models, macros)
            change_tables(connection)
            return report(connection)

    return write
