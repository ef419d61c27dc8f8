"""What Yahoo, or a proxy before it, may send instead of the prices that were asked for."""

import copy
import datetime as dt
import gzip
import json
import warnings
from collections.abc import Callable
from typing import Any
from zoneinfo import ZoneInfo

import pytest
import yfinance.cache
from market.sources.conftest import NEXT_WEEK, Open
from support.fake_yahoo import UNKNOWN, UTC, Failure, FakeYahoo, chart

from sd_core.errors import FetchError
from sd_core.market.sources import yahoo_answers
from sd_core.market.sources.yahoo import YahooSource

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning:yfinance")

DAYS = [dt.date(2024, 5, day) for day in (28, 29, 30, 31)]
BARS = {day: (10.0 + place, 12.0 + place, 9.0 + place, 11.0 + place) for place, day in enumerate(DAYS)}
FOREVER = 100
PAGE = "<html><body>Before you continue to Yahoo</body></html>"
INVALID_CRUMB = json.dumps(
    {"finance": {"result": None, "error": {"code": "Unauthorized", "description": "Invalid Crumb"}}}
)

Asked = Callable[[], Any]


@pytest.fixture(params=["requests", "libcurl"])
def ask(request: pytest.FixtureRequest, yahoo: FakeYahoo, waits: list[float]) -> Asked:
    """Ask for ACME through each kind of session, from a server that has it."""
    yahoo.charts["ACME"] = chart("ACME", BARS)
    session = yahoo.session() if request.param == "requests" else yahoo.curl_session()
    source = YahooSource(session, sleep=waits.append, clock=lambda: NEXT_WEEK)
    return lambda: source.prices("ACME", DAYS[0], DAYS[-1])


def sent(change: Callable[[dict], None], **kwargs: Any) -> dict:
    """Return the answer about ACME with a change to its one result."""
    answer = copy.deepcopy(chart("ACME", BARS, **kwargs))
    change(answer["result"][0])
    return answer


def dates(history: Any) -> list[dt.date]:
    return [stamp.date() for stamp in history.bars.index]


# What is sent, and how


def test_both_kinds_of_session_deliver_the_prices(ask: Asked) -> None:
    assert dates(ask()) == DAYS


