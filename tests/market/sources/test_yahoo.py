import datetime as dt
from collections.abc import Callable
from zoneinfo import ZoneInfo

import numpy as np
import pandas as pd
import pytest
import yfinance
import yfinance.base
from curl_cffi import requests as curl
from support.fake_yahoo import NEW_YORK, NO_PRICES, UTC, Failure, FakeYahoo, chart, hourly_chart, no_bars

from sd_core.errors import FetchError
from sd_core.market.sources.yahoo import YahooSource

# yfinance 1.7 itself calls what pandas 3 deprecates.
pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning:yfinance")

TUESDAY, WEDNESDAY, THURSDAY, FRIDAY = (dt.date(2024, 5, day) for day in (28, 29, 30, 31))
BAR = (10.0, 12.0, 9.0, 11.0)
WEEK = {TUESDAY: BAR, WEDNESDAY: (11.0, 13.0, 10.0, 12.0), THURSDAY: (12.0, 14.0, 11.0, 13.0)}
NEXT_WEEK = dt.datetime(2024, 6, 5, 12, tzinfo=UTC)
RATE_LIMIT = Failure(429, "Too Many Requests")
SERVER_ERROR = Failure(500, '{"chart": {"result": null, "error": {"code": "Internal", "description": "oops"}}}')

Open = Callable[..., YahooSource]


def dates(table: pd.DataFrame | pd.Series) -> list[dt.date]:
    return [stamp.date() for stamp in table.index]


def test_history_holds_what_yahoo_published(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    expected = pd.DataFrame(
        list(WEEK.values()),
        columns=["open", "high", "low", "close"],
        index=pd.DatetimeIndex(list(WEEK), name="date").as_unit("us"),
    )
    pd.testing.assert_frame_equal(history.bars, expected, check_freq=False)
    assert history.ticker == "ACME"
    assert history.currency == "USD"
    assert history.fetched_at == NEXT_WEEK
    assert history.dividends.empty
    assert history.splits.empty


def test_end_is_included_though_yahoo_excludes_it(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    history = open_yahoo().prices("ACME", TUESDAY, WEDNESDAY)
    assert dates(history.bars) == [TUESDAY, WEDNESDAY]
    asked = yahoo.chart_calls()[-1].query
    assert int(asked["period1"][0]) == dt.datetime(2024, 5, 28, tzinfo=NEW_YORK).timestamp()
    assert int(asked["period2"][0]) == dt.datetime(2024, 5, 30, tzinfo=NEW_YORK).timestamp()


def test_requests_carry_the_crumb_and_go_to_yahoo_only(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    open_yahoo().prices("ACME", TUESDAY, None)
    assert all(call.query["crumb"] == ["a-crumb"] for call in yahoo.chart_calls())
    assert {call.host for call in yahoo.calls} == {
        "fc.yahoo.com",
        "query1.finance.yahoo.com",
        "query2.finance.yahoo.com",
    }


def test_second_fetch_meets_restated_prices(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    source = open_yahoo()
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    source.prices("ACME", TUESDAY, THURSDAY)
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, TUESDAY: (5.0, 6.0, 4.5, 5.5)})
    assert source.prices("ACME", TUESDAY, THURSDAY).bars["close"].iloc[0] == 5.5


def test_split_and_dividend_are_kept_on_their_dates(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    # NVIDIA's 10-for-1 split took effect on 2024-06-10, and it went ex a dividend of 0.01 on 2024-06-11.
    days = [dt.date(2024, 6, day) for day in (7, 10, 11, 12)]
    yahoo.charts["NVDA"] = chart("NVDA", dict.fromkeys(days, BAR), splits={days[1]: (10, 1)}, dividends={days[2]: 0.01})
    history = open_yahoo(dt.datetime(2024, 6, 20, tzinfo=UTC)).prices("NVDA", days[0], days[-1])
    assert list(history.splits.items()) == [(pd.Timestamp("2024-06-10"), 10.0)]
    assert list(history.dividends.items()) == [(pd.Timestamp("2024-06-11"), 0.01)]


def test_holiday_row_without_prices_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, WEDNESDAY: NO_PRICES})
    assert dates(open_yahoo().prices("ACME", TUESDAY, THURSDAY).bars) == [TUESDAY, THURSDAY]


def test_dividend_on_a_row_without_prices_is_kept(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, WEDNESDAY: NO_PRICES}, dividends={WEDNESDAY: 0.25})
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert dates(history.bars) == [TUESDAY, THURSDAY]
    assert list(history.dividends.items()) == [(pd.Timestamp(WEDNESDAY), 0.25)]


