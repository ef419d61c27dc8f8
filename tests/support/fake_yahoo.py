"""Yahoo Finance on this machine: the calls that yfinance makes for a price history, answered from a script.

A thread serves chart, cookie and crumb requests on 127.0.0.1; a session of ``requests`` or of libcurl sends every
request there, whatever host it names. What the answers must lead to belongs in the tests.
"""

import datetime as dt
import json
import threading
import time
from collections.abc import Mapping
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import NamedTuple
from urllib.parse import parse_qs, unquote, urlsplit, urlunsplit
from zoneinfo import ZoneInfo

import requests
from curl_cffi import requests as curl
from requests.adapters import HTTPAdapter

NEW_YORK = ZoneInfo("America/New_York")
UTC = ZoneInfo("UTC")

Bar = tuple[float | None, float | None, float | None, float | None]
REGULAR = {"start": dt.time(9, 30), "end": dt.time(16)}
NO_PRICES: Bar = (None, None, None, None)

UNKNOWN = {"result": None, "error": {"code": "Not Found", "description": "No data found, symbol may be delisted"}}


class Call(NamedTuple):
    """One request that arrived: the host it was meant for, its path, and its query."""

    host: str
    path: str
    query: dict[str, list[str]]


class Failure(NamedTuple):
    """What a chart request gets instead of its answer; status 0 hangs up without one.

    Attributes:
        status: the HTTP status.
        body: what is sent.
        length: the length that is announced; None for that of the body.
        encoding: the encoding that is announced, such as gzip.
        repeated: how often the body is sent; what is announced is the whole.
        pause: seconds before each time.
    """

    status: int
    body: str | bytes = ""
    length: int | None = None
    encoding: str | None = None
    repeated: int = 1
    pause: float = 0.0


def chart(
    symbol: str,
    bars: Mapping[dt.date, Bar],
    *,
    dividends: Mapping[dt.date, float] = {},
    splits: Mapping[dt.date, tuple[int, int]] = {},
    zone: ZoneInfo = NEW_YORK,
    opens: dt.time = dt.time(9, 30),
    kind: str = "EQUITY",
    period: tuple[dt.datetime, dt.datetime] | None = None,
    currency: str = "USD",
    dividend_currency: str | None = None,
) -> dict:
    """Return the ``chart`` member of Yahoo's answer.

    ``period`` is the current regular session, None leaves it out; ``dividend_currency`` is what each dividend states.
    """
    stated = {} if dividend_currency is None else {"currency": dividend_currency}

    def stamp(day: dt.date) -> int:
        return int(dt.datetime.combine(day, opens, zone).timestamp())

    meta = {
        "symbol": symbol,
        "currency": currency,
        "instrumentType": kind,
        "exchangeTimezoneName": zone.key,
        "validRanges": ["1d", "max"],
    }
    if period is not None:
        start, end = (int(moment.timestamp()) for moment in period)
        hours = {"start": start, "end": end, "timezone": "local", "gmtoffset": 0}
        meta["currentTradingPeriod"] = {
            "pre": dict(hours),
            "regular": dict(hours),
            "post": dict(hours),
        }
    quote = {name: [bar[i] for bar in bars.values()] for i, name in enumerate(["open", "high", "low", "close"])}
    quote["volume"] = [1000 if any(bar) else bar[0] for bar in bars.values()]
    result = {
        "meta": meta,
        "timestamp": [stamp(day) for day in bars],
        "events": {
            "dividends": {
                str(stamp(d)): {"amount": amount, "date": stamp(d), **stated} for d, amount in dividends.items()
            },
            "splits": {
                str(stamp(d)): {"date": stamp(d), "numerator": new, "denominator": old}
                for d, (new, old) in splits.items()
            },
        },
        "indicators": {"quote": [quote], "adjclose": [{"adjclose": quote["close"]}]},
    }
    return {"result": [result], "error": None}


