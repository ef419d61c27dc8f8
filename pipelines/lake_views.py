"""What SQL models see of the lake: a database ``lake`` with a view per dataset, so that no path enters a table.

Which versions are shown is the callers' to say.
"""

from collections.abc import Sequence
from pathlib import Path

import duckdb
import pyarrow as pa

from pipelines.lake_assets import MARKET_KEYS
from sd_core.lake import Version
from sd_core.study import Study
from sd_core.study_tables import study_tables


def register_market(connection: duckdb.DuckDBPyConnection, study: Study, market: Version) -> None:
    """Attach the database ``lake`` with a study's own tables and its market in it."""
    connection.execute("attach ':memory:' as lake")
    for name in MARKET_KEYS:
        register_files(connection, name, [market.file(name)])
    for name, table in study_tables(study).items():
        register_table(connection, name, table)


def register_files(connection: duckdb.DuckDBPyConnection, name: str, files: Sequence[Path]) -> None:
    """Show Parquet files as one view."""
    listed = ", ".join(f"'{quoted(file)}'" for file in files)
    connection.execute(f"create view lake.{name} as from read_parquet([{listed}], hive_partitioning = false)")


def register_table(connection: duckdb.DuckDBPyConnection, name: str, table: pa.Table) -> None:
    """Show what no file holds as a table."""
    connection.register("arriving", table)
    connection.execute(f"create table lake.{name} as from arriving")
    connection.unregister("arriving")


def quoted(path: Path) -> str:
    """Return a path as it may stand between single quotes."""
    return str(path).replace("'", "''")