# Which days are over


def new_york(hour: int, minute: int = 0) -> dt.datetime:
    return dt.datetime(2024, 5, 30, hour, minute, tzinfo=NEW_YORK)


@pytest.mark.parametrize(
    ("now", "period", "newest"),
    [
        pytest.param(new_york(15, 59), (new_york(9, 30), new_york(16)), WEDNESDAY, id="before the close"),
        pytest.param(new_york(16), (new_york(9, 30), new_york(16)), THURSDAY, id="at the close"),
        pytest.param(new_york(14), (new_york(9, 30), new_york(13)), THURSDAY, id="after a half day's close"),
        pytest.param(new_york(15, 59), None, WEDNESDAY, id="before the usual close, no session given"),
        pytest.param(new_york(16), None, THURSDAY, id="at the usual close, no session given"),
        pytest.param(
            new_york(15),
            (new_york(9, 30) - dt.timedelta(days=1), new_york(16) - dt.timedelta(days=1)),
            WEDNESDAY,
            id="yesterday's session given",
        ),
    ],
)
def test_todays_bar_is_taken_only_after_the_close(
    yahoo: FakeYahoo,
    open_yahoo: Open,
    now: dt.datetime,
    period: tuple[dt.datetime, dt.datetime] | None,
    newest: dt.date,
) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK, period=period, dividends={THURSDAY: 0.5})
    history = open_yahoo(now.astimezone(UTC)).prices("ACME", TUESDAY, None)
    assert dates(history.bars)[-1] == newest
    assert dates(history.dividends) == ([THURSDAY] if newest == THURSDAY else [])


