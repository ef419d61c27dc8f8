"""The vocabulary of price sources: the protocol that each implements, and what it returns.

A source delivers what its origin publishes, checked but not altered; a remark says what it had to leave out. Which
source a study asks belongs in ``registry``, stores in ``raw``, sessions and panels in ``sessions`` and ``build``.
"""

import datetime as dt
from dataclasses import dataclass
from typing import Protocol

import pandas as pd

BAR_COLUMNS = ["open", "high", "low", "close"]


@dataclass(frozen=True)
class Remark:
    """What a source could not take as its origin published it: the finding that it becomes.

    Attributes:
        rule: name of the finding's rule.
        first, last: dates of the first and the last row concerned.
        rows: how many rows.
        detail: a sentence for people, which names the ticker.
    """

    rule: str
    first: dt.date
    last: dt.date
    rows: int
    detail: str


@dataclass(frozen=True)
class PriceHistory:
    """One ticker as one fetch found it.

    Attributes:
        ticker: the ticker asked for.
        bars: open, high, low, close by date (a DatetimeIndex without time zone, midnight, strictly ascending, named
            ``date``), float64, split-adjusted and not dividend-adjusted. A rate's bars are in percent and of any sign.
        dividends: amount per share by ex-date, split-adjusted; may be empty.
        splits: new shares per old share by date; may be empty.
        source: which source and which file or address, for people.
        fetched_at: when, UTC.
        currency: quote currency where the source states it, or a unit of hundredths of one, such as GBp.
        calendar: that of its exchange where the source states one, as exchange_calendars names it.
        whole: whether the source delivers its whole past at every fetch, as a file does: what it no longer has is gone.
        partial: whether only its newest part was asked for.
        remarks: what the source had to leave out or convert, in the order of dates.
    """

    ticker: str
    bars: pd.DataFrame
    dividends: pd.Series
    splits: pd.Series
    source: str
    fetched_at: dt.datetime
    currency: str | None = None
    calendar: str | None = None
    whole: bool = False
    partial: bool = False
    remarks: tuple[Remark, ...] = ()


class PriceSource(Protocol):
    """Where prices come from."""

    def prices(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Return the daily bars of an asset from start to end, both included (end None: the newest there is).

        ``since`` is the newest date that is known; a source may leave out what is long before.

        Raises:
            InputError: a file that is broken, named with line, field, value and what was expected.
            FetchError: the source did not deliver, or what it delivered are not prices.
        """
        ...

    def hourly(self, ticker: str, since: dt.datetime | None) -> pd.Series:
        """Return the closes of an asset's finished hours by their beginning, UTC, ascending; empty where it has none.

        ``since`` is the beginning of the newest hour that is known; a source may leave out what is long before. Raises
        as :meth:`prices`.
        """
        ...

    def rates(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Return a yearly rate in percent, as bars of any sign, with what was known when ``start`` came.

        A rate that is published each month, or whenever it changes, holds until the next one. Raises as :meth:`prices`.
        """
        ...
