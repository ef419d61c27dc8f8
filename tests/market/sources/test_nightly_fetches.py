"""A study from Yahoo, fetched evening after evening: what is asked for, what is stored, and what is said of it."""

import datetime as dt
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from support.fake_yahoo import UTC, Bar, Failure, FakeYahoo, chart

from pipelines.steps import fetch as fetching
from pipelines.steps.fetch import Fetched, fetch_prices
from pipelines.steps.prepare import prepare_market
from sd_core.errors import FetchError
from sd_core.lake import Lake
from sd_core.market import raw
from sd_core.market.sources.yahoo import YahooSource
from sd_core.study.model import Study

pytestmark = pytest.mark.filterwarnings("ignore::pandas.errors.Pandas4Warning:yfinance")

# Weekdays; that some are holidays does not matter here.
DAYS = [day.item() for day in np.arange("2020-01-01", "2024-06-15", dtype="datetime64[D]") if np.is_busday(day)]
FIRST_EVENING = dt.date(2024, 5, 28)
TICKERS = ("AAA", "BBB", "CCC")

STUDY = Study.model_validate(
    {
        "name": "nightly",
        "source": {"kind": "yahoo"},
        "start": dt.date(2020, 1, 1),
        "capital": 1000.0,
        "universe": {ticker: {"weight": 1.0} for ticker in TICKERS},
        "reserves": [0.0],
        "strategies": {"buy_and_hold": {}},
    }
)

Evening = Callable[..., Fetched]


def bars(factor: float = 1.0) -> dict[dt.date, Bar]:
    """Return rising bars of every day, in other shares by a factor."""
    return {
        day: tuple(factor * (100 + place / 10 + part) for part in (0.0, 1.0, -1.0, 0.5))  # type: ignore[misc]
        for place, day in enumerate(DAYS)
    }


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake(tmp_path / "lake")


@pytest.fixture
def evening(yahoo: FakeYahoo, waits: list[float], lake: Lake, monkeypatch: pytest.MonkeyPatch) -> Evening:
    """Fetch the whole study at 22:00 New York of a day; the server has forgotten what it was asked before."""
    for ticker in TICKERS:
        yahoo.charts[ticker] = chart(ticker, bars())

    def fetch(day: dt.date, **kwargs: Any) -> Fetched:
        now = dt.datetime.combine(day + dt.timedelta(days=1), dt.time(2), UTC)
        source = YahooSource(yahoo.session(), sleep=waits.append, clock=lambda: now)
        monkeypatch.setattr(fetching, "open_source", lambda _: source)
        yahoo.now = now
        yahoo.calls.clear()
        yahoo.rows.clear()
        return fetch_prices(STUDY, lake, None, now=now, **kwargs)

    return fetch


def last(lake: Lake, ticker: str) -> dt.date:
    history = raw.load(lake, ticker)
    assert history is not None
    return history.bars.index[-1].date()


def day(number: int) -> dt.date:
    return DAYS[DAYS.index(FIRST_EVENING) + number]


