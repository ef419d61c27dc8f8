"""What signals and the market's regime say of satellites, evaluated in memory by the SQL of the warehouse.

Who trades on it belongs in ``buckets``, for histories, and in the steps of the account.
"""

import contextlib
from collections.abc import Iterator

import duckdb
import numpy as np
import pyarrow as pa

from pipelines.lab.home import SQL
from pipelines.warehouse.lake_views import register_market, register_table
from pipelines.warehouse.models import build, needed_for, own_models, read_macros
from sd_core.buckets.history.contract import SatellitePanel, Signals
from sd_core.lake import Version
from sd_core.market.build import panel_arrays
from sd_core.schemas.buckets import STUDY_BUCKET
from sd_core.schemas.kinds import Regime
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


def satellite_panel(market: Version, tickers: tuple[str, ...]) -> SatellitePanel:
    """Return the prices of some tickers of satellites on all sessions of a market."""
    tables = (market.read(table) for table in ("sessions", "satellite_prices", "rates"))
    return SatellitePanel(**panel_arrays(tickers, *tables))


def signals_of(
    connection: duckdb.DuckDBPyConnection, plan: str, panel: SatellitePanel, bucket: str | None = None
) -> Signals:
    """Return what was judged at each close of a plan's tickers, of one bucket or all, on a panel of all sessions."""
    signals = connection.sql(_SIGNALS, params=[plan, bucket]).to_arrow_table()
    regimes = connection.sql(_REGIMES).to_arrow_table()
    shape = panel.close.shape
    at = (
        np.searchsorted(panel.sessions, signals["session"].to_numpy()),
        np.array([panel.tickers.index(ticker) for ticker in signals["ticker"].to_pylist()], dtype=np.intp),
    )

    def by_ticker(column: str, absent: float) -> np.ndarray:
        grid = np.full(shape, absent)
        grid[at] = signals[column].cast(pa.float64()).fill_null(absent).to_numpy()
        return grid

    regime = np.zeros(len(panel.sessions), dtype=np.int8)
    named = [Regime[(word or Regime.UNKNOWN.name).upper()] for word in regimes["regime"].to_pylist()]
    regime[np.searchsorted(panel.sessions, regimes["session"].to_numpy())] = named
    return Signals(
        is_entry=by_ticker("is_entry", 0.0) > 0.0,
        conviction=by_ticker("conviction", 0.0),
        order=by_ticker("entry_order", np.nan),
        is_exit=by_ticker("is_exit", 0.0) > 0.0,
        next_ex_date=by_ticker("next_ex_day", _NO_DAY).astype(np.int64),
        regime=regime,
    )


_NO_DAY = -1
_SIGNALS = """
    select session, ticker, is_entry, conviction, entry_order, is_exit, next_ex_date - date '1970-01-01' as next_ex_day
    from bucket_signal
    where plan = $1 and bucket = coalesce($2, bucket)
"""
_REGIMES = "select session, regime from market_regime"