def hourly_chart(
    symbol: str, closes: Mapping[dt.datetime, float | None], *, zone: ZoneInfo = NEW_YORK, kind: str = "EQUITY"
) -> dict:
    """Return the ``chart`` member of Yahoo's answer about hours, by their beginning; of bars that moved by 1."""
    answer = chart(symbol, {}, zone=zone, kind=kind)
    quote = {name: [close and close - part for close in closes.values()] for name, part in
             (("open", 0.5), ("high", 0.0), ("low", 1.0), ("close", 0.5))}  # fmt: skip
    quote["close"] = list(closes.values())
    quote["volume"] = [1000 if close else None for close in closes.values()]
    answer["result"][0]["timestamp"] = [int(begins.timestamp()) for begins in closes]
    answer["result"][0]["indicators"] = {"quote": [quote]}
    days = sorted({begins.astimezone(zone).date() for begins in closes})
    hours = [
        {
            **{name: int(dt.datetime.combine(day, time, zone).timestamp()) for name, time in REGULAR.items()},
            "timezone": "local",
            "gmtoffset": 0,
        }
        for day in days
    ]
    answer["result"][0]["meta"] |= {"dataGranularity": "1h", "priceHint": 2, "tradingPeriods": [[one] for one in hours]}
    return answer


def no_bars(symbol: str) -> dict:
    """Return what Yahoo says of a ticker that it knows, in a time without bars."""
    answer = chart(symbol, {})
    answer["result"][0]["indicators"] = {"quote": [{}], "adjclose": [{}]}
    del answer["result"][0]["timestamp"]
    return answer


def _within(answer: dict, first: int, last: int) -> dict:
    """Return an answer without the rows and events outside of a period; rows without a stamp stay."""
    result = answer["result"][0]
    stamps = result.get("timestamp")
    if not stamps:
        return answer
    kept = [place for place, stamp in enumerate(stamps) if type(stamp) is not int or first <= stamp < last]
    events = result.get("events")
    if isinstance(events, dict):
        events = {
            kind: {key: one for key, one in listed.items() if not one or first <= one.get("date", first) < last}
            for kind, listed in events.items()
            if isinstance(listed, dict)
        }
    indicators = {
        kind: [{name: _picked(values, kept) for name, values in lists[0].items()}]
        for kind, lists in result["indicators"].items()
    }
    picked = {**result, "timestamp": _picked(stamps, kept), "indicators": indicators, "events": events}
    return {**answer, "result": [picked]}


def _picked(values: list, places: list[int]) -> list:
    return [values[place] for place in places if place < len(values)]