def test_next_evening_asks_for_what_is_new_and_an_overlap(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    whole = DAYS.index(FIRST_EVENING) + 1
    assert yahoo.rows == [whole] * 3
    fetched = evening(day(1))
    # From Monday, 15 April, the first weekday of the 45 days before 28 May: 12 in April, 20 in May, and the new one.
    assert yahoo.rows == [33] * 3
    # Each ticker's time zone and its prices.
    assert len(yahoo.chart_calls()) == 6
    assert (fetched.failures, fetched.changes, fetched.restated) == ({}, [], [])
    for ticker in TICKERS:
        history = raw.load(lake, ticker)
        assert history is not None
        assert history.bars["close"].tolist() == [bar[3] for bar in list(bars().values())[: whole + 1]]


def test_evening_that_was_missed_is_caught_up(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    evening(day(9))
    assert yahoo.rows == [32 + 9] * 3
    assert {last(lake, ticker) for ticker in TICKERS} == {day(9)}


def test_split_has_the_whole_past_asked_for_again(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["BBB"] = chart("BBB", bars(0.1), splits={day(1): (10, 1)})
    fetched = evening(day(1))
    whole = DAYS.index(day(1)) + 1
    assert yahoo.rows == [33, 33, whole, 33]
    [said] = fetched.restated
    assert said.startswith("BBB: asked for its whole past, since its newest part differs (2024-04-15 open ")
    [change] = fetched.changes
    assert "BBB" in change
    history = raw.load(lake, "BBB")
    assert history is not None
    assert history.bars["close"].tolist() == pytest.approx([bar[3] / 10 for bar in list(bars().values())[:whole]])
    assert history.splits.tolist() == [10.0]


def test_new_split_that_prices_do_not_show_yet_is_asked_whole_too(yahoo: FakeYahoo, evening: Evening) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["BBB"] = chart("BBB", bars(), splits={day(1): (10, 1)})
    fetched = evening(day(1))
    assert fetched.restated == [
        f"BBB: asked for its whole past, since its newest part differs ({day(1)} split 10)",
    ]


def test_dividend_that_is_added_late_is_noticed(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["AAA"] = chart("AAA", bars(), dividends={day(-3): 0.5})
    fetched = evening(day(1))
    assert len(fetched.restated) == 1
    history = raw.load(lake, "AAA")
    assert history is not None
    assert history.dividends.tolist() == [0.5]


def test_new_dividend_is_no_restatement(yahoo: FakeYahoo, evening: Evening) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["AAA"] = chart("AAA", bars(), dividends={day(1): 0.5})
    fetched = evening(day(1))
    assert (fetched.restated, fetched.changes) == ([], [])
    assert yahoo.rows == [33] * 3


def test_past_before_the_overlap_is_asked_for_once_in_thirty_days(
    yahoo: FakeYahoo, evening: Evening, lake: Lake
) -> None:
    evening(dt.date(2024, 4, 15))
    restated = {**bars(), DAYS[5]: (1.0, 1.0, 1.0, 1.0)}
    yahoo.charts["AAA"] = chart("AAA", restated)
    assert evening(dt.date(2024, 5, 14)).changes == []
    assert evening(dt.date(2024, 5, 16)).changes != []
    assert yahoo.rows == [DAYS.index(dt.date(2024, 5, 16)) + 1] * 3
    evening(dt.date(2024, 5, 17))
    # From Monday, 1 April: 22 in April, 12 to 16 May, and the new one.
    assert yahoo.rows == [35] * 3


def test_fresh_fetch_asks_for_everything(yahoo: FakeYahoo, evening: Evening) -> None:
    evening(FIRST_EVENING)
    evening(day(1), whole=True)
    assert yahoo.rows == [DAYS.index(day(1)) + 1] * 3


def test_whole_past_that_does_not_come_leaves_what_is_stored(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["AAA"] = chart("AAA", bars(0.5), splits={day(1): (2, 1)})
    # Of AAA the time zone and the newest part come, and nothing that is asked for after them.
    yahoo.spared = 2
    yahoo.failures = [Failure(500)] * 5
    fetched = evening(day(1))
    assert list(fetched.failures) == ["AAA"]
    assert {ticker: last(lake, ticker) for ticker in TICKERS} == {"AAA": FIRST_EVENING, "BBB": day(1), "CCC": day(1)}


def test_ticker_that_fails_keeps_its_prices_and_the_others_come(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["BBB"] = chart("OTHER", bars(7.0))
    fetched = evening(day(1))
    assert list(fetched.failures) == ["BBB"]
    assert "is about OTHER: expected BBB" in fetched.failures["BBB"]
    assert {ticker: last(lake, ticker) for ticker in TICKERS} == {"AAA": day(1), "BBB": FIRST_EVENING, "CCC": day(1)}
    history = raw.load(lake, "BBB")
    assert history is not None
    assert history.bars["close"].iloc[-1] == bars()[FIRST_EVENING][3]
    findings = lake.current("fetches")
    assert findings is not None
    assert [row["ticker"] for row in findings.read("findings").to_pylist()] == ["BBB"]


def test_first_fetch_without_a_ticker_fails_and_keeps_the_others(
    yahoo: FakeYahoo, evening: Evening, lake: Lake
) -> None:
    del yahoo.charts["BBB"]
    with pytest.raises(FetchError, match=r"^BBB: Yahoo does not know this ticker"):
        evening(FIRST_EVENING)
    assert [ticker for ticker in TICKERS if raw.load(lake, ticker) is not None] == ["AAA", "CCC"]


def test_currency_that_was_stated_once_stays(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["AAA"]["result"][0]["meta"]["currency"] = None
    evening(day(1))
    history = raw.load(lake, "AAA")
    assert history is not None
    assert (history.currency, [remark.rule for remark in history.remarks]) == ("USD", ["no_currency"])


def test_answer_that_is_cut_off_loses_no_stored_day(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    short = {date: bar for date, bar in bars().items() if date <= day(-10)}
    yahoo.charts["AAA"] = chart("AAA", short)
    evening(day(1))
    assert last(lake, "AAA") == FIRST_EVENING


def test_ticker_that_fell_behind_is_among_the_findings(yahoo: FakeYahoo, evening: Evening, lake: Lake) -> None:
    evening(FIRST_EVENING)
    yahoo.charts["AAA"] = chart("AAA", {date: bar for date, bar in bars().items() if date <= FIRST_EVENING})
    evening(day(4))
    findings = prepare_market(STUDY, lake, Path("nightly.yaml")).read("price_findings").to_pylist()
    [late] = [one for one in findings if one["rule"] == "overdue"]
    assert (late["ticker"], late["sessions"], late["last_session"]) == ("AAA", 4, day(4))
    assert late["detail"] == f"AAA has its last bar on 2024-05-28: 4 sessions of XNYS up to {day(4)} are missing."
