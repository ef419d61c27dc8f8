"""Prices, dividends and rates from a folder of CSV files.

How a CSV file is taken apart belongs in ``csv_table``; which values are refused in ``refusal``.
"""

import datetime as dt
from collections.abc import Callable, Sequence
from pathlib import Path

import numpy as np
import pandas as pd

from sd_core.errors import InputError
from sd_core.market.arrays import Floats
from sd_core.market.sources import validation as refusal
from sd_core.market.sources.bars import between, days, flat_bars, no_events, no_hours
from sd_core.market.sources.base import PriceHistory
from sd_core.market.sources.csv_table import read_table
from sd_core.market.sources.states import HOURLY
from sd_core.market.sources.validation import Finding
from sd_core.wording import date_hint, number_hint

# Accepted spellings of each column.
DATE = ("Date",)
CLOSE = ("Close",)
BAR = [("Open",), ("High",), ("Low",), CLOSE]
DIVIDEND = ("Dividends", "Dividend")
INDEX_VALUE = ("Value",)
TIME = ("Time",)
A_TIME = "2024-01-31T14:30:00Z"


class CsvSource:
    """Prices from files ``TICKER.csv`` and, where an asset pays, ``TICKER_dividends.csv`` in one folder.

    A price file has the columns Date, Open, High, Low, Close; a dividends file has Date and Dividends (or Dividend),
    one row per ex-date: two payments of one day are written as their sum, since a row that is repeated by
    accident would otherwise be paid twice. Other columns are ignored. Dates are ISO 8601 (``2024-01-31``), strictly
    ascending; a time of day is dropped, so that a date with a time zone means the calendar day in that zone. A file is
    checked as a whole, also where only a part of it is asked for. Without a dividends file an asset pays nothing.
    Splits are not given: prices and dividends are split-adjusted already.
    """

    def __init__(self, folder: str | Path) -> None:
        self.folder = Path(folder)

    def prices(
        self,
        ticker: str,
        start: dt.date,
        end: dt.date | None,
        since: dt.date | None = None,  # noqa: ARG002
    ) -> PriceHistory:
        """Return an asset's bars and dividends from start to end, both included (end None: to the file's last).

        Raises:
            InputError: a file is missing or broken, or has no bar in that time; a line per finding names file, line,
                column, value and what was expected.
        """
        path = self.folder / f"{ticker}.csv"
        bars = between(_read(path, BAR, refusal.bar_findings), start, end, str(path))
        return _history(ticker, path, bars, self._dividends(ticker).loc[days(start, end)])

    def rates(
        self,
        ticker: str,
        start: dt.date,
        end: dt.date | None,
        since: dt.date | None = None,  # noqa: ARG002
    ) -> PriceHistory:
        """Return a yearly rate in percent, of any sign, from a file of which Date and Close are read.

        It begins with the newest one dated up to ``start``. Raises as :meth:`prices`.
        """
        path = self.folder / f"{ticker}.csv"
        table = _read(path, [CLOSE], lambda rates: refusal.rate_findings(rates["close"]))
        known = table.index[table.index <= pd.Timestamp(start)]
        begin = known[-1].date() if len(known) else start
        return _history(ticker, path, flat_bars(between(table, begin, end, str(path))["close"]), no_events())

    def hourly(self, ticker: str, since: dt.datetime | None) -> pd.Series:  # noqa: ARG002  a file is read whole
        """Return the closes of a file ``hourly/TICKER.csv`` with the columns Time and Close; empty without a file.

        A time is the beginning of an hour with its zone, as ``2024-01-31T14:30:00Z``. Raises as :meth:`prices`.
        """
        path = self.folder / HOURLY / f"{ticker}.csv"
        return _read_hours(path) if path.exists() else no_hours()

    def _dividends(self, ticker: str) -> pd.Series:
        path = self.folder / f"{ticker}_dividends.csv"
        if not path.exists():
            return no_events()
        table = _read(
            path,
            [DIVIDEND],
            lambda amounts: refusal.positive_findings(amounts.iloc[:, 0], "an amount"),
            may_be_empty=True,
        )
        return table.iloc[:, 0].rename(None)


def read_price_index(path: Path) -> pd.Series:
    """Return consumer prices by the date from which they are known, of any base, from columns Date and Value.

    Raises as a CSV source's ``prices`` do.
    """
    return _read(path, [INDEX_VALUE], lambda table: refusal.positive_findings(table["value"], "a price level"))["value"]