def test_day_is_the_exchanges_not_the_fetchers(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    # 21:00 UTC on Wednesday is 06:00 on Thursday in Tokyo: Wednesday is over there, Thursday has not begun to trade.
    yahoo.charts["7203.T"] = chart("7203.T", WEEK, zone=ZoneInfo("Asia/Tokyo"), opens=dt.time(9))
    now = dt.datetime(2024, 5, 29, 21, tzinfo=UTC)
    assert dates(open_yahoo(now).prices("7203.T", TUESDAY, None).bars) == [TUESDAY, WEDNESDAY]


@pytest.mark.parametrize(
    ("now", "newest"),
    [
        (dt.datetime(2024, 6, 2, 23, 59, 30, tzinfo=UTC), dt.date(2024, 6, 1)),
        (dt.datetime(2024, 6, 3, 0, 0, tzinfo=UTC), dt.date(2024, 6, 2)),
    ],
    ids=["half a minute before midnight", "at midnight"],
)
def test_crypto_trades_on_weekends_and_its_day_ends_at_midnight_utc(
    yahoo: FakeYahoo, open_yahoo: Open, now: dt.datetime, newest: dt.date
) -> None:
    saturday, sunday, monday = dt.date(2024, 6, 1), dt.date(2024, 6, 2), dt.date(2024, 6, 3)
    yahoo.charts["BTC-USD"] = chart(
        "BTC-USD",
        dict.fromkeys([FRIDAY, saturday, sunday, monday], BAR),
        zone=UTC,
        opens=dt.time(0),
        kind="CRYPTOCURRENCY",
        period=(dt.datetime(2024, 6, 2, tzinfo=UTC), dt.datetime(2024, 6, 2, 23, 59, tzinfo=UTC)),
    )
    bars = open_yahoo(now).prices("BTC-USD", FRIDAY, None).bars
    assert dates(bars) == [day for day in (FRIDAY, saturday, sunday) if day <= newest]


def test_only_an_unfinished_bar_is_no_bar(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", {THURSDAY: BAR})
    with pytest.raises(FetchError, match="ACME: Yahoo has no finished bar from 2024-05-30 to 2024-05-29"):
        open_yahoo(new_york(12)).prices("ACME", THURSDAY, None)


# Failures that pass, and failures that do not


@pytest.mark.parametrize(
    ("failures", "waited"),
    [
        # yfinance asks once more by itself at every status from 400 on, so a limited attempt takes two answers.
        pytest.param([RATE_LIMIT] * 2, [2.0], id="rate limit"),
        pytest.param([RATE_LIMIT] * 4, [2.0, 4.0], id="rate limit twice"),
        pytest.param([SERVER_ERROR], [2.0], id="server error"),
        pytest.param([Failure(503, "<html>Will be right back</html>")] * 2, [2.0, 4.0], id="service unavailable twice"),
        pytest.param([Failure(0)], [2.0], id="connection lost"),
        pytest.param([SERVER_ERROR, *[RATE_LIMIT] * 2, Failure(0)], [2.0, 4.0, 8.0], id="one of each"),
    ],
)
def test_passing_failure_is_waited_for(
    yahoo: FakeYahoo, open_yahoo: Open, waits: list[float], failures: list[Failure], waited: list[float]
) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    yahoo.failures = list(failures)
    assert dates(open_yahoo().prices("ACME", TUESDAY, THURSDAY).bars) == list(WEEK)
    assert waits == waited


@pytest.mark.parametrize(
    ("failure", "said"),
    [
        (RATE_LIMIT, "it limits the rate of requests from this address"),
        (SERVER_ERROR, "its server failed \\(status 500\\)"),
        (Failure(0), "it cannot be reached \\(ConnectionError\\)"),
    ],
    ids=["rate limit", "server error", "no connection"],
)
def test_lasting_failure_is_given_up_after_five_attempts(
    yahoo: FakeYahoo, open_yahoo: Open, waits: list[float], failure: Failure, said: str
) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK)
    yahoo.failures = [failure] * 100
    with pytest.raises(FetchError, match=f"^ACME: Yahoo did not deliver in 5 attempts: {said}"):
        open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert waits == [2.0, 4.0, 8.0, 16.0]


def test_own_session_reports_a_broken_connection_too(monkeypatch: pytest.MonkeyPatch, waits: list[float]) -> None:
    def refuse(*args, **kwargs):
        raise curl.exceptions.ConnectTimeout("timed out")

    monkeypatch.setattr(curl.Session, "request", refuse)
    source = YahooSource(sleep=waits.append)
    with pytest.raises(FetchError, match=r"in 5 attempts: it cannot be reached \(ConnectTimeout\)"):
        source.prices("ACME", TUESDAY, THURSDAY)
    assert len(waits) == 4


@pytest.mark.parametrize("unknown_before", [0, 2], ids=["first in the process", "third in the process"])
def test_unknown_ticker_is_refused_at_once(
    open_yahoo: Open, waits: list[float], monkeypatch: pytest.MonkeyPatch, unknown_before: int
) -> None:
    # yfinance looks further for the first two tickers without a time zone, and fails in another way there.
    monkeypatch.setattr(yfinance.base, "_tz_info_fetch_ctr", unknown_before)
    with pytest.raises(FetchError, match=r"^NOPE: Yahoo does not know this ticker"):
        open_yahoo().prices("NOPE", TUESDAY, THURSDAY)
    assert waits == []


def test_time_without_bars_is_refused_at_once(yahoo: FakeYahoo, open_yahoo: Open, waits: list[float]) -> None:
    yahoo.charts["ACME"] = no_bars("ACME")
    with pytest.raises(FetchError, match=r"^ACME: Yahoo has no prices in that time: "):
        open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert waits == []


def test_consent_page_is_refused_at_once(yahoo: FakeYahoo, open_yahoo: Open, waits: list[float]) -> None:
    yahoo.failures = [Failure(200, "<html>Before you continue</html>")]
    with pytest.raises(FetchError, match=r"^ACME: Yahoo answered with a page instead of prices"):
        open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert waits == []


def test_answer_of_another_shape_is_refused_at_once(yahoo: FakeYahoo, open_yahoo: Open, waits: list[float]) -> None:
    yahoo.charts["ACME"] = {"result": [{"meta": {"surprise": 1}}], "error": None}
    with pytest.raises(FetchError, match=r"^ACME: Yahoo's answer cannot be used: expected its meta to name a symbol"):
        open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert waits == []


# What are not prices


@pytest.mark.parametrize(
    ("bar", "finding"),
    [
        ((0.0, 12.0, 9.0, 11.0), "open: 0.0: expected a price above 0"),
        ((10.0, 12.0, -9.0, 11.0), "low: -9.0: expected a price above 0"),
        ((10.0, 12.0, 9.0, None), "close: nan: expected a price above 0"),
        ((10.0, 9.0, 12.0, 11.0), "high: 9.0: expected no less than the low, 12.0"),
        ((13.0, 12.0, 9.0, 11.0), "open: 13.0: expected a price from low to high, 9.0 to 12.0"),
        ((10.0, 12.0, 9.0, 8.9), "close: 8.9: expected a price from low to high, 9.0 to 12.0"),
        ((0.0, 0.0, 0.0, 0.0), "open: 0.0: expected a price above 0"),
    ],
)
def test_bar_that_cannot_be_is_left_out_and_the_others_are_kept(
    yahoo: FakeYahoo, open_yahoo: Open, bar: tuple, finding: str
) -> None:
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, WEDNESDAY: bar})
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert dates(history.bars) == [TUESDAY, THURSDAY]
    [remark] = history.remarks
    assert (remark.rule, remark.first, remark.last, remark.rows) == ("left_out", WEDNESDAY, WEDNESDAY, 1)
    value, expected = finding.split(": expected ")
    field, value = value.split(": ")
    assert remark.detail == (
        f"Yahoo's row of ACME on 2024-05-29 is left out: {field} is {value}, expected {expected}. "
        "A CSV source can supply what is missing."
    )


