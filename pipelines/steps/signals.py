"""What signals and the market's regime say of satellites, evaluated in memory by the SQL of the warehouse.

Who trades on it belongs in ``buckets``, for histories, and in the steps of the account.
"""

import contextlib
from collections.abc import Iterator

import duckdb
import pyarrow as pa

from pipelines.lab.home import SQL
from pipelines.warehouse.lake_views import register_market, register_table
from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from sd_core.lake import Version
from sd_core.schemas.buckets import STUDY_BUCKET
from sd_core.schemas.lake import VARIANCE_STATE
from sd_core.study.model import Study


@contextlib.contextmanager
def judged(study: Study, market: Version, buckets: pa.Table | None = None) -> Iterator[duckdb.DuckDBPyConnection]:
    """Open a database that has the tables ``bucket_signal`` and ``market_regime``, and those that they are made from.

    Args:
        study: whose prices and benchmark they are.
        market: of the study; the caller holds the lake's shared lock.
        buckets: rows of ``study_bucket``, whose satellites are judged; None: those of the study's plans.
    """
    with contextlib.closing(duckdb.connect()) as connection:
        register_market(connection, study, market)
        if buckets is not None:
            connection.execute(f"drop table lake.{STUDY_BUCKET.name}")
            register_table(connection, STUDY_BUCKET.name, buckets)
        # The regime does not depend on it; it lies beside it in the table.
        register_table(connection, VARIANCE_STATE.name, VARIANCE_STATE.arrow_schema.empty_table())
        build(connection, needed_for(own_models(), ["bucket_signal", "market_regime"]), read_macros(SQL))
        yield connection
