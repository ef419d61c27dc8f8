"""Scores of assets by date, from a CSV file."""

from pathlib import Path

import numpy as np

from sd_core.construction.asked import Scored
from sd_core.errors import InputError
from sd_core.market.sources.csv_table import read_table
from sd_core.market.sources.validation import shortened


def read_scores(path: Path, tickers: tuple[str, ...], column: str = "Score") -> Scored:
    """Return scores from a file with the columns Date, Ticker and Score, or another one, in any order of its rows.

    A score is known from its date on, until the next one of its ticker. Rows of other tickers are left out.

    Raises:
        InputError: the file is broken, or a row has no date, no finite score, or the ticker and date of another one.
    """
    table = read_table(path, [("Date",), ("Ticker",), (column,)])
    found: dict[np.datetime64, dict[str, float]] = {}
    misfits = []
    for line, date, ticker, score in table.itertuples(name=None):
        day, value = _day(date), _number(score)
        if day is None:
            misfits.append(f"{path}: line {line}: Date: {date!r}: expected a date such as 2024-01-31")
        elif value is None:
            misfits.append(f"{path}: line {line}: {column}: {score!r}: expected a finite number")
        elif ticker in found.setdefault(day, {}):
            misfits.append(
                f"{path}: line {line}: Ticker: {ticker!r}: expected one {column.lower()} of a date, but there are two"
            )
        else:
            found[day][ticker] = value
    if misfits:
        raise InputError(shortened(misfits, str(path)))
    dates = sorted(found)
    values = np.array([[found[day].get(ticker, np.nan) for ticker in tickers] for day in dates])
    return Scored(np.array(dates, dtype="datetime64[D]"), values.reshape(len(dates), len(tickers)))


def _day(text: str) -> np.datetime64 | None:
    try:
        return np.datetime64(text, "D") if len(text) == 10 else None
    except ValueError:
        return None


def _number(text: str) -> float | None:
    try:
        value = float(text) if "_" not in text else np.nan
    except ValueError:
        return None
    return value if np.isfinite(value) else None