def test_newest_row_without_a_close_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, THURSDAY: (12.0, 14.0, 11.0, None)}, dividends={THURSDAY: 0.5})
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert dates(history.bars) == [TUESDAY, WEDNESDAY]
    assert dates(history.dividends) == [THURSDAY]
    assert [(remark.rule, remark.first) for remark in history.remarks] == [("left_out", THURSDAY)]


def test_years_of_zero_opens_are_left_out_in_one_remark_per_run(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    first = dt.date(2024, 1, 1)
    days = [first + dt.timedelta(days) for days in range(100)]
    old = dict.fromkeys(days[:40], (0.0, 12.0, 9.0, 11.0))
    again = dict.fromkeys(days[50:52], (0.0, 12.0, 9.0, 11.0))
    yahoo.charts["OLD"] = chart("OLD", dict.fromkeys(days, BAR) | old | again)
    history = open_yahoo().prices("OLD", first, THURSDAY)
    assert dates(history.bars) == days[40:50] + days[52:]
    assert [(one.first, one.last, one.rows) for one in history.remarks] == [
        (days[0], days[39], 40),
        (days[50], days[51], 2),
    ]
    assert history.remarks[0].detail == (
        "Yahoo's rows of OLD from 2024-01-01 to 2024-02-09, 40 in a row, are left out; on 2024-01-01, open is 0.0, "
        "expected a price above 0. A CSV source can supply what is missing."
    )


def test_answer_without_any_bar_that_can_be_is_refused_by_date_and_field(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", dict.fromkeys(WEEK, (0.0, 12.0, 9.0, 11.0)))
    with pytest.raises(FetchError) as refused:
        open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert str(refused.value).splitlines()[0] == "ACME: 2024-05-28: open: 0.0: expected a price above 0"


def test_open_that_leaves_the_bar_by_rounding_passes_unchanged(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    # 32-bit neighbours of 12: what Yahoo's storage makes of a price that equals the high.
    above = float(np.nextafter(np.float32(12), np.float32(13)))
    yahoo.charts["ACME"] = chart("ACME", {**WEEK, WEDNESDAY: (above, 12.0, 9.0, 11.0)})
    assert open_yahoo().prices("ACME", TUESDAY, THURSDAY).bars["open"].iloc[1] == above


def test_negative_dividend_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK, dividends={WEDNESDAY: -0.1, THURSDAY: 0.2})
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert history.dividends.tolist() == [0.2]
    assert [remark.detail for remark in history.remarks] == [
        (
            "Yahoo's dividend of ACME on 2024-05-29 is left out: dividends is -0.1, expected an amount above 0. "
            "A CSV source can supply what is missing."
        )
    ]


# The units of prices and dividends


def test_dividend_in_another_currency_than_the_prices_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ADR"] = chart("ADR", WEEK, dividends={WEDNESDAY: 5.0}, dividend_currency="EUR")
    history = open_yahoo().prices("ADR", TUESDAY, THURSDAY)
    assert history.dividends.empty
    [remark] = history.remarks
    assert (remark.rule, remark.first, remark.last, remark.rows) == ("dividend_currency", WEDNESDAY, WEDNESDAY, 1)
    assert remark.detail == (
        "Yahoo states the dividend of ADR on 2024-05-29 as 5 EUR and its prices in USD: it is left out. "
        "A CSV source can supply it in USD, in ADR_dividends.csv."
    )


@pytest.mark.parametrize("stated", ["USD", "", None])
def test_dividend_in_the_currency_of_the_prices_counts(yahoo: FakeYahoo, open_yahoo: Open, stated: str | None) -> None:
    yahoo.charts["ACME"] = chart("ACME", WEEK, dividends={WEDNESDAY: 5.0}, dividend_currency=stated)
    history = open_yahoo().prices("ACME", TUESDAY, THURSDAY)
    assert (history.dividends.tolist(), history.remarks) == ([5.0], ())


# A pound has a hundred pence, a rand a hundred cents.
@pytest.mark.parametrize(
    ("quoted", "stated", "amount"), [("GBp", "GBP", 12.5), ("GBP", "GBp", 0.00125), ("ZAc", "ZAR", 12.5)]
)
def test_dividend_in_a_hundredth_or_a_hundredfold_of_the_unit_is_converted(
    yahoo: FakeYahoo, open_yahoo: Open, quoted: str, stated: str, amount: float
) -> None:
    yahoo.charts["L.L"] = chart(
        "L.L", WEEK, dividends={WEDNESDAY: 0.125}, currency=quoted, dividend_currency=stated, zone=ZoneInfo("UTC")
    )
    history = open_yahoo().prices("L.L", TUESDAY, THURSDAY)
    assert history.currency == quoted
    assert history.dividends.tolist() == pytest.approx([amount])
    assert history.remarks[0].detail == (
        f"Yahoo states the dividend of L.L on 2024-05-29 as 0.125 {stated} and its prices in {quoted}: "
        f"it counts as {amount:.6g} {quoted}."
    )


def test_rate_may_be_negative_and_zero(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    rates = {TUESDAY: (0.1, 0.1, 0.1, -0.03), WEDNESDAY: (0.1, 0.0, 0.0, 0.0), THURSDAY: NO_PRICES}
    yahoo.charts["^IRX"] = chart("^IRX", rates, kind="INDEX")
    bars = open_yahoo().rates("^IRX", TUESDAY, THURSDAY).bars
    assert bars.to_numpy().tolist() == [[-0.03] * 4, [0.0] * 4]


def test_rate_is_asked_for_from_before_the_start(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["^IRX"] = chart("^IRX", {TUESDAY: (5.0, 5.0, 5.0, 5.0)}, kind="INDEX")
    assert open_yahoo().rates("^IRX", THURSDAY, THURSDAY).bars["close"].tolist() == [5.0]


def test_rate_without_a_close_is_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["^IRX"] = chart("^IRX", {TUESDAY: (5.0, 5.0, 5.0, 5.0), WEDNESDAY: (5.0, 5.0, 5.0, None)})
    history = open_yahoo().rates("^IRX", TUESDAY, THURSDAY)
    assert dates(history.bars) == [TUESDAY]
    assert [(remark.rule, remark.first) for remark in history.remarks] == [("left_out", WEDNESDAY)]


def test_rate_without_any_close_is_refused(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["^IRX"] = chart("^IRX", {TUESDAY: (5.0, 5.0, 5.0, None)})
    with pytest.raises(FetchError, match=r"\^IRX: 2024-05-28: close: nan: expected a rate in percent"):
        open_yahoo().rates("^IRX", TUESDAY, THURSDAY)


# --- hours ------------------------------------------------------------------------------------------------------------

OPENS = dt.datetime(2024, 6, 4, 13, 30, tzinfo=UTC)
MORNING = {OPENS + dt.timedelta(hours=place): 10.0 + place for place in range(4)}


def test_hours_are_the_closes_of_those_that_were_over(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = hourly_chart("ACME", MORNING)
    found = open_yahoo(OPENS + dt.timedelta(hours=3, minutes=20)).hourly("ACME", None)
    assert found.to_dict() == {begins: close for begins, close in MORNING.items() if close < 13}
    assert str(found.index.tz) == "UTC"
    assert yahoo.chart_calls()[-1].query["interval"] == ["1h"]


def test_hours_are_asked_for_as_far_back_as_yahoo_keeps_them_or_as_are_new(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    yahoo.charts["ACME"] = hourly_chart("ACME", MORNING)
    source = open_yahoo()
    for since, first in ((None, dt.date(2022, 6, 7)), (OPENS, dt.date(2024, 5, 28))):
        source.hourly("ACME", since)
        asked = dt.datetime.fromtimestamp(int(yahoo.chart_calls()[-1].query["period1"][0]), NEW_YORK)
        assert asked.date() == first


def test_hours_without_a_price_or_a_trade_are_left_out(yahoo: FakeYahoo, open_yahoo: Open) -> None:
    second, third, _ = list(MORNING)[1:]
    yahoo.charts["ACME"] = hourly_chart("ACME", {**MORNING, second: None})
    quote = yahoo.charts["ACME"]["result"][0]["indicators"]["quote"][0]
    for name, value in (("open", 12.0), ("high", 12.0), ("low", 12.0), ("volume", 0)):
        quote[name][2] = value  # as Yahoo repeats the close after the last trade
    assert third in MORNING
    assert open_yahoo().hourly("ACME", None).tolist() == [10.0, 13.0]


def test_failure_while_hours_are_asked_for_is_tried_again(yahoo: FakeYahoo, open_yahoo: Open, waits: list) -> None:
    yahoo.charts["ACME"] = hourly_chart("ACME", MORNING)
    source = open_yahoo()
    source.hourly("ACME", None)
    yahoo.failures = [SERVER_ERROR, SERVER_ERROR]
    assert len(source.hourly("ACME", None)) == 4
    assert waits == [2.0, 4.0]
    with pytest.raises(FetchError, match="does not know this ticker"):
        source.hourly("NONE", None)
