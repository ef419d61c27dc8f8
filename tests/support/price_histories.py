"""Small price histories and studies, written out by hand."""

import datetime as dt
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import pandas as pd

from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory, Remark
from sd_core.study.model import Study

FETCHED = dt.datetime(2024, 12, 31, 23, tzinfo=dt.UTC)


def history(
    ticker: str,
    bars: Mapping[str, float | Sequence[float]],
    *,
    dividends: Mapping[str, float] | None = None,
    splits: Mapping[str, float] | None = None,
    fetched_at: dt.datetime = FETCHED,
    currency: str | None = None,
    remarks: Sequence[Remark] = (),
) -> PriceHistory:
    """Return a history; a bar is one number (open, high, low and close) or the four."""
    rows = [[bar] * 4 if isinstance(bar, int | float) else list(bar) for bar in bars.values()]
    return PriceHistory(
        ticker=ticker,
        bars=pd.DataFrame(np.array(rows, dtype=float).reshape(-1, 4), columns=BAR_COLUMNS, index=_index(bars)),
        dividends=_events(dividends or {}),
        splits=_events(splits or {}),
        source="written by hand",
        fetched_at=fetched_at,
        currency=currency,
        remarks=tuple(remarks),
    )


def weekdays(start: str, end: str, price: float = 100.0) -> dict[str, float]:
    """Return one price on every weekday from start to end, both included."""
    days = np.arange(np.datetime64(start), np.datetime64(end) + 1)
    return {str(day): price for day in days[np.is_busday(days)]}


def study(tickers: Sequence[str], start: str, end: str | None = None, **keys: Any) -> Study:
    """Return a study of equally weighted assets."""
    return Study.model_validate(
        {
            "name": "small",
            "source": {"kind": "csv", "folder": "prices"},
            "start": start,
            "end": end,
            "capital": 10_000,
            "universe": {ticker: {"weight": 1} for ticker in tickers},
            "reserves": [0],
            "strategies": {"sd8": {}},
            **keys,
        }
    )


def _index(dates: Mapping[str, Any]) -> pd.DatetimeIndex:
    return pd.DatetimeIndex(list(dates), name="date").as_unit("us")


def _events(amounts: Mapping[str, float]) -> pd.Series:
    return pd.Series(list(amounts.values()), index=_index(amounts), dtype=float)
