"""Prices, dividends, splits and rates from Yahoo Finance, through yfinance.

Asking, waiting and taking an answer apart belong here; which values cannot be prices belongs in ``validation``.
"""

import contextlib
import datetime as dt
import logging
import time
import warnings
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any, TypeVar
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import yfinance as yf
import yfinance.cache
from curl_cffi import requests as curl
from yfinance.data import YfData
from yfinance.exceptions import YFPricesMissingError, YFRateLimitError, YFTzMissingError

from sd_core.errors import FetchError
from sd_core.market.currencies import unit_of
from sd_core.market.sources import validation as refusal
from sd_core.market.sources.bars import days, flat_bars, no_events
from sd_core.market.sources.base import BAR_COLUMNS, PriceHistory, Remark
from sd_core.market.sources.validation import Finding
from sd_core.market.sources.yahoo_answers import (
    CANNOT_BE_USED,
    UNKNOWN_TICKER,
    PassingError,
    Reader,
    RefusedError,
    Session,
    UnusableError,
)
from sd_core.wording import printable

# Five attempts with waits of 2, 4, 8 and 16 seconds: a hiccup is over by then, and a real ban lasts too long to wait
# for.
ATTEMPTS = 5
FIRST_WAIT = 2.0

# What trades round the clock has no close: its day ends at midnight of its own zone.
ROUND_THE_CLOCK = {"CRYPTOCURRENCY", "CURRENCY"}
# Rates are asked for from so long before a study begins: the one that holds then may be a month old, or older.
KNOWN_BEFORE = dt.timedelta(days=366)
# Yahoo keeps hourly bars of the last 730 days.
# Days before the newest known bar that are asked for again: a month of them shows whether the past was restated.
OVERLAP = dt.timedelta(days=45)
KEPT_HOURLY = dt.timedelta(days=729)
USUAL_CLOSE = dt.time(16)

# The calendars of exchanges by Yahoo's codes; CCC and CCY are cryptocurrencies and currencies.
CALENDARS = {
    code: calendar
    for calendar, codes in {
        "XNYS": "NMS NGM NCM NYQ PCX ASE BTS NAS SNP DJI NIM CGI WCB",
        "XLON": "LSE",
        "XETR": "GER",
        "XFRA": "FRA",
        "XPAR": "PAR",
        "XAMS": "AMS",
        "XMIL": "MIL",
        "XSWX": "EBS",
        "XTSE": "TOR",
        "XTKS": "JPX",
        "XHKG": "HKG",
        "XASX": "ASX",
        "XSTO": "STO",
        "XCSE": "CPH",
        "24/7": "CCC",
        "24/5": "CCY",
    }.items()
    for code in codes.split()
}

DIVIDENDS, SPLITS = "dividends", "stock splits"

Values = TypeVar("Values", pd.DataFrame, pd.Series)


@dataclass(frozen=True)
class _Answer:
    """The result of one request.

    Attributes:
        table: yfinance's columns in lower case, by the exchange's calendar date; of hours by their beginning, UTC.
        metadata: what Yahoo states of the ticker and its exchange.
        asked_at: the moment before the request, UTC.
        dividend_currencies: the currency of a dividend by its date, where Yahoo states one.
        remarks: what had to be tidied before yfinance read it.
    """

    table: pd.DataFrame
    metadata: Mapping[str, Any]
    asked_at: dt.datetime
    dividend_currencies: Mapping[pd.Timestamp, str]
    remarks: Sequence[Remark]


