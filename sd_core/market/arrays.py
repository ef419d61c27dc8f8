"""Arithmetic on arrays of dates and prices that every room needs: pivots, last known values, the calendar.

What the arrays of a study are belongs in ``panel``.
"""

import numpy as np
import numpy.typing as npt
import pyarrow as pa
import pyarrow.compute as pc

Floats = npt.NDArray[np.float64]
Dates = npt.NDArray[np.datetime64]
Integers = npt.NDArray[np.int64]

DAYS_PER_CALENDAR_YEAR = 365.25
# 1970-01-01, from which days are counted, was a Thursday.
THURSDAY = 3


def pivot(table: pa.Table, column: str, sessions: Dates, tickers: pa.Array, absent: float) -> Floats:
    """Return a column of a table with ``session`` and ``ticker`` as an array of shape (sessions, tickers).

    Args:
        table: its rows in any order; those of other tickers are left out.
        column: which numbers.
        sessions: ascending, all that the table has.
        tickers: in the order of the result.
        absent: the value where the table has no row.
    """
    asset = pc.fill_null(pc.index_in(table["ticker"], value_set=tickers), -1).to_numpy()
    mine = asset >= 0
    row = np.searchsorted(sessions, table["session"].to_numpy()[mine])
    grid = np.full((len(sessions), len(tickers)), absent)
    grid[row, asset[mine]] = table[column].to_numpy()[mine]
    return grid


def last_known(prices: Floats) -> Floats:
    """Replace every NaN by the last price before it, along the first axis; the first row has none."""
    missing = np.isnan(prices)
    if not missing.any():
        return prices.copy()
    rows = np.where(missing, 0, np.arange(len(prices))[:, None])
    np.maximum.accumulate(rows, axis=0, out=rows)
    return np.ascontiguousarray(np.take_along_axis(prices, rows, axis=0))


def day_numbers(dates: Dates) -> Integers:
    """Return the days since 1970-01-01."""
    return dates.astype("datetime64[D]").astype(np.int64)


def month_numbers(dates: Dates) -> Integers:
    """Return the calendar months since January 1970."""
    return dates.astype("datetime64[M]").astype(np.int64)


def week_numbers(dates: Dates) -> Integers:
    """Return the weeks from Monday to Sunday, counted from the one that holds 1970-01-01."""
    return (day_numbers(dates) + THURSDAY) // 7


def weekdays(dates: Dates) -> Integers:
    """Return the days of the week, 0 for Monday."""
    return (day_numbers(dates) + THURSDAY) % 7


def days_between(dates: Dates) -> Floats:
    """Return the days from each date to the next, shape (dates - 1,)."""
    return np.diff(day_numbers(dates)).astype(np.float64)