class FakeYahoo:
    """A running server.

    Attributes:
        charts: what a symbol's chart requests are answered with, as far as it lies in the period asked for; Yahoo's 404
            for any other.
        failures: what the next chart requests get instead, in this order.
        now: what happens later is not known yet; None where all is.
        spared: how many chart requests are answered before that.
        crumb: what a request for a crumb gets.
        calls: every request that arrived.
        rows: how many rows each answer about a period had.
    """

    def __init__(self) -> None:
        self.charts: dict[str, dict] = {}
        self.failures: list[Failure] = []
        self.now: dt.datetime | None = None
        self.spared = 0
        self.crumb = Failure(200, "a-crumb")
        self.calls: list[Call] = []
        self.rows: list[int] = []
        handler = type("Handler", (_Handler,), {"yahoo": self})
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._thread = threading.Thread(target=self._server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
        self._thread.start()

    def session(self) -> requests.Session:
        """Return a session whose every request comes here."""
        session = requests.Session()
        session.trust_env = False
        for scheme in ("http://", "https://"):
            session.mount(scheme, _Redirecting(self._server.server_port))
        return session

    def curl_session(self) -> curl.Session:
        """Return a session of libcurl, as the source has it by itself, whose every request comes here."""
        return _RedirectingCurl(self._server.server_port)

    def chart_calls(self) -> list[Call]:
        """Return the chart requests that arrived."""
        return [call for call in self.calls if "/finance/chart/" in call.path]

    def stop(self) -> None:
        """End the server and its thread."""
        self._server.shutdown()
        self._server.server_close()
        self._thread.join()


class _Redirecting(HTTPAdapter):
    def __init__(self, port: int) -> None:
        self.port = port
        super().__init__()

    def send(self, request, *args, **kwargs):  # type: ignore[no-untyped-def]
        meant_for = urlsplit(request.url)
        local = request.copy()
        local.url = urlunsplit(("http", f"127.0.0.1:{self.port}", meant_for.path or "/", meant_for.query, ""))
        local.headers["X-Meant-For"] = meant_for.hostname
        response = super().send(local, *args, **kwargs)
        response.url = request.url
        return response


# Before a test may have replaced it.
_curl_request = curl.Session.request


class _RedirectingCurl(curl.Session):
    def __init__(self, port: int) -> None:
        super().__init__(impersonate="chrome", trust_env=False)
        self._port = port

    def request(self, method, url, *args, **kwargs):  # type: ignore[no-untyped-def]
        meant_for = urlsplit(url)
        local = urlunsplit(("http", f"127.0.0.1:{self._port}", meant_for.path or "/", meant_for.query, ""))
        response = _curl_request(
            self, method, local, *args, **{**kwargs, "headers": {"X-Meant-For": str(meant_for.hostname)}}
        )
        response.url = url
        return response


class _Handler(BaseHTTPRequestHandler):
    yahoo: FakeYahoo

    def do_GET(self) -> None:
        address = urlsplit(self.path)
        host = self.headers["X-Meant-For"]
        self.yahoo.calls.append(Call(host, address.path, parse_qs(address.query)))
        if address.path.startswith("/v8/finance/chart/"):
            self._chart(unquote(address.path.rpartition("/")[2]))
        elif address.path == "/v1/test/getcrumb":
            self._fail(self.yahoo.crumb)
        elif host == "fc.yahoo.com":
            self._answer(404, "", cookie="A3=a-cookie; Domain=.yahoo.com; Path=/; Max-Age=31536000")
        elif "/quoteSummary/" in address.path:
            self._answer(404, json.dumps({"quoteSummary": UNKNOWN}))
        else:
            self._answer(200, "<html>Yahoo</html>")

    def _chart(self, symbol: str) -> None:
        self.yahoo.spared -= 1
        if self.yahoo.failures and self.yahoo.spared < 0:
            self._fail(self.yahoo.failures.pop(0))
        elif symbol in self.yahoo.charts:
            asked = self.yahoo.calls[-1].query
            answer = self.yahoo.charts[symbol]
            if "period1" in asked:
                first, last = (int(asked[name][0]) for name in ("period1", "period2"))
                if self.yahoo.now is not None:
                    last = min(last, int(self.yahoo.now.timestamp()))
                answer = _within(answer, first, last)
                self.yahoo.rows.append(len(answer["result"][0].get("timestamp") or ()))
            self._answer(200, json.dumps({"chart": answer}))
        else:
            self._answer(404, json.dumps({"chart": UNKNOWN}))

    def _fail(self, failure: Failure) -> None:
        if failure.status == 0:
            self.close_connection = True
            return
        content = failure.body.encode() if isinstance(failure.body, str) else failure.body
        length = len(content) * failure.repeated if failure.length is None else failure.length
        self.send_response(failure.status)
        self.send_header("Content-Length", str(length))
        if failure.encoding is not None:
            self.send_header("Content-Encoding", failure.encoding)
        self.end_headers()
        self.close_connection = True
        try:
            for _ in range(failure.repeated):
                time.sleep(failure.pause)
                self.wfile.write(content)
        except OSError:
            return  # the client has hung up

    def _answer(self, status: int, body: str, cookie: str | None = None) -> None:
        content = body.encode()
        self.send_response(status)
        self.send_header("Content-Length", str(len(content)))
        if cookie is not None:
            self.send_header("Set-Cookie", cookie)
        self.end_headers()
        self.wfile.write(content)

    def log_message(self, format: str, *args: object) -> None:
        """Say nothing: the tests read ``calls``."""
