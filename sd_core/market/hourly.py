"""Hourly closes in the lake: what was stored stays, and what a source has newer is added.

Sources keep hourly bars for a while only, so that the store is the one place that has the older ones. What is computed
of them belongs in ``analytics``.
"""

import datetime as dt

import numpy as np
import pandas as pd
import pyarrow as pa

from sd_core.lake import Lake, Version, until_unmoved
from sd_core.market.arrays import Floats, Integers
from sd_core.market.sources.states import HOURLY_BARS

DATASET = HOURLY_BARS
TABLE = "bars"
HOUR = 3600
# A source restates all prices after a split; by less than this they are the same, but for rounding.
SAME_BASIS = 1e-3


def store(lake: Lake, ticker: str, closes: pd.Series, state: str) -> Version:
    """Add what is newer than the stored closes of a ticker to them, in one step.

    What is stored is never changed. Where the source has restated the hours that both have, as after a split, what is
    added is put on the stored basis, by the median of their ratios.

    Where another process adds hours meanwhile, these are added to them.

    Args:
        lake: of the study.
        ticker: whose.
        closes: by the beginning of the hour, UTC, ascending.
        state: of the source before it was asked.
    """
    return until_unmoved(lambda: _store(lake, ticker, closes, state))


def _store(lake: Lake, ticker: str, closes: pd.Series, state: str) -> Version:
    fresh = pd.Series(closes.to_numpy(np.float64), index=_seconds(closes))
    stored = _current(lake, ticker)
    if stored is not None:
        begins, values = stored[1]
        old = pd.Series(values, index=begins)
        before, after = old.align(fresh, join="inner")
        ratio = float((before / after).median()) if len(before) else 1.0
        added = fresh[~fresh.index.isin(old.index)]
        fresh = pd.concat([old, added if abs(ratio - 1.0) <= SAME_BASIS else added * ratio]).sort_index()
    table = pa.table(
        {"begins": pa.array(fresh.index.to_numpy(np.int64)), "close": pa.array(fresh.to_numpy(np.float64))}
    )
    return lake.write(DATASET, ticker, {TABLE: table}, {"state": state}, instead_of=stored and stored[0])


def load(lake: Lake, ticker: str) -> tuple[Integers, Floats] | None:
    """Return the beginnings of the stored hours, in seconds since 1970 UTC, and their closes; None without any."""
    stored = _current(lake, ticker)
    return None if stored is None else stored[1]


def _current(lake: Lake, ticker: str) -> tuple[Version, tuple[Integers, Floats]] | None:
    with lake.shared():
        version = lake.current(DATASET, ticker)
        if version is None:
            return None
        table = version.read(TABLE)
    return version, (table["begins"].to_numpy(), table["close"].to_numpy())


def newest(lake: Lake, ticker: str) -> dt.datetime | None:
    """Return the beginning of the newest stored hour, None without any."""
    stored = load(lake, ticker)
    return None if stored is None or not len(stored[0]) else dt.datetime.fromtimestamp(int(stored[0][-1]), dt.UTC)


def _seconds(closes: pd.Series) -> Integers:
    index = pd.DatetimeIndex(closes.index)
    return np.asarray(index.tz_convert("UTC").tz_localize(None).to_numpy().astype("datetime64[s]").astype(np.int64))
