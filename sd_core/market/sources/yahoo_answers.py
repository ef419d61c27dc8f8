"""Yahoo's answers before yfinance reads them: read within bounds, about the ticker that was asked for, and well formed.

yfinance trusts what it is sent: it takes prices of another symbol for those asked for, shifts what is stamped at
midnight UTC to the day before, and keeps one of two rows of a date without a word. What a price may be belongs in
``validation``, when to ask again in ``yahoo``.
"""

import datetime as dt
import json
import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

import pandas as pd
import requests
from curl_cffi import requests as curl

from sd_core.market.sources.base import Remark
from sd_core.wording import counted, printable

Session = requests.Session | curl.Session[curl.Response]

# In the address of every request for prices.
CHART = "/v8/finance/chart/"
# Seconds without a byte before a request is given up, and seconds that a whole answer may take.
SILENCE = 10.0
LONGEST = 60.0
# Bytes of an answer, unpacked: ten times the longest daily history.
LARGEST = 32 * 2**20
CHUNK = 2**16

PRICES = ("open", "high", "low", "close")
DAY = 86_400
# Dates that Python's calendar and pandas' nanoseconds both hold.
STAMPS = range(-9_000_000_000, 9_000_000_000)


class PassingError(ConnectionError):
    """A failure of the network or of Yahoo's servers that may be over in a moment.

    Being a connection error, it makes yfinance go on without a cookie where one was asked for, and give up where prices
    were.
    """


class RefusedError(PassingError):
    """Yahoo refuses this client: its cookie or crumb may be stale."""


UNKNOWN_TICKER = "Yahoo does not know this ticker: expected a symbol as on finance.yahoo.com, and not delisted"
CANNOT_BE_USED = "Yahoo's answer cannot be used: "


class UnusableError(Exception):
    """An answer that says nothing about the prices asked for; the message is a sentence that says why."""


@dataclass(frozen=True)
class Answer:
    """A response as yfinance reads it, with its body read whole."""

    status_code: int
    url: str
    content: bytes
    payload: Any = None

    @property
    def text(self) -> str:
        """The body as text."""
        return self.content.decode(errors="replace")

    def json(self) -> Any:
        """Return the body's JSON, tidied where it is about prices."""
        return self.payload if self.payload is not None else json.loads(self.content)

    def raise_for_status(self) -> None:
        """Raise :class:`UnusableError` for a status of 400 or more."""
        if self.status_code >= 400:
            raise UnusableError(f"{CANNOT_BE_USED}status {self.status_code}")


@dataclass
class Reader:
    """Reads the answers of one session.

    Attributes:
        ticker: the ticker that is being asked for.
        remarks: what was found in the last answer about prices.
        dividend_currencies: by date the currency of a dividend that the same answer states; yfinance drops it.
    """

    ticker: str = ""
    remarks: Sequence[Remark] = ()
    dividend_currencies: Mapping[pd.Timestamp, str] = field(default_factory=dict)

    def attach(self, session: Session) -> Session:
        """Have this read all that a session receives from now on."""
        for name in ("get", "post"):
            setattr(session, name, self._reading(getattr(session, name)))
        return session

    def _reading(self, request: Callable[..., Any]) -> Callable[..., Answer]:
        def ask(*args: Any, **kwargs: Any) -> Answer:
            address = str(args[0] if args else kwargs.get("url"))
            try:
                response = request(*args, **{**kwargs, "timeout": SILENCE, "stream": True})
                body = _read_whole(response)
            except PassingError:
                raise
            except OSError as error:
                raise PassingError(f"it cannot be reached ({type(error).__name__})") from error
            if response.status_code >= 500:
                raise PassingError(f"its server failed (status {response.status_code})")
            payload = None
            if CHART in address and response.status_code != 429:
                daily = kwargs.get("params", {}).get("interval") == "1d"
                payload = self._tidied(response.status_code, body, daily=daily)
            return Answer(response.status_code, str(response.url), body, payload)

        return ask

    def _tidied(self, status: int, body: bytes, *, daily: bool) -> Any:
        payload = _parsed(body, status)
        chart = _result(payload, status)
        zone = _require_meta(chart["meta"], self.ticker)
        tidy = _Tidying(self.ticker, chart, zone, daily=daily)
        self.remarks = [*tidy.rows(), *tidy.events("dividends", "amount"), *tidy.events("splits", "numerator")]
        self.dividend_currencies = tidy.dividend_currencies()
        return payload


def _read_whole(response: Any) -> bytes:
    """Return a body, unpacked; raise :class:`PassingError` for one that is too long or too slow."""
    ends = time.monotonic() + LONGEST
    body = bytearray()
    of_requests = isinstance(response, requests.Response)
    try:
        for chunk in response.iter_content(CHUNK) if of_requests else response.iter_content():
            body += chunk
            if len(body) > LARGEST:
                raise UnusableError(f"{CANNOT_BE_USED}it is longer than {LARGEST / 2**20:.0f} MB")
            if time.monotonic() > ends:
                raise PassingError(f"its answer was not there after {LONGEST:.0f} s")
    except PassingError:
        raise
    except OSError as error:
        raise PassingError(f"its answer broke off ({type(error).__name__})") from error
    finally:
        response.close()
    return bytes(body)


