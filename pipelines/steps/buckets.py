"""Simulate a study's plans of a core with satellites on the prices in the lake.

What happens within a session belongs in ``sd_core.buckets``, the signals and the market's regime in ``sql``.
"""

import numpy as np
import pyarrow as pa

from pipelines.lab.current import read_panel
from pipelines.steps.progress import Progress
from pipelines.steps.signals import judged
from sd_core.buckets.history.contract import SatellitePanel, Signals
from sd_core.buckets.history.engine import simulate
from sd_core.buckets.history.plans import core_rules, plan_deposits, plan_of, tickers_of
from sd_core.buckets.history.tables import to_tables
from sd_core.lake import Version
from sd_core.market.build import panel_arrays
from sd_core.schemas.kinds import Regime
from sd_core.simulation.walk import Walk
from sd_core.study.model import Study

NO_DAY = -1
SIGNALS = """
    select session, ticker, is_entry, conviction, entry_order, is_exit, next_ex_date - date '1970-01-01' as next_ex_day
    from bucket_signal
"""
REGIMES = "select session, regime from market_regime"


def simulate_plan(study: Study, market: Version, _: Progress) -> dict[str, pa.Table]:
    """Return the rows of the one plan that a study has."""
    (name,) = study.buckets
    panel = read_panel(study, market)
    tickers = tickers_of(study, name)
    satellites = SatellitePanel(
        **panel_arrays(tickers, *(market.read(table) for table in ("sessions", "satellite_prices", "rates")))
    )
    plan, deposits = plan_of(study, name), plan_deposits(study, name, panel.sessions)
    core = Walk(panel, core_rules(study, name))
    history = simulate(plan, satellites, _signals(study, market, satellites), deposits, core)
    return to_tables(plan, tickers, panel.sessions, deposits, history, panel.tickers, core.result())


def _signals(study: Study, market: Version, panel: SatellitePanel) -> Signals:
    """Return what SQL says at each close of the tickers of the one plan."""
    with judged(study, market) as connection:
        signals, regimes = (connection.sql(query).to_arrow_table() for query in (SIGNALS, REGIMES))
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
        next_ex_date=by_ticker("next_ex_day", NO_DAY).astype(np.int64),
        regime=regime,
    )