class YahooSource:
    """Daily prices as Yahoo publishes them: split-adjusted, not dividend-adjusted.

    A bar is taken only when its day was over before Yahoo was asked: every day before today at the exchange, and today
    from the end of its regular session on, as Yahoo's metadata states it (16:00 at the exchange where they do not).
    Currencies and cryptocurrencies trade round the clock: their day is over at midnight of the zone Yahoo keeps them
    in, which for a cryptocurrency is UTC. Rows without any price, such as Yahoo sends for some holidays, are left out,
    and a dividend on them is kept. Values that cannot be are left out with a remark: the bar of a row that has only
    some of the four prices, a dividend that is negative, or one in a currency other than that of the prices. Capital
    gains that a fund distributes are left out, because for some funds Yahoo counts them among the dividends already.

    Args:
        session: the HTTP session to use; it is the source's own from then on. None: one that Yahoo takes for a browser.
        sleep: waits a number of seconds.
        clock: returns the time, UTC.
    """

    def __init__(
        self,
        session: Session | None = None,
        *,
        sleep: Callable[[float], None] = time.sleep,
        clock: Callable[[], dt.datetime] = lambda: dt.datetime.now(dt.UTC),
    ) -> None:
        self._reader = Reader()
        self._session = self._reader.attach(session or curl.Session(impersonate="chrome"))
        self._sleep = sleep
        self._clock = clock
        self._attempts = ATTEMPTS

    def prices(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Return an asset's finished bars, dividends and splits, start and end included (end None: the newest).

        With ``since``, the newest date that is known, only from :data:`OVERLAP` before it on.

        Raises:
            FetchError: Yahoo does not know the ticker, has no finished bar in that time, cannot be reached, limits our
                rate, or delivered nothing that can be a price (a line per finding).
        """
        begin = _begin(start, since)
        answer = self._ask(ticker, begin, end)
        table = _finished_rows(ticker, answer, begin, end)
        all_bars = table[BAR_COLUMNS].dropna(how="all")
        # yfinance fills the days without an event with 0.
        all_dividends = table[DIVIDENDS][table[DIVIDENDS] != 0]
        all_splits = table[SPLITS][table[SPLITS] != 0]
        bars, of_bars = _usable(ticker, all_bars, refusal.bar_findings(all_bars), "row")
        if bars.empty:
            raise _nothing_usable(ticker, table, refusal.bar_findings(all_bars))
        dividends, of_dividends = _usable(
            ticker, all_dividends, refusal.positive_findings(all_dividends, "an amount"), "dividend"
        )
        splits, of_splits = _usable(ticker, all_splits, refusal.positive_findings(all_splits, "a ratio"), "split")
        dividends, of_currencies = _in_unit_of_prices(ticker, dividends, answer)
        remarks = [*answer.remarks, *of_bars, *of_dividends, *of_splits, *of_currencies]
        if answer.metadata.get("currency") is None:
            remarks.append(_without_currency(ticker, bars))
        found = _history(ticker, answer, bars, dividends.rename(None), splits.rename(None), remarks)
        return replace(found, partial=begin > start)

    def rates(self, ticker: str, start: dt.date, end: dt.date | None, since: dt.date | None = None) -> PriceHistory:
        """Return a yearly rate in percent, of any sign: Yahoo's closes from a year before; raises as :meth:`prices`."""
        first = start - KNOWN_BEFORE
        begin = _begin(first, since)
        answer = self._ask(ticker, begin, end)
        table = _finished_rows(ticker, answer, begin, end)
        closes = table[BAR_COLUMNS].dropna(how="all")["close"]
        rates, remarks = _usable(ticker, closes, refusal.rate_findings(closes), "row")
        if rates.empty:
            raise _nothing_usable(ticker, table, refusal.rate_findings(closes))
        found = _history(ticker, answer, flat_bars(rates), no_events(), no_events(), [*answer.remarks, *remarks])
        return replace(found, partial=begin > first)

    def hourly(self, ticker: str, since: dt.datetime | None) -> pd.Series:
        """Return the closes of finished hours from a week before ``since`` on, of the last two years at most.

        Rows without a trade, such as Yahoo appends at the close, are left out. Raises as :meth:`prices`.
        """
        earliest = (self._clock() - KEPT_HOURLY).date()
        begin = earliest if since is None else max(earliest, since.date() - dt.timedelta(days=7))
        answer = self._ask(ticker, begin, None, "1h")
        rows = answer.table[answer.table["close"] > 0]
        traded = (rows["high"] > rows["low"]) | (rows["volume"] > 0)
        finished = rows.index <= pd.Timestamp(answer.asked_at) - pd.Timedelta(hours=1)
        closes: pd.Series = rows["close"][traded & finished]
        return closes

    def _ask(self, ticker: str, start: dt.date, end: dt.date | None, interval: str = "1d") -> _Answer:
        """Ask until Yahoo answers, waiting twice as long after every passing failure."""
        for attempt in range(self._attempts):
            if attempt:
                self._sleep(FIRST_WAIT * 2 ** (attempt - 1))
            try:
                answer = self._ask_once(ticker, start, end, interval)
                self._attempts = ATTEMPTS
                return answer
            except YFRateLimitError:
                failure = "it limits the rate of requests from this address: try again in some minutes"
            except PassingError as error:
                failure = str(error)
                if isinstance(error, RefusedError):
                    self._forget_cookies()
        attempts = "1 attempt" if self._attempts == 1 else f"{self._attempts} attempts"
        # After waiting in vain for one ticker, there is no need to wait as long for each of the others.
        self._attempts = 1
        raise FetchError(f"{ticker}: Yahoo did not deliver in {attempts}: {failure}")

    def _forget_cookies(self) -> None:
        """Have yfinance ask for a cookie and a crumb again; it keeps them on disk for a year."""
        self._session.cookies.clear()
        yfinance.cache.get_cookie_cache().store("curlCffi", None)
        data = YfData(session=self._session)
        data._cookie = data._crumb = None  # noqa: SLF001 - nothing public forgets them

    def _ask_once(self, ticker: str, start: dt.date, end: dt.date | None, interval: str) -> _Answer:
        with _raising_instead_of_logging():
            return self._ask_yfinance(ticker, start, end, interval)

    def _ask_yfinance(self, ticker: str, start: dt.date, end: dt.date | None, interval: str) -> _Answer:
        # yfinance remembers answers for as long as the process lives, failures among them.
        YfData.cache_get.cache_clear()
        self._reader.ticker = ticker
        asked_at = self._clock()
        try:
            yahoo = yf.Ticker(ticker, session=self._session)
            table = yahoo.history(
                start=start,
                end=None if end is None else end + dt.timedelta(days=1),
                interval=interval,
                auto_adjust=False,
                actions=True,
                # Else yfinance drops rows of zeros as well, which we would rather refuse.
                keepna=True,
            )
            metadata = yahoo.history_metadata
        except (YFRateLimitError, PassingError):
            raise
        except Exception as error:
            # Whatever error yfinance raises, Yahoo did not deliver; there is no base class for them.
            raise FetchError(f"{ticker}: {_in_words(error)}") from error
        if interval == "1d":
            dates = table.index.tz_localize(None).normalize().as_unit("us").rename("date")
        else:
            dates = table.index.tz_convert("UTC")
        return _Answer(
            table.set_index(dates).rename(columns=str.lower),
            metadata,
            asked_at,
            self._reader.dividend_currencies,
            self._reader.remarks,
        )


@contextlib.contextmanager
def _raising_instead_of_logging() -> Iterator[None]:
    """Have yfinance raise its errors while it is asked, and warn of nothing; ours report each of them once."""
    logger = logging.getLogger("yfinance")
    level, hides = logger.level, yf.config.debug.hide_exceptions
    logger.setLevel(logging.CRITICAL)
    yf.config.debug.hide_exceptions = False
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
        yf.config.debug.hide_exceptions = hides


def _in_words(error: Exception) -> str:
    if isinstance(error, UnusableError):
        return str(error)
    if isinstance(error, YFTzMissingError):
        return UNKNOWN_TICKER
    if isinstance(error, YFPricesMissingError):
        return f"Yahoo has no prices in that time: {printable(error.rationale)}"
    return f"{CANNOT_BE_USED}{type(error).__name__}: {printable(str(error))}"


def _begin(start: dt.date, since: dt.date | None) -> dt.date:
    return start if since is None else max(start, since - OVERLAP)


def _finished_rows(ticker: str, answer: _Answer, start: dt.date, end: dt.date | None) -> pd.DataFrame:
    finished = _last_finished_day(answer)
    last = finished if end is None else min(end, finished)
    rows = answer.table.loc[days(start, last)]
    if rows[BAR_COLUMNS].isna().all(axis=None):
        raise FetchError(f"{ticker}: Yahoo has no finished bar from {start} to {last}")
    return rows


def _last_finished_day(answer: _Answer) -> dt.date:
    """Return the exchange's newest calendar day that was over when Yahoo was asked."""
    now = answer.asked_at.astimezone(ZoneInfo(answer.metadata["exchangeTimezoneName"]))
    today = now.date()
    if answer.metadata.get("instrumentType") not in ROUND_THE_CLOCK and now >= _close(now, answer.metadata):
        return today
    return today - dt.timedelta(days=1)


def _close(now: dt.datetime, metadata: Mapping[str, Any]) -> dt.datetime:
    """Return when today's regular session ends; Yahoo's period counts only where it is today's."""
    stated: dt.datetime | None = metadata.get("currentTradingPeriod", {}).get("regular", {}).get("end")
    if stated is not None and stated.date() == now.date():
        return stated
    return dt.datetime.combine(now.date(), USUAL_CLOSE, tzinfo=now.tzinfo)


def _nothing_usable(ticker: str, table: pd.DataFrame, findings: Sequence[Finding]) -> FetchError:
    """Return the error of an answer without a single row that can be used: a line per finding, oldest first."""
    lines = [
        f"{ticker}: {found.label:%Y-%m-%d}: {found.field}: {table[found.field][found.label]}: expected {found.expected}"
        for found in sorted(findings, key=lambda found: found.label)
    ]
    return FetchError(refusal.shortened(lines, ticker))


def _usable(ticker: str, values: Values, findings: Sequence[Finding], what: str) -> tuple[Values, list[Remark]]:
    """Return the rows without a finding, and a remark for every run of rows with one.

    Args:
        ticker: whose.
        values: bars, dividends, splits or rates by date.
        findings: about them, labelled by date.
        what: what a row is, in words.
    """
    first_finding = {found.label: found for found in reversed(findings)}
    refused = values.index.isin(list(first_finding))
    runs = np.flatnonzero(np.diff(refused.astype(int), prepend=0, append=0)).reshape(-1, 2)
    return values[~refused], [
        _left_out(ticker, values[begin:end], first_finding[values.index[begin]], what) for begin, end in runs
    ]


def _left_out(ticker: str, rows: Values, found: Finding, what: str) -> Remark:
    """Return the remark of a run of rows, ``found`` being what is wrong with the first of them."""
    first, last = rows.index[0].date(), rows.index[-1].date()
    row = rows.iloc[0]
    value = row[found.field] if isinstance(row, pd.Series) else row
    reason = f"{found.field} is {value}, expected {found.expected}"
    if len(rows) == 1:
        detail = f"Yahoo's {what} of {ticker} on {first} is left out: {reason}."
    else:
        detail = (
            f"Yahoo's {what}s of {ticker} from {first} to {last}, {len(rows)} in a row, are left out; "
            f"on {first}, {reason}."
        )
    return Remark("left_out", first, last, len(rows), f"{detail} A CSV source can supply what is missing.")


def _without_currency(ticker: str, bars: pd.DataFrame) -> Remark:
    first, last = bars.index[0].date(), bars.index[-1].date()
    detail = (
        f"Yahoo states no currency of {ticker}: its prices are taken to be in the one it stated before, else in the "
        "study's."
    )
    return Remark("no_currency", first, last, len(bars), detail)


def _in_unit_of_prices(ticker: str, dividends: pd.Series, answer: _Answer) -> tuple[pd.Series, list[Remark]]:
    """Return dividends in the unit that the prices are quoted in, and remarks on those that are stated in another.

    Hundredths of a currency are converted. What another currency was worth that day is not known, so a dividend in one
    is left out: as a number of the prices' currency it could be wrong a thousandfold.
    """
    quoted = answer.metadata.get("currency")
    if quoted is None:
        return dividends, []
    currency, per_price = unit_of(quoted)
    amounts = dividends.to_numpy(np.float64, copy=True)
    known = np.ones(len(amounts), dtype=bool)
    remarks = []
    for position, date in enumerate(pd.DatetimeIndex(dividends.index)):
        stated = answer.dividend_currencies.get(date, quoted)
        if stated == quoted:
            continue
        dividend_currency, per_dividend = unit_of(stated)
        detail = (
            f"Yahoo states the dividend of {ticker} on {date:%Y-%m-%d} as {amounts[position]:.6g} {stated} and its "
            f"prices in {quoted}: "
        )
        if dividend_currency == currency:
            amounts[position] *= per_price / per_dividend
            detail += f"it counts as {amounts[position]:.6g} {quoted}."
        else:
            known[position] = False
            detail += f"it is left out. A CSV source can supply it in {currency}, in {ticker}_dividends.csv."
        remarks.append(Remark("dividend_currency", date.date(), date.date(), 1, detail))
    return pd.Series(amounts, index=dividends.index)[known], remarks


def _history(
    ticker: str,
    answer: _Answer,
    bars: pd.DataFrame,
    dividends: pd.Series,
    splits: pd.Series,
    remarks: Iterable[Remark],
) -> PriceHistory:
    return PriceHistory(
        ticker=ticker,
        bars=bars,
        dividends=dividends,
        splits=splits,
        source=f"Yahoo Finance (yfinance {yf.__version__}), https://finance.yahoo.com/quote/{ticker}/history",
        fetched_at=answer.asked_at,
        currency=answer.metadata.get("currency"),
        calendar=CALENDARS.get(str(answer.metadata.get("exchangeName"))),
        remarks=tuple(sorted(remarks, key=lambda remark: remark.first)),
    )