def _read(
    path: Path,
    columns: Sequence[tuple[str, ...]],
    judge: Callable[[pd.DataFrame], list[Finding]],
    *,
    may_be_empty: bool = False,
) -> pd.DataFrame:
    """Read numbers by date, all of them judged. The columns are the file's own, in lower case."""
    texts = read_table(path, [DATE, *columns])
    if texts.empty and not may_be_empty:
        raise InputError(f"{path}: expected rows below the header, but there are none")
    spelling = {str(name).lower(): str(name) for name in texts}
    dates = pd.Series(np.array(_days(texts["Date"]), dtype="datetime64[us]"), index=texts.index)
    numbers = pd.DataFrame(
        {field: _numbers(texts[name]) for field, name in spelling.items() if field != "date"},
        index=texts.index,
        dtype=float,
    )
    findings = [*refusal.date_findings(dates, _latest_day()), *judge(numbers)]
    if findings:
        lines = [
            f"{path}: line {found.label}: {(name := spelling[found.field])}: {texts.at[found.label, name]!r}: "
            f"expected {found.expected}{_hint(str(texts.at[found.label, name]))}"
            for found in sorted(findings, key=lambda found: found.label)
        ]
        raise InputError(refusal.shortened(lines, str(path)))
    return numbers.set_index(pd.DatetimeIndex(dates, name="date"))


def _read_hours(path: Path) -> pd.Series:
    texts = read_table(path, [TIME, CLOSE])
    now = dt.datetime.now(dt.UTC)
    times: list[dt.datetime] = []
    closes: list[float] = []
    misfits = []
    for line, time, close in texts.itertuples(name=None):
        begins, price = _instant(time), _number(close)
        if begins is None:
            misfits.append(f"{path}: line {line}: Time: {time!r}: expected a time with its zone, such as {A_TIME}")
        elif times and begins <= times[-1]:
            misfits.append(f"{path}: line {line}: Time: {time!r}: expected a time after the one before")
        elif begins > now:
            misfits.append(f"{path}: line {line}: Time: {time!r}: expected a time that has been")
        elif not 0 < price < np.inf:
            misfits.append(f"{path}: line {line}: Close: {close!r}: expected a price above 0{_hint(close)}")
        else:
            times.append(begins)
            closes.append(price)
    if misfits:
        raise InputError(refusal.shortened(misfits, str(path)))
    return pd.Series(closes, index=pd.DatetimeIndex(times, tz="UTC"), dtype=float)


def _instant(text: str) -> dt.datetime | None:
    try:
        found = dt.datetime.fromisoformat(text)
    except ValueError:
        return None
    return None if found.tzinfo is None else found.astimezone(dt.UTC)


def _hint(text: str) -> str:
    return date_hint(text) or number_hint(text)


def _days(texts: pd.Series) -> Sequence[dt.date | None]:
    """Return the day of each text, None where it is none; days without a time are read several times as fast."""
    try:
        return list(map(dt.date.fromisoformat, texts))
    except ValueError:
        return [_day(text) for text in texts]


def _day(text: str) -> dt.date | None:
    try:
        return dt.datetime.fromisoformat(text).date()
    except ValueError:
        return None


def _numbers(texts: pd.Series) -> Sequence[float] | Floats:
    """Return the number of each text, NaN where it is none; a column without a flaw is read several times as fast."""
    if "_" not in "".join(texts):
        try:
            return texts.to_numpy().astype(np.float64)
        except ValueError:
            pass
    return [_number(text) for text in texts]


def _number(text: str) -> float:
    try:
        # Python reads 1_000 as a thousand; in a file of prices it is a slip.
        return float(text) if "_" not in text else np.nan
    except ValueError:
        return np.nan


def _latest_day() -> dt.date:
    """Return today's date where the day begins first (UTC+14), so that no honest bar lies in the future."""
    return dt.datetime.now(dt.timezone(dt.timedelta(hours=14))).date()


def _history(ticker: str, path: Path, bars: pd.DataFrame, dividends: pd.Series) -> PriceHistory:
    return PriceHistory(
        ticker=ticker,
        bars=bars,
        dividends=dividends,
        splits=no_events(),
        source=f"csv file {path}",
        whole=True,
        fetched_at=dt.datetime.now(dt.UTC),
    )