def _parsed(body: bytes, status: int) -> Any:
    if body.lstrip()[:1] == b"<" or not body.strip():
        if status in (401, 403):
            raise RefusedError(f"it refuses this client (status {status})")
        raise UnusableError("Yahoo answered with a page instead of prices: it asks for consent, or blocks this address")
    try:
        return json.loads(body)
    except (ValueError, RecursionError):
        raise PassingError("its answer is no whole JSON") from None


def _result(payload: Any, status: int) -> dict[str, Any]:
    """Return the one result of an answer about prices; raise what it says instead."""
    part = next((payload[key] for key in ("chart", "finance") if key in payload), None) if _is_dict(payload) else None
    if not isinstance(part, dict):
        raise UnusableError(f"{CANNOT_BE_USED}expected a chart in it (status {status})")
    if part.get("error"):
        raise _stated(part["error"], status)
    match part.get("result"):
        case [{"meta": dict()} as result, *_]:
            found: dict[str, Any] = result
            return found
    raise UnusableError(f"{CANNOT_BE_USED}expected a result with meta in it")


def _stated(error: Any, status: int) -> Exception:
    """Return the error of an answer that states one."""
    described = error if _is_dict(error) else {"description": error}
    code, words = (printable(str(described.get(key, ""))) for key in ("code", "description"))
    said = words or code
    if status in (401, 403) or code == "Unauthorized":
        return RefusedError(f"it refuses this client (status {status}: {said})")
    if status == 404 or code == "Not Found":
        return UnusableError(UNKNOWN_TICKER)
    return UnusableError(f"Yahoo has no prices in that time: {said}")


def _require_meta(meta: dict[str, Any], ticker: str) -> ZoneInfo:
    """Return the exchange's time zone; refuse what is about another ticker, or states no zone or no usable currency."""
    symbol, currency = meta.get("symbol"), meta.setdefault("currency", None)
    meta.setdefault("instrumentType", None)
    if not isinstance(symbol, str):
        raise UnusableError(f"{CANNOT_BE_USED}expected its meta to name a symbol")
    if symbol.upper() != ticker.upper():
        raise UnusableError(
            f"Yahoo's answer is about {printable(symbol)}: expected {ticker}; if it was renamed, write the new symbol"
        )
    if currency is not None and not (isinstance(currency, str) and currency.isascii() and currency.isalpha()):
        raise UnusableError(f"{CANNOT_BE_USED}its currency is {printable(str(currency))}: expected a code such as USD")
    try:
        return ZoneInfo(meta["exchangeTimezoneName"])
    except (KeyError, TypeError, ValueError, ZoneInfoNotFoundError):
        stated = printable(str(meta.get("exchangeTimezoneName")))
        raise UnusableError(
            f"{CANNOT_BE_USED}its time zone is {stated}: expected one such as America/New_York"
        ) from None


