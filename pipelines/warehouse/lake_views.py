"""What SQL models see of the lake: a database ``lake`` with a view per dataset, so that no path enters a table.

Which versions are shown is the callers' to say.
"""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.lab.study_tables import study_tables
from pipelines.warehouse.quoting import quoted
from sd_core.lake import Version
from sd_core.schemas.lake import LAKE_TABLES
from sd_core.study.model import Study
from sd_core.study.scenario import Scenario

MARKET_TABLES = ("sessions", "prices", "satellite_prices", "rates", "price_findings")

# What a simulation leaves of a scenario, as its files are called.
ROWS = ("ledger", "daily", "lots", "orders", "tax_lots")


def register_market(connection: duckdb.DuckDBPyConnection, study: Study, market: Version) -> None:
    """Attach the database ``lake`` with a study's own tables and its market in it.

    Raises:
        DamagedError: a file of the market is not the one that was written.
    """
    market.verify()
    connection.execute("attach ':memory:' as lake")
    for name in MARKET_TABLES:
        register_files(connection, name, [market.file(name)])
    sessions = pq.read_table(market.file("sessions"))["session"].to_numpy()
    for name, table in study_tables(study, sessions).items():
        register_table(connection, name, table)


def register_files(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Show Parquet files as one view."""
    connection.execute(f"create view lake.{name} as from {_scan(files)}")


def add_files(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Add the rows of Parquet files to a table that is shown already."""
    if files:
        connection.execute(f"insert into lake.{name} by name from {_scan(files)}")


def register_rows(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Show the files of one of ``ROWS`` as one view; a column that an older engine did not write is NULL there."""
    register_table(connection, f"no_{name}", no_rows(name))
    written = f"union all by name from {_scan(files, 'union_by_name = true')}" if files else ""
    connection.execute(f"create view lake.simulation_{name} as from lake.no_{name} {written}")


def _scan(files: Sequence[Path], *options: str) -> str:
    """Return the SQL that reads Parquet files together."""
    listed = ", ".join(quoted(file) for file in files)
    return f"read_parquet({', '.join([f'[{listed}]', 'hive_partitioning = false', *options])})"


def register_table(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Show what no file holds as a table."""
    connection.register("arriving", table)
    connection.execute(f"create table lake.{name} as from arriving")
    connection.unregister("arriving")


def no_rows(name: str) -> pa.Table:
    """Return the empty table of one of ``ROWS``."""
    return LAKE_TABLES[f"simulation_{name}"].arrow_schema.empty_table()


def partition_row(
    scenario: Scenario, facts: Mapping[str, Any], *, has_tax_lots: bool, is_current: bool
) -> dict[str, Any]:
    """Return a scenario's row of ``simulation_partition``, from what is noted of it in the lake."""
    return {
        **scenario._asdict(),
        **{name: facts[name] for name in ("keep", "capital", "xirr", "xirr_missing", "prices_version")},
        "has_tax_lots": has_tax_lots,
        "is_current": is_current,
    }
