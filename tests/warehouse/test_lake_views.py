"""What SQL models see of files that engines of different versions wrote."""

from pathlib import Path

import duckdb
import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from pipelines.warehouse.lake_views import no_rows, register_rows


@pytest.fixture
def connection() -> duckdb.DuckDBPyConnection:
    connection = duckdb.connect()
    connection.execute("attach ':memory:' as lake")
    return connection


def ledger_file(path: Path, seq: int, **numbers: float) -> Path:
    """Write a ledger of one row that has these numbers alone."""
    pq.write_table(pa.table({"seq": pa.array([seq], pa.int32()), **{name: [n] for name, n in numbers.items()}}), path)
    return path


@pytest.mark.parametrize("order", [1, -1], ids=["old_first", "new_first"])
def test_number_that_an_older_engine_did_not_write_is_null(connection, tmp_path, order):
    files = [
        ledger_file(tmp_path / "old", 1, price=80.0),
        ledger_file(tmp_path / "new", 2, price=70.0, sale_limit=90.0),
    ]
    register_rows(connection, "ledger", files[::order])
    found = connection.sql("select seq, price, sale_limit from lake.simulation_ledger order by seq").fetchall()
    assert found == [(1, 80.0, None), (2, 70.0, 90.0)]


def test_number_that_no_file_has_is_null(connection, tmp_path):
    register_rows(connection, "ledger", [ledger_file(tmp_path / "old", 1, price=80.0)])
    assert connection.sql("select price, sale_limit from lake.simulation_ledger").fetchall() == [(80.0, None)]


def test_no_files_are_no_rows_with_every_column(connection):
    register_rows(connection, "ledger", [])
    assert connection.sql("from lake.simulation_ledger").to_arrow_table().equals(no_rows("ledger"))
