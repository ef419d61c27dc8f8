"""Pieces of a price history that every source puts together in the same way.

The history itself is declared in ``source``; which values are refused belongs in ``refusal``.
"""

import datetime as dt

import pandas as pd

from sd_core.errors import InputError
from sd_core.market.sources.base import BAR_COLUMNS


def between(bars: pd.DataFrame, start: dt.date, end: dt.date | None, place: str) -> pd.DataFrame:
    """Return the rows from start to end, both included (end None: to the last).

    Raises:
        InputError: no row is left; the message names ``place`` and the dates that it covers.
    """
    kept = bars.loc[days(start, end)]
    if kept.empty:
        asked = f"from {start}" if end is None else f"from {start} to {end}"
        covered = f"{bars.index[0]:%Y-%m-%d} to {bars.index[-1]:%Y-%m-%d}"
        raise InputError(f"{place}: no row {asked}: expected dates within what it covers, {covered}")
    return kept


def days(start: dt.date, end: dt.date | None) -> slice:
    """Return the label slice from start to end, both included (end None: to the last)."""
    return slice(pd.Timestamp(start), None if end is None else pd.Timestamp(end))


def flat_bars(values: pd.Series) -> pd.DataFrame:
    """Return bars that are one number a day, such as a rate: open, high, low and close all hold it."""
    return pd.DataFrame(dict.fromkeys(BAR_COLUMNS, values))


def no_events() -> pd.Series:
    """Return an empty Series by date, for dividends or splits that a source does not have."""
    return pd.Series(dtype=float, index=pd.DatetimeIndex([], dtype="datetime64[us]", name="date"))


def no_hours() -> pd.Series:
    """Return the closes of a ticker without hourly bars."""
    return pd.Series([], index=pd.DatetimeIndex([], tz="UTC"), dtype=float)