class _Tidying:
    """One result of an answer, tidied in place."""

    def __init__(self, ticker: str, chart: dict[str, Any], zone: ZoneInfo, *, daily: bool) -> None:
        self.ticker, self.chart, self.zone, self.daily = ticker, chart, zone, daily

    def rows(self) -> Iterator[Remark]:
        """Tidy the rows of bars: stamps that are none, of midnight UTC, and rows of one date."""
        columns = self._columns()
        if not columns:
            return
        stamps = columns["timestamp"]
        undated = [place for place, stamp in enumerate(stamps) if not _is_stamp(stamp)]
        _remove(columns, undated)
        if undated and not stamps:
            raise UnusableError(f"{CANNOT_BE_USED}none of its rows has a date")
        if undated:
            whose = f"Yahoo's answer about {self.ticker} has {counted(len(undated), 'row')} without a date: left out."
            yield Remark("left_out", self._date(min(stamps)), self._date(max(stamps)), len(undated), whose)
        if self.daily:
            yield from self._shift_midnights(stamps)
            yield from self._remove_twice(columns)

    def _columns(self) -> dict[str, list[Any]]:
        """Return the lists that have an entry per row; none where the answer has no rows."""
        match self.chart.get("indicators"):
            case {"quote": [dict() as quote, *_]} if quote:
                pass
            case _:
                return {}
        adjusted = self.chart["indicators"].get("adjclose") or [{}]
        found = {"timestamp": self.chart.get("timestamp"), **quote}
        if "adjclose" in adjusted[0]:
            found["adjclose"] = adjusted[0]["adjclose"]
        lengths = {name: len(values) if isinstance(values, list) else 0 for name, values in found.items()}
        if len(set(lengths.values())) > 1 or not {"volume", *PRICES} <= set(found):
            said = ", ".join(f"{printable(name)} {length}" for name, length in lengths.items())
            raise UnusableError(f"{CANNOT_BE_USED}its lists differ in length or are missing: {said}")
        for name, values in found.items():
            if name != "timestamp":
                # What is no number cannot be a price, and is judged as a row without one.
                values[:] = [value if _is_number(value) else None for value in values]
        return found

    def _shift_midnights(self, stamps: list[int]) -> Iterator[Remark]:
        """Move stamps of midnight UTC, an evening in the west, to noon of the date that they mean."""
        moved = [place for place, stamp in enumerate(stamps) if self._is_evening_before(stamp)]
        for place in moved:
            stamps[place] += DAY // 2
        if moved:
            dates = [self._date(stamps[place]) for place in moved]
            detail = (
                f"Yahoo stamps {counted(len(moved), 'row')} of {self.ticker} from {min(dates)} to {max(dates)} at "
                f"midnight UTC, which is the evening before in {self.zone.key}: they count on their date in UTC."
            )
            yield Remark("midnight_stamp", min(dates), max(dates), len(moved), detail)

    def _is_evening_before(self, stamp: int) -> bool:
        if stamp % DAY:
            return False
        offset = dt.datetime.fromtimestamp(stamp, self.zone).utcoffset()
        return offset is not None and offset < dt.timedelta(0)

    def _remove_twice(self, columns: dict[str, list[Any]]) -> Iterator[Remark]:
        """Remove rows of a date that has one already; the newest date's last row is its live one, and counts."""
        stamps = columns["timestamp"]
        by_date: dict[dt.date, list[int]] = {}
        for place, stamp in enumerate(stamps):
            by_date.setdefault(self._date(stamp), []).append(place)
        newest = max(by_date, default=None)
        removed: list[int] = []
        for date, places in by_date.items():
            counts = places[-1] if date == newest else places[0]
            others = [place for place in places if place != counts]
            removed += others
            differ = any(columns[name][place] != columns[name][counts] for place in others for name in PRICES)
            if differ and date != newest:
                detail = (
                    f"Yahoo has {len(places)} rows of {self.ticker} on {date} that differ: the first counts, which "
                    f"closes at {columns['close'][counts]}."
                )
                yield Remark("row_twice", date, date, len(places), detail)
        _remove(columns, sorted(removed))

    def events(self, kind: str, amount: str) -> Iterator[Remark]:
        """Tidy dividends or splits: those without a date or an amount, and those that are stated twice."""
        events = self.chart.get("events") or {}
        listed = events.get(kind) if isinstance(events, dict) else None
        kept: dict[str, Any] = {}
        seen: set[tuple[dt.date, float, Any]] = set()
        word = kind.removesuffix("s")
        for key, event in listed.items() if isinstance(listed, dict) else ():
            if not _is_whole(event, amount):
                yield from self._unreadable(word)
                continue
            if self.daily and self._is_evening_before(event["date"]):
                event["date"] += DAY // 2
            date = self._date(event["date"])
            same = (date, event[amount], event.get("denominator"))
            if same in seen:
                detail = f"Yahoo states the {word} of {self.ticker} on {date} twice: it counts once."
                yield Remark("event_twice", date, date, 1, detail)
                continue
            seen.add(same)
            kept[key] = event
        if _is_dict(events):
            self.chart["events"] = {**events, kind: kept}
        else:
            self.chart.pop("events")

    def _unreadable(self, word: str) -> Iterator[Remark]:
        """Yield the remark of an event that cannot be read, over the dates of the answer, which it may lie on."""
        stamps = self.chart.get("timestamp") or []
        if stamps:
            detail = f"Yahoo states a {word} of {self.ticker} without a date or an amount: it is left out."
            yield Remark("left_out", self._date(min(stamps)), self._date(max(stamps)), 1, detail)

    def dividend_currencies(self) -> dict[pd.Timestamp, str]:
        """Return the currency of every dividend that states one, by the exchange's calendar date."""
        dividends = self.chart.get("events", {}).get("dividends", {})
        return {
            pd.Timestamp(self._date(event["date"])): printable(str(event["currency"]))
            for event in dividends.values()
            if event.get("currency")
        }

    def _date(self, stamp: int) -> dt.date:
        return dt.datetime.fromtimestamp(stamp, self.zone).date()


def _is_dict(value: Any) -> bool:
    return isinstance(value, dict)


def _is_number(value: Any) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_stamp(value: Any) -> bool:
    return _is_number(value) and math.isfinite(value) and int(value) in STAMPS


def _is_whole(event: Any, amount: str) -> bool:
    """Return whether a dividend or a split has a date and what it comes to."""
    if not _is_dict(event) or not _is_stamp(event.get("date")) or not _is_number(event.get(amount)):
        return False
    return amount != "numerator" or (_is_number(event.get("denominator")) and event["denominator"] != 0)


def _remove(columns: Mapping[str, list[Any]], places: Sequence[int]) -> None:
    for values in columns.values():
        for place in reversed(places):
            del values[place]
