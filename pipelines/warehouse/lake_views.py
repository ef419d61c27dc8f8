"""What SQL models see of the lake: a database ``lake`` with a view per dataset, so that no path enters a table.

Which versions are shown is the callers' to say.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq

from pipelines.lab.study_tables import study_tables
from sd_core.lake import Version
from sd_core.market.panel import periods_per_year
from sd_core.schemas import TABLES
from sd_core.study.model import Study

MARKET_TABLES = ("sessions", "prices", "rates", "price_findings")

# What a simulation leaves of a scenario, as its files are called.
ROWS = ("ledger", "daily", "lots", "tax_lots")
# Numbers in these files that the tables of the same name leave out: other models read them from the lake.
UNPUBLISHED = {"ledger": ("sale_limit",)}

# One row per scenario: what the pointer of its partition says, beside the rows in its files.
PARTITION_SCHEMA = pa.schema(
    {
        "strategy": pa.string(),
        "reserve": pa.float64(),
        "keep": pa.string(),
        "capital": pa.float64(),
        "xirr": pa.float64(),
        "prices_version": pa.string(),
        "has_tax_lots": pa.bool_(),
        "is_current": pa.bool_(),
    }
)


def register_market(connection: duckdb.DuckDBPyConnection, study: Study, market: Version) -> None:
    """Attach the database ``lake`` with a study's own tables and its market in it."""
    connection.execute("attach ':memory:' as lake")
    for name in MARKET_TABLES:
        register_files(connection, name, [market.file(name)])
    sessions = pq.read_table(market.file("sessions"))["session"].to_numpy()
    tables = study_tables(study)
    tables["study"] = tables["study"].append_column("periods_per_year", pa.array([periods_per_year(sessions)]))
    for name, table in tables.items():
        register_table(connection, name, table)


def register_files(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Show Parquet files as one view."""
    connection.execute(f"create view lake.{name} as from {_scan(files)}")


def register_rows(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Show the files of one of ``ROWS`` as one view; a column that an older engine did not write is NULL there."""
    register_table(connection, f"no_{name}", no_rows(name))
    written = f"union all by name from {_scan(files, 'union_by_name = true')}" if files else ""
    connection.execute(f"create view lake.simulation_{name} as from lake.no_{name} {written}")


def _scan(files: Sequence[Path], *options: str) -> str:
    """Return the SQL that reads Parquet files together."""
    listed = ", ".join(f"'{quoted(file)}'" for file in files)
    return f"read_parquet({', '.join([f'[{listed}]', 'hive_partitioning = false', *options])})"


def register_table(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Show what no file holds as a table."""
    connection.register("arriving", table)
    connection.execute(f"create table lake.{name} as from arriving")
    connection.unregister("arriving")


def no_rows(name: str) -> pa.Table:
    """Return the empty table of one of ``ROWS``, with what no published table shows of it."""
    schema = TABLES[f"simulation_{name}"].arrow_schema
    for column in UNPUBLISHED.get(name, ()):
        schema = schema.append(pa.field(column, pa.float64()))
    return schema.empty_table()


def quoted(path: Path) -> str:
    """Return a path as it may stand between single quotes."""
    return str(path).replace("'", "''")