WHOLE = json.dumps({"chart": chart("ACME", BARS)})
ZIPPED = gzip.compress(WHOLE.encode())
BROKEN = {
    "cut off": (Failure(200, WHOLE[:300]), r"its answer is no whole JSON"),
    "shorter than announced": (Failure(200, WHOLE, length=len(WHOLE) + 50), r"its answer broke off"),
    "gzip that is none": (Failure(200, WHOLE, encoding="gzip"), r"(its answer broke off|it cannot be reached)"),
    "gzip cut off": (Failure(200, ZIPPED[: len(ZIPPED) // 2], encoding="gzip"), r"(broke off|no whole JSON)"),
    "not text": (Failure(200, b"\xff\xfe\x00{"), r"its answer is no whole JSON"),
    "nested ten thousand deep": (Failure(200, "[" * 100_000), r"its answer is no whole JSON"),
    "gateway": (Failure(502, PAGE), r"its server failed \(status 502\)"),
    "limit": (Failure(429, "Too Many Requests"), r"it limits the rate"),
    "lasting 401": (Failure(401, INVALID_CRUMB), r"it refuses this client \(status 401: Invalid Crumb\)"),
    "lasting 403": (Failure(403, PAGE), r"it refuses this client \(status 403\)"),
}


@pytest.mark.parametrize("kind", BROKEN)
def test_broken_answer_is_tried_again_then_named(ask: Asked, yahoo: FakeYahoo, waits: list[float], kind: str) -> None:
    failure, said = BROKEN[kind]
    yahoo.failures = [failure] * FOREVER
    with pytest.raises(FetchError, match=f"^ACME: Yahoo did not deliver in 5 attempts: .*{said}"):
        ask()
    assert waits == [2.0, 4.0, 8.0, 16.0]
    yahoo.failures = []
    assert dates(ask()) == DAYS


UNUSABLE = {
    "page": (Failure(200, PAGE), "Yahoo answered with a page instead of prices"),
    "empty": (Failure(200, ""), "Yahoo answered with a page instead of prices"),
    "a list": (Failure(200, "[1, 2]"), r"expected a chart in it \(status 200\)"),
    "null": (Failure(200, '{"chart": null}'), "expected a chart in it"),
    "no result": (Failure(200, '{"chart": {"result": [], "error": null}}'), "expected a result with meta in it"),
    "unknown": (Failure(404, json.dumps({"chart": UNKNOWN})), "Yahoo does not know this ticker"),
    "no data then": (
        Failure(400, '{"chart": {"error": {"code": "Bad Request", "description": "no data for startDate = 1"}}}'),
        "Yahoo has no prices in that time: no data for startDate = 1",
    ),
}


@pytest.mark.parametrize("kind", UNUSABLE)
def test_answer_without_prices_is_named_at_once(ask: Asked, yahoo: FakeYahoo, waits: list[float], kind: str) -> None:
    failure, said = UNUSABLE[kind]
    yahoo.failures = [failure] * FOREVER
    with pytest.raises(FetchError, match=f"^ACME: .*{said}"):
        ask()
    assert waits == []


def test_answer_without_an_end_is_given_up(ask: Asked, yahoo: FakeYahoo, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(yahoo_answers, "LARGEST", 2**18)
    yahoo.failures = [Failure(200, b" " * 2**16, repeated=1_000)]
    with pytest.raises(FetchError, match="ACME: Yahoo's answer cannot be used: it is longer than 0 MB"):
        ask()


def test_small_answer_that_unpacks_to_a_huge_one_is_given_up(
    ask: Asked, yahoo: FakeYahoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yahoo_answers, "LARGEST", 2**20)
    yahoo.failures = [Failure(200, gzip.compress(b" " * 2**26), encoding="gzip")]
    with pytest.raises(FetchError, match="it is longer than 1 MB"):
        ask()


def test_server_that_says_nothing_is_not_waited_for(
    ask: Asked, yahoo: FakeYahoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yahoo_answers, "SILENCE", 0.3)
    yahoo.failures = [Failure(200, WHOLE, pause=2.0)]
    assert dates(ask()) == DAYS


def test_answer_that_trickles_is_not_waited_for(
    ask: Asked, yahoo: FakeYahoo, waits: list[float], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(yahoo_answers, "LONGEST", 0.2)
    yahoo.failures = [Failure(200, b" " * 2**16, repeated=50, pause=0.05)]
    assert dates(ask()) == DAYS
    assert waits == [2.0]


def test_stale_cookie_is_forgotten_where_yahoo_refuses(
    ask: Asked, yahoo: FakeYahoo, monkeypatch: pytest.MonkeyPatch
) -> None:
    forgotten = []
    cache = yfinance.cache.get_cookie_cache()
    monkeypatch.setattr(cache, "store", lambda kind, cookie: forgotten.append(kind) if cookie is None else None)
    yahoo.failures = [Failure(401, INVALID_CRUMB)]
    ask()
    assert forgotten == ["curlCffi"]
    assert sum(call.path == "/v1/test/getcrumb" for call in yahoo.calls) == 2


@pytest.mark.parametrize(
    "crumb", [Failure(429, "Too Many Requests"), Failure(401, INVALID_CRUMB), Failure(500), Failure(0)]
)
def test_prices_come_without_a_crumb_too(ask: Asked, yahoo: FakeYahoo, crumb: Failure) -> None:
    yahoo.crumb = crumb
    assert dates(ask()) == DAYS


def test_what_yahoo_says_steers_no_terminal(ask: Asked, yahoo: FakeYahoo) -> None:
    hostile = "\x1b]0;owned\x07\x1b[2J gone\r\nACME: done " + "x" * 10_000
    error = {"chart": {"result": None, "error": {"code": "Bad Request", "description": hostile}}}
    yahoo.failures = [Failure(400, json.dumps(error))]
    with pytest.raises(FetchError) as refused:
        ask()
    assert str(refused.value).isprintable()
    assert len(str(refused.value)) < 400


def test_nothing_but_the_answer_reaches_the_terminal(ask: Asked, capfd: pytest.CaptureFixture[str]) -> None:
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        ask()
    assert [str(one.message) for one in caught] == []
    assert capfd.readouterr() == ("", "")


# What the answer says


@pytest.mark.parametrize("symbol", ["OTHER", "ACME.L", "\x1b[31mACME"])
def test_answer_about_another_ticker_is_refused(yahoo: FakeYahoo, open_yahoo: Open, symbol: str) -> None:
    yahoo.charts["ACME"] = sent(lambda result: result["meta"].update(symbol=symbol))
    with pytest.raises(
        FetchError, match=r"^ACME: Yahoo's answer is about .*: expected ACME; if it was renamed"
    ) as error:
        open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert str(error.value).isprintable()


def test_ticker_in_small_letters_is_the_same(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", BARS)
    assert dates(open_yahoo().prices("acme", DAYS[0], DAYS[-1])) == DAYS


@pytest.mark.parametrize("change", [lambda meta: meta.update(currency=None), lambda meta: meta.pop("currency")])
def test_answer_without_a_currency_is_taken_with_a_remark(
    yahoo: FakeYahoo, open_yahoo: Open, change: Callable[[dict], Any]
) -> None:
    yahoo.charts["ACME"] = sent(lambda result: change(result["meta"]))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert history.currency is None
    [remark] = history.remarks
    assert (remark.rule, remark.first, remark.last, remark.rows) == ("no_currency", DAYS[0], DAYS[-1], 4)


META = {
    "currency that is a number": ({"currency": 5}, "its currency is 5: expected a code such as USD"),
    "currency with an escape": ({"currency": "\x1b[1m"}, r"its currency is \?\[1m: expected"),
    "no zone": ({"exchangeTimezoneName": None}, "its time zone is None: expected one such as"),
    "unknown zone": ({"exchangeTimezoneName": "Mars/Base"}, "its time zone is Mars/Base"),
    "zone as a path": ({"exchangeTimezoneName": "../../etc/passwd"}, "its time zone is"),
}


@pytest.mark.parametrize("kind", META)
def test_meta_that_cannot_be_is_refused(yahoo: FakeYahoo, open_yahoo: Open, kind: str) -> None:
    meta, said = META[kind]
    yahoo.charts["ACME"] = sent(lambda result: result["meta"].update(meta))
    with pytest.raises(FetchError, match=said):
        open_yahoo().prices("ACME", DAYS[0], DAYS[-1])


@pytest.mark.parametrize("stamp", [None, "soon", 1e18, float("nan"), True])
def test_row_without_a_date_is_left_out_with_a_remark(yahoo: FakeYahoo, open_yahoo: Open, stamp: Any) -> None:
    def change(result: dict) -> None:
        result["timestamp"][1] = stamp

    yahoo.charts["ACME"] = sent(change)
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert dates(history) == [DAYS[0], *DAYS[2:]]
    assert [(one.rule, one.rows, one.detail) for one in history.remarks] == [
        ("left_out", 1, "Yahoo's answer about ACME has 1 row without a date: left out.")
    ]


def _shorten(result: dict) -> None:
    result["indicators"]["quote"][0]["open"].pop()


def _undate(result: dict) -> None:
    result["timestamp"] = [None] * len(BARS)


SHAPES = {
    "a shorter list": (_shorten, "its lists differ in length or are missing: timestamp 4, open 3"),
    "no timestamps": (lambda result: result.pop("timestamp"), "differ in length or are missing: timestamp 0, open 4"),
    "null timestamps": (_undate, "none of its rows has a date"),
    "no volume": (lambda result: result["indicators"]["quote"][0].pop("volume"), "are missing"),
}


@pytest.mark.parametrize("kind", SHAPES)
def test_lists_that_do_not_fit_together_are_refused(yahoo: FakeYahoo, open_yahoo: Open, kind: str) -> None:
    change, said = SHAPES[kind]
    yahoo.charts["ACME"] = sent(change)
    with pytest.raises(FetchError, match=f"^ACME: Yahoo's answer cannot be used: .*{said}"):
        open_yahoo().prices("ACME", DAYS[0], DAYS[-1])


def test_price_that_is_no_number_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    def change(result: dict) -> None:
        result["indicators"]["quote"][0]["close"][2] = "eleven"

    yahoo.charts["ACME"] = sent(change)
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert dates(history) == [*DAYS[:2], DAYS[3]]
    assert [(one.rule, one.first) for one in history.remarks] == [("left_out", DAYS[2])]


def test_bars_stamped_at_midnight_utc_keep_their_date(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    # Midnight UTC is 20:00 of the day before in New York, where yfinance would put them.
    def change(result: dict) -> None:
        result["timestamp"] = [int(dt.datetime.combine(day, dt.time(), UTC).timestamp()) for day in DAYS]
        result["events"]["dividends"] = {"a": {"amount": 0.5, "date": result["timestamp"][1]}}

    yahoo.charts["ACME"] = sent(change)
    history = open_yahoo().prices("ACME", DAYS[0] - dt.timedelta(days=1), DAYS[-1])
    assert dates(history) == DAYS
    assert [stamp.date() for stamp in history.dividends.index] == [DAYS[1]]
    [remark] = history.remarks
    assert (remark.rule, remark.first, remark.last, remark.rows) == ("midnight_stamp", DAYS[0], DAYS[-1], 4)


def test_midnight_utc_is_a_morning_in_tokyo(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    # Tokyo opens at 09:00, which is midnight UTC of the same date.
    yahoo.charts["7203.T"] = chart("7203.T", BARS, zone=ZoneInfo("Asia/Tokyo"), opens=dt.time(9), currency="JPY")
    history = open_yahoo().prices("7203.T", DAYS[0], DAYS[-1])
    assert (dates(history), history.remarks) == (DAYS, ())


def _twice(place: int, close: float | None) -> Callable[[dict], None]:
    """Return a change that adds a second row of a day, an hour later, with another close where one is given."""

    def change(result: dict) -> None:
        stamps, quote = result["timestamp"], result["indicators"]["quote"][0]
        stamps.insert(place + 1, stamps[place] + 3600)
        for values in quote.values():
            values.insert(place + 1, values[place])
        if close is not None:
            quote["close"][place + 1] = close
        result["indicators"]["adjclose"] = [{"adjclose": list(quote["close"])}]

    return change


def test_row_that_comes_twice_counts_once(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = sent(_twice(1, None))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (dates(history), history.remarks) == (DAYS, ())


def test_two_rows_of_a_date_that_differ_are_remarked(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = sent(_twice(1, 12.75))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert history.bars["close"].tolist() == [11.0, 12.0, 13.0, 14.0]
    assert [(one.rule, one.first, one.detail) for one in history.remarks] == [
        (
            "row_twice",
            DAYS[1],
            "Yahoo has 2 rows of ACME on 2024-05-29 that differ: the first counts, which closes at 12.0.",
        )
    ]


def test_live_row_replaces_the_newest_one(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = sent(_twice(3, 14.25))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (history.bars["close"].iloc[-1], history.remarks) == (14.25, ())


def test_dividend_and_split_that_are_stated_twice_count_once(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    def change(result: dict) -> None:
        for events in result["events"].values():
            (event,) = events.values()
            events["again"] = {**event, "date": event["date"] + 60}

    yahoo.charts["ACME"] = sent(change, dividends={DAYS[1]: 0.5}, splits={DAYS[2]: (2, 1)})
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (history.dividends.tolist(), history.splits.tolist()) == ([0.5], [2.0])
    assert [(one.rule, one.first) for one in history.remarks] == [("event_twice", DAYS[1]), ("event_twice", DAYS[2])]


def test_two_dividends_of_a_day_add_up(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    def change(result: dict) -> None:
        (event,) = result["events"]["dividends"].values()
        result["events"]["dividends"]["special"] = {"amount": 2.0, "date": event["date"] + 60}

    yahoo.charts["ACME"] = sent(change, dividends={DAYS[1]: 0.5})
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (history.dividends.tolist(), history.remarks) == ([2.5], ())


@pytest.mark.parametrize("event", [None, {"amount": 0.5}, {"date": 1717000000}, {"date": 1717000000, "amount": "0.5"}])
def test_dividend_without_a_date_or_an_amount_is_left_out(yahoo: FakeYahoo, open_yahoo: Open, event: Any) -> None:
    yahoo.charts["ACME"] = sent(lambda result: result["events"].update(dividends={"x": event}))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (dates(history), history.dividends.tolist()) == (DAYS, [])
    assert [one.rule for one in history.remarks] == ["left_out"]


@pytest.mark.parametrize("events", [None, [], {}, {"dividends": []}, "none"])
def test_events_of_another_shape_are_none(yahoo: FakeYahoo, open_yahoo: Open, events: Any) -> None:
    yahoo.charts["ACME"] = sent(lambda result: result.update(events=events))
    history = open_yahoo().prices("ACME", DAYS[0], DAYS[-1])
    assert (dates(history), history.dividends.tolist(), history.splits.tolist()) == (DAYS, [], [])
