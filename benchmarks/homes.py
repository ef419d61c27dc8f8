"""Studies on drawn prices, whose market lies in the lake of a temporary folder: where a run begins after fetching."""

import datetime as dt
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd

from benchmarks.market import CAPITAL
from pipelines.lab.current import MARKET
from pipelines.lab.fingerprints import market_fingerprint
from pipelines.lab.home import StudyHome
from sd_core.market.build import Market, build_market, version
from sd_core.market.panel import Panel
from sd_core.market.sources.bars import no_events
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory
from sd_core.study.model import Study

SD8 = {"rule": {"sd_n": 8, "profit_share": 0.5}}


def make_study(panel: Panel, reserves: Sequence[float], strategies: Mapping[str, Any], **keys: Any) -> Study:
    """Return a study of equal weights on a panel's dates."""
    return Study.model_validate(
        {
            "name": "benchmark",
            "source": {"kind": "sample"},
            "start": panel.sessions[0].astype(dt.date),
            "sessions": "intersection",
            "capital": CAPITAL,
            "universe": {ticker: {"weight": 1.0} for ticker in panel.tickers},
            "reserves": list(reserves),
            "strategies": dict(strategies),
            **keys,
        }
    )


def make_home(root: Path, study: Study, panel: Panel) -> StudyHome:
    """Return the home of a study, with the panel as the market in its lake."""
    home = StudyHome(root / "benchmark.yaml", study, root)
    market = _market(study, panel)
    facts = {"prices_version": version(market), "market_hash": market_fingerprint(study)}
    home.lake.write(MARKET, "", vars(market), facts)
    return home


def _market(study: Study, panel: Panel) -> Market:
    """Return the panel as the tables that the lake holds."""
    dates = pd.DatetimeIndex(panel.sessions.astype("datetime64[us]"), name="date")
    fetched = dt.datetime(2000, 1, 1, tzinfo=dt.UTC)
    histories = {
        ticker: PriceHistory(
            ticker=ticker,
            bars=pd.DataFrame({name: getattr(panel, name)[:, place] for name in BAR_COLUMNS}, index=dates),
            dividends=no_events(),
            splits=no_events(),
            source="benchmarks",
            fetched_at=fetched,
        )
        for place, ticker in enumerate(panel.tickers)
    }
    return build_market(study, histories, None)
