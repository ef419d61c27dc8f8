"""The market tables: sessions, prices, rates, findings, and the panel made from them."""

import datetime as dt
import re
import sys
from dataclasses import replace

import numpy as np
import pandas as pd
import pyarrow.compute as pc
import pytest
from support.price_histories import history, study, weekdays

from sd_core.errors import InputError
from sd_core.market.build import build_market, to_panel, version, version_of_satellites
from sd_core.market.sources.base import Remark
from sd_core.market.sources.csv_files import CsvSource

# 2024-01-01 is a Monday and a holiday in New York, 2024-01-15 too; the sessions between are the other weekdays.
FORTNIGHT = weekdays("2024-01-02", "2024-01-12")


def market_of(asked, *histories, rate=None):
    return build_market(asked, {one.ticker: one for one in histories}, rate)


def days(table):
    return [str(day) for day in table["session"].to_pylist()]


def prices_of(market, ticker):
    rows = market.prices.filter(pc.equal(market.prices["ticker"], ticker)).to_pylist()
    return {str(row["session"]): tuple(row[name] for name in ("open", "high", "low", "close")) for row in rows}


def rules(market):
    rows = market.price_findings.to_pylist()
    return [(row["rule"], row["ticker"], str(row["first_session"]), str(row["last_session"])) for row in rows]


def weekly(ticker, first="2024-01-03", weeks=30):
    """Return a history of one bar a week."""
    dates = np.datetime64(first) + 7 * np.arange(weeks)
    return history(ticker, {str(date): 10.0 for date in dates})


# Sessions


@pytest.mark.parametrize("sessions", ["XNYS", "union"])
def test_weekly_bars_are_refused_where_sessions_may_be_daily(sessions):
    with pytest.raises(InputError, match="A: a bar every 7 days, the median of 30 from 2024-01-03 to 2024-07-24"):
        market_of(study(["A"], "2024-01-01", sessions=sessions), weekly("A"))


def test_weekly_bars_of_every_asset_are_the_sessions_and_said_to_be():
    daily = history("B", weekdays("2024-01-03", "2024-07-24"))
    asked = study(["A", "C"], "2024-01-01", sessions="intersection", benchmark="B")
    market = market_of(asked, weekly("A"), weekly("C"), daily)
    assert len(market.sessions) == 30
    assert [one for one in rules(market) if one[0] != "no_intraday_range"] == [
        ("rare_sessions", None, "2024-01-03", "2024-07-24")
    ]
    [said] = [one for one in market.price_findings.to_pylist() if one["rule"] == "rare_sessions"]
    assert said["detail"].startswith("Sessions are 7 days apart, as bars are: a year has 52.18 of them.")


def test_monthly_bars_beside_weekly_ones_are_refused():
    asked = study(["A", "B"], "2024-01-01", sessions="intersection")
    monthly = history("B", {f"2024-{month:02}-03": 10.0 for month in range(1, 8)})
    with pytest.raises(InputError, match="B: a bar every 3"):
        market_of(asked, weekly("A"), monthly)


def test_study_runs_from_the_first_session_of_all_to_the_last_of_any():
    early = history("A", weekdays("2024-01-02", "2024-01-09"))
    late = history("B", weekdays("2024-01-04", "2024-01-11"))
    market = market_of(study(["A", "B"], "2024-01-01"), early, late)
    assert days(market.sessions) == [f"2024-01-{day:02}" for day in (4, 5, 8, 9, 10, 11)]
    assert list(prices_of(market, "A")) == [f"2024-01-{day:02}" for day in (4, 5, 8, 9)]


def test_study_ends_where_it_asks_to():
    market = market_of(study(["A"], "2024-01-03", "2024-01-06"), history("A", FORTNIGHT))
    assert days(market.sessions) == ["2024-01-03", "2024-01-04", "2024-01-05"]


def test_exchange_holiday_is_no_session_and_its_bars_join_the_next():
    coin = {"2024-01-12": 1.0, "2024-01-13": 5.0, "2024-01-14": 2.0, "2024-01-15": 3.0, "2024-01-16": 4.0}
    market = market_of(study(["C"], "2024-01-12"), history("C", coin))
    assert prices_of(market, "C") == {"2024-01-12": (1, 1, 1, 1), "2024-01-16": (5, 5, 2, 4)}


def test_bars_before_the_first_common_session_are_not_swallowed_by_it():
    old = history("A", weekdays("2024-01-02", "2024-01-09") | {"2024-01-03": 900.0})
    young = history("B", weekdays("2024-01-08", "2024-01-09"))
    for sessions in ("XNYS", "intersection", "union"):
        market = market_of(study(["A", "B"], "2024-01-01", sessions=sessions), old, young)
        assert prices_of(market, "A")["2024-01-08"] == (100, 100, 100, 100), sessions


def test_intersection_takes_common_dates_and_merges_the_others_into_them():
    stock = history("A", {"2024-01-05": 10.0, "2024-01-08": 11.0})
    coin = history("C", {"2024-01-05": 1.0, "2024-01-06": 3.0, "2024-01-07": 0.5, "2024-01-08": 2.0})
    market = market_of(study(["A", "C"], "2024-01-01", sessions="intersection"), stock, coin)
    assert prices_of(market, "C") == {"2024-01-05": (1, 1, 1, 1), "2024-01-08": (3, 3, 0.5, 2)}


def test_intersection_counts_bars_from_the_first_date_on_which_all_assets_have_begun():
    # B begins on the 4th, and the 8th is the first date of both. A's bars of the 2nd and 3rd are the past.
    old = {
        "2024-01-02": 99.0,
        "2024-01-03": 1.0,
        "2024-01-05": [20, 21, 19, 20],
        "2024-01-08": 10.0,
        "2024-01-09": 11.0,
    }
    young = {"2024-01-04": 50.0, "2024-01-08": 51.0, "2024-01-09": 52.0}
    dividends = {"2024-01-03": 7.0, "2024-01-05": 0.25}
    asked = study(["A", "B"], "2024-01-01", sessions="intersection")
    market = market_of(asked, history("A", old, dividends=dividends), history("B", young))
    assert prices_of(market, "A") == {"2024-01-08": (20, 21, 10, 10), "2024-01-09": (11, 11, 11, 11)}
    assert prices_of(market, "B") == {"2024-01-08": (50, 51, 50, 51), "2024-01-09": (52, 52, 52, 52)}
    paid = {(row["ticker"], str(row["session"])): row["dividend"] for row in market.prices.to_pylist()}
    assert paid["A", "2024-01-08"] == 0.25


def test_union_takes_every_date_and_leaves_empty_what_is_not_there():
    stock = history("A", {"2024-01-05": 10.0, "2024-01-08": 11.0})
    coin = history("C", {"2024-01-05": 1.0, "2024-01-06": 3.0, "2024-01-08": 2.0})
    market = market_of(study(["A", "C"], "2024-01-01", sessions="union"), stock, coin)
    assert days(market.sessions) == ["2024-01-05", "2024-01-06", "2024-01-08"]
    assert list(prices_of(market, "A")) == ["2024-01-05", "2024-01-08"]


def test_later_bars_do_not_alter_earlier_sessions():
    coin = {f"2024-01-{day:02}": [day, day + 0.5, day - 0.5, day] for day in range(2, 13)}
    rate = {"2024-01-02": 4.0, "2024-01-09": 5.0, "2024-01-12": 6.0}
    whole = market_of(study(["C"], "2024-01-01", risk_free="R"), history("C", coin), rate=history("R", rate))
    for end in ("2024-01-05", "2024-01-07", "2024-01-10"):
        known = market_of(
            study(["C"], "2024-01-01", risk_free="R"),
            history("C", {day: bar for day, bar in coin.items() if day <= end}),
            rate=history("R", {day: value for day, value in rate.items() if day <= end}),
        )
        count = known.sessions.num_rows
        assert known.prices.equals(whole.prices.slice(0, count))
        assert known.rates.equals(whole.rates.slice(0, count))


def prices_by_date(levels: dict[str, float]) -> pd.Series:
    return pd.Series(list(levels.values()), index=pd.DatetimeIndex(list(levels), name="date"))


def test_price_index_known_at_each_session_counts_from_the_first_session():
    known = prices_by_date({"2023-12-15": 200.0, "2024-01-04": 210.0, "2024-01-06": 220.0, "2024-02-01": 300.0})
    asset = history("A", weekdays("2024-01-03", "2024-01-08"))
    market = build_market(study(["A"], "2024-01-01"), {"A": asset}, None, known)
    # Wednesday knows December's level, Thursday and Friday that of the 4th, Monday that of Saturday.
    assert market.rates["price_index"].to_pylist() == [1.0, 1.05, 1.05, 1.1]


def test_price_index_is_constant_where_the_study_has_none():
    market = market_of(study(["A"], "2024-01-01"), history("A", FORTNIGHT))
    assert set(market.rates["price_index"].to_pylist()) == {1.0}


# Refusals


def test_assets_that_never_trade_together_are_refused_with_their_ranges():
    first, second = history("A", weekdays("2024-01-02", "2024-01-03")), history("B", {"2024-01-04": 1.0})
    with pytest.raises(InputError) as refused:
        market_of(study(["A", "B"], "2024-01-01", "2024-02-01"), first, second)
    assert str(refused.value) == (
        "study small: from 2024-01-01 to 2024-02-01: expected at least 2 sessions (XNYS) from the first on which every "
        "asset has a bar, was 0; there are bars of A 2024-01-02 to 2024-01-03, B 2024-01-04 to 2024-01-04"
    )


def test_single_session_is_refused():
    with pytest.raises(InputError, match=r"expected at least 2 sessions .* was 1"):
        market_of(study(["A"], "2024-01-12"), history("A", FORTNIGHT))


def test_range_without_any_bar_is_refused_with_what_there_is():
    with pytest.raises(InputError, match="was 0; there are bars of A 2024-01-02 to 2024-01-12"):
        market_of(study(["A"], "2025-01-01"), history("A", FORTNIGHT))


def test_weekend_without_sessions_is_refused():
    coin = history("C", {"2024-01-06": 1.0, "2024-01-07": 1.0})
    with pytest.raises(InputError, match="was 0"):
        market_of(study(["C"], "2024-01-06", "2024-01-07"), coin)


def test_every_asset_in_another_currency_is_refused_by_name():
    histories = [
        history(ticker, FORTNIGHT, currency=money) for ticker, money in (("A", "EUR"), ("B", "USD"), ("C", "GBp"))
    ]
    with pytest.raises(InputError) as refused:
        market_of(study(["A", "B", "C"], "2024-01-01"), *histories)
    lines = str(refused.value).splitlines()
    assert [line.split(": ")[1:4] for line in lines] == [
        ["A", "quoted in EUR", "expected USD, the study's currency; other currencies are not supported yet"],
        ["C", "quoted in GBp", "expected USD, the study's currency; other currencies are not supported yet"],
    ]


# A London share at 612 pence costs 6.12 pounds, a Johannesburg one at 612 cents 6.12 rand.
@pytest.mark.parametrize(
    ("unit", "currency"), [("GBp", "GBP"), ("GBX", "GBP"), ("ZAc", "ZAR"), ("ILA", "ILS"), ("USX", "USD")]
)
def test_prices_in_hundredths_of_the_currency_are_converted_and_reported(unit, currency):
    bars = {day: [612.0, 624.0, 600.0, 612.0] for day in FORTNIGHT}
    quoted = history("L.L", bars, dividends={"2024-01-04": 12.5}, currency=unit)
    market = market_of(study(["L.L"], "2024-01-01", currency=currency), quoted)
    assert prices_of(market, "L.L")["2024-01-04"] == (6.12, 6.24, 6.0, 6.12)
    assert market.prices["dividend"].to_pylist()[2] == 0.125
    [finding] = market.price_findings.to_pylist()
    assert (finding["rule"], finding["ticker"], finding["sessions"]) == ("hundredths", "L.L", 9)
    assert finding["detail"] == (
        f"L.L is quoted in {unit}, hundredths of {currency}: its prices and dividends are divided by 100."
    )


@pytest.mark.parametrize(("every", "days"), [("7D", 7), ("MS", 31), ("W-WED", 7)])
@pytest.mark.parametrize("sessions", ["XNYS", "intersection"])
def test_weekly_and_monthly_bars_beside_daily_ones_are_refused(sessions, every, days):
    dates = pd.date_range("2021-01-01", "2023-12-29", freq=every).strftime("%Y-%m-%d")
    rare = history("W", dict.fromkeys(dates, 100.0))
    with pytest.raises(InputError) as refused:
        market_of(study(["W", "D"], "2021-01-01", sessions=sessions), rare, history("D", weekdays(dates[0], dates[-1])))
    assert str(refused.value) == (
        f"study small: W: a bar every {days} days, the median of {len(dates)} from {dates[0]} to {dates[-1]}: expected "
        "daily bars, or `sessions: intersection` and none more often"
    )


def test_benchmark_without_a_bar_in_the_study_is_refused():
    with pytest.raises(InputError, match=r"benchmark: B: expected bars within .* 2024-01-02 to 2024-01-12, was none"):
        market_of(study(["A"], "2024-01-01", benchmark="B"), history("A", FORTNIGHT), history("B", {"2023-01-03": 1.0}))


# Prices


def test_rows_are_ordered_by_session_then_as_the_study_lists_its_tickers():
    market = market_of(
        study(["B", "A"], "2024-01-11", benchmark="S"), *[history(ticker, FORTNIGHT) for ticker in ("A", "B", "S")]
    )
    assert market.prices["ticker"].to_pylist() == ["B", "A", "S"] * 2
    assert days(market.prices) == ["2024-01-11"] * 3 + ["2024-01-12"] * 3


def test_dividend_between_sessions_counts_on_the_next():
    paying = history("A", FORTNIGHT, dividends={"2024-01-03": 1.0, "2024-01-06": 0.25, "2024-01-08": 0.5})
    rows = market_of(study(["A"], "2024-01-01"), paying).prices.to_pylist()
    assert {str(row["session"]): row["dividend"] for row in rows if row["dividend"]} == {
        "2024-01-03": 1.0,
        "2024-01-08": 0.75,
    }


def test_dividend_on_a_day_without_bar_has_a_row_without_prices():
    bars = {day: price for day, price in FORTNIGHT.items() if day != "2024-01-04"}
    market = market_of(study(["A"], "2024-01-01"), history("A", bars, dividends={"2024-01-04": 1.0}))
    row = market.prices.to_pylist()[2]
    assert (str(row["session"]), row["dividend"]) == ("2024-01-04", 1.0)
    assert [row[name] for name in ("open", "high", "low", "close")] == [None] * 4


def test_open_and_close_lie_within_high_and_low_after_rounding():
    bars = {"2024-01-02": [10.0, 9.9999999, 9.5, 9.6], "2024-01-03": [10.0, 10.5, 9.6000001, 9.6]}
    assert prices_of(market_of(study(["A"], "2024-01-01"), history("A", bars)), "A") == {
        "2024-01-02": (10.0, 10.0, 9.5, 9.6),
        "2024-01-03": (10.0, 10.5, 9.6, 9.6),
    }


# Rates


def test_rate_is_the_last_one_known_at_the_close_and_earns_over_calendar_days():
    rate = history("R", {"2023-12-29": 3.65, "2024-01-04": 7.30, "2024-01-06": -1.0})
    asked = study(["A"], "2024-01-01", risk_free="R")
    market = market_of(asked, history("A", weekdays("2024-01-03", "2024-01-09")), rate=rate)
    rows = {str(row["session"]): (row["rate"], row["risk_free_return"]) for row in market.rates.to_pylist()}
    # What a day earns is the rate of the session before: 3.65 % a year is 0.01 % a day, and a weekend is three days.
    assert rows == {
        "2024-01-03": (pytest.approx(0.0365), 0.0),
        "2024-01-04": (pytest.approx(0.0730), pytest.approx(0.0001)),
        "2024-01-05": (pytest.approx(0.0730), pytest.approx(0.0002)),
        "2024-01-08": (pytest.approx(-0.01), pytest.approx(0.0006)),
        "2024-01-09": (pytest.approx(-0.01), pytest.approx(-0.01 / 365)),
    }
    assert "rate_late" not in [rule for rule, *_ in rules(market)]


def test_rate_that_begins_late_is_carried_back_and_reported():
    asked = study(["A"], "2024-01-01", risk_free="R")
    market = market_of(asked, history("A", FORTNIGHT), rate=history("R", {"2024-01-04": 5.0, "2024-01-10": 4.0}))
    assert market.rates["rate"].to_pylist() == [0.05] * 6 + [0.04] * 3
    assert ("rate_late", "R", "2024-01-02", "2024-01-03") in rules(market)


def test_rate_that_is_a_number_holds_throughout():
    market = market_of(study(["A"], "2024-01-11", risk_free=0.0365), history("A", FORTNIGHT))
    assert market.rates["rate"].to_pylist() == [0.0365, 0.0365]
    assert market.rates["risk_free_return"].to_pylist() == [0.0, pytest.approx(0.0001)]


def test_rate_that_ended_before_the_study_is_stale():
    asked = study(["A"], "2024-01-01", risk_free="R")
    market = market_of(asked, history("A", FORTNIGHT), rate=history("R", {"2023-06-01": 5.0}))
    assert market.rates["rate"].to_pylist() == [0.05] * 9
    assert ("stale", "R", "2024-01-03", "2024-01-12") in rules(market)


# Findings


def test_sound_study_has_no_findings():
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    assert rules(market_of(study(["A"], "2024-01-01"), history("A", bars))) == []


def test_findings_cover_the_benchmark_too():
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    market = market_of(
        study(["A"], "2024-01-01", benchmark="B"), history("A", bars), history("B", bars | {"2024-01-12": [9, 9, 9, 9]})
    )
    assert rules(market) == [("jump", "B", "2024-01-12", "2024-01-12")]


@pytest.mark.parametrize(("kind", "rule"), [("sample", "illustration"), ("yahoo", "hindsight")])
def test_source_adds_its_caveat_for_the_study_as_a_whole(kind, rule):
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    market = market_of(study(["A"], "2024-01-01", source={"kind": kind}), history("A", bars))
    assert rules(market) == [(rule, None, "2024-01-02", "2024-01-12")]


def test_bars_that_end_before_the_end_asked_for_are_stale():
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    market = market_of(study(["A"], "2024-01-01", "2024-01-31"), history("A", bars))
    # 15 January is a holiday.
    assert rules(market) == [("stale", "A", "2024-01-16", "2024-01-31")]


def test_end_that_was_still_to_come_when_fetched_makes_nothing_stale():
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    fetched = history("A", bars, fetched_at=dt.datetime(2024, 1, 13, tzinfo=dt.UTC))
    assert rules(market_of(study(["A"], "2024-01-01", "2024-12-31"), fetched)) == []


@pytest.mark.parametrize("sessions", ["intersection", "union"])
def test_hole_that_all_assets_share_is_found_where_sessions_are_their_own_dates(sessions):
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT | weekdays("2024-02-12", "2024-02-16")}
    market = market_of(study(["A"], "2024-01-01", sessions=sessions), history("A", bars))
    assert rules(market) == [("hole", "A", "2024-01-15", "2024-02-09")]


def test_remarks_of_a_source_are_findings_where_the_study_asks_for_their_dates():
    bars = {day: [100, 101, 99, 100] for day in FORTNIGHT}
    before, after = (
        Remark("left_out", date, date, 1, f"A's row of {date} is left out.")
        for date in (dt.date(2023, 12, 29), dt.date(2024, 1, 15))
    )
    market = market_of(study(["A"], "2024-01-01"), history("A", bars, remarks=[before, after]))
    [finding] = market.price_findings.to_pylist()
    assert finding == {
        "ticker": "A",
        "rule": "left_out",
        "first_session": dt.date(2024, 1, 15),
        "last_session": dt.date(2024, 1, 15),
        "sessions": 1,
        "detail": "A's row of 2024-01-15 is left out.",
    }


# Version


def test_version_is_of_the_numbers_alone_not_of_where_and_when_they_came_from():
    asked = study(["A"], "2024-01-01")
    fetched = history("A", FORTNIGHT)
    again = replace(fetched, source="elsewhere", fetched_at=dt.datetime(2025, 1, 1, tzinfo=dt.UTC))
    assert version(market_of(asked, fetched)) == version(market_of(asked, again))


def test_version_depends_on_every_number():
    bars = {day: [100, 110, 90, 100] for day in FORTNIGHT}
    variants = [
        market_of(study(["A"], "2024-01-01", risk_free=rate), history("A", prices, dividends=dividends))
        for rate, prices, dividends in [
            (0.03, bars, {}),
            (0.04, bars, {}),
            (0.03, bars, {"2024-01-04": 0.01}),
            (0.03, bars | {"2024-01-04": [100, 110, 90, 100.01]}, {}),
            (0.03, {day: bar for day, bar in bars.items() if day != "2024-01-04"}, {}),
        ]
    ]
    assert len({version(market) for market in variants}) == len(variants)


# Panel


def test_panel_holds_the_universe_in_the_studys_order_and_gaps_as_nan():
    asked = study(["B", "A"], "2024-01-01", benchmark="S", risk_free=0.02)
    first = history("A", {"2024-01-02": [1, 4, 0.5, 2], "2024-01-04": 5.0}, dividends={"2024-01-03": 0.1})
    second = history("B", {"2024-01-02": 10.0, "2024-01-03": 11.0, "2024-01-04": 12.0})
    market = market_of(asked, first, second, history("S", FORTNIGHT))
    panel = to_panel(asked, market.sessions, market.prices, market.rates)
    nan = np.nan
    assert panel.tickers == ("B", "A")
    assert panel.sessions.tolist() == [dt.date(2024, 1, day) for day in (2, 3, 4)]
    np.testing.assert_array_equal(panel.open, [[10, 1], [11, nan], [12, 5]])
    np.testing.assert_array_equal(panel.high, [[10, 4], [11, nan], [12, 5]])
    np.testing.assert_array_equal(panel.low, [[10, 0.5], [11, nan], [12, 5]])
    np.testing.assert_array_equal(panel.close, [[10, 2], [11, nan], [12, 5]])
    np.testing.assert_array_equal(panel.dividends, [[0, 0], [0, 0.1], [0, 0]])
    assert panel.rates.tolist() == [0.02] * 3


def test_panel_does_not_depend_on_the_order_of_rows():
    asked = study(["A", "B"], "2024-01-01")
    market = market_of(
        asked,
        history("A", {day: float(number) for number, day in enumerate(FORTNIGHT, 1)}),
        history("B", {day: 100.0 + number for number, day in enumerate(FORTNIGHT, 1)}),
    )
    shuffled = market.prices.take(np.random.default_rng(7).permutation(market.prices.num_rows))
    panel = to_panel(asked, market.sessions.take([8, 0, 1, 2, 3, 4, 5, 6, 7]), shuffled, market.rates)
    assert panel.close[:, 0].tolist() == [1, 2, 3, 4, 5, 6, 7, 8, 9]
    assert panel.close[:, 1].tolist() == [101, 102, 103, 104, 105, 106, 107, 108, 109]


def calls_to_build(first_year):
    """Return how many functions are called to build twenty assets and to pivot them, and the closes."""
    tickers = [f"T{number}" for number in range(20)]
    asked = study(tickers, f"{first_year}-01-01", "2022-12-31", sessions="union")
    one = history("T0", weekdays(f"{first_year}-01-02", "2022-12-30"))
    histories = {ticker: replace(one, ticker=ticker) for ticker in tickers}
    called = 0

    def count(_frame, event, _of):
        nonlocal called
        called += event in {"call", "c_call"}

    sys.setprofile(count)
    try:
        market = build_market(asked, histories, None)
        panel = to_panel(asked, market.sessions, market.prices, market.rates)
    finally:
        sys.setprofile(None)
    return called, panel.close


def test_build_and_pivot_call_no_function_for_each_bar_or_session():
    calls_to_build(2022)  # what is imported or made once
    few, three_years = calls_to_build(2020)
    many, three_decades = calls_to_build(1990)
    assert (three_years.shape, three_decades.shape) == ((782, 20), (8_609, 20))
    assert many < 1.1 * few


# Real prices


def shared_market_of(folder, asked):
    source = CsvSource(folder)
    return build_market(
        asked, {ticker: source.prices(ticker, asked.start, asked.end) for ticker in asked.price_tickers}, None
    )


def test_real_coin_merges_into_new_york_sessions_without_a_hole(shared_market):
    asked = study(["NVDA", "VOO", "GOOG", "QQQ", "BTC-USD"], "2021-01-01", "2024-12-31")
    market = shared_market_of(shared_market, asked)
    assert (days(market.sessions)[0], days(market.sessions)[-1]) == ("2021-01-04", "2024-12-31")
    assert market.prices.num_rows == 5 * market.sessions.num_rows
    assert [finding for finding in rules(market) if finding[0] == "hole"] == []
    # Monday 2021-01-11 takes the weekend: its bars, read by pandas from the file, are the answer.
    weekend = CsvSource(shared_market).prices("BTC-USD", dt.date(2021, 1, 9), dt.date(2021, 1, 11)).bars
    expected = (weekend["open"].iloc[0], weekend["high"].max(), weekend["low"].min(), weekend["close"].iloc[-1])
    assert prices_of(market, "BTC-USD")["2021-01-11"] == expected


def test_real_holes_are_found_over_the_range_asked_for_and_delay_the_study(shared_market):
    market = shared_market_of(shared_market, study(["SPY", "VOO"], "2015-01-01"))
    assert days(market.sessions)[0] == "2020-11-11"
    assert [finding for finding in rules(market) if finding[0] in ("hole", "late_start")] == [
        ("late_start", None, "2015-01-02", "2020-11-10"),
        ("hole", "SPY", "2016-01-04", "2019-12-31"),
        ("hole", "SPY", "2020-02-06", "2020-11-10"),
        ("hole", "VOO", "2020-01-02", "2020-11-10"),
    ]


def test_incomplete_real_dividend_files_are_reported_and_complete_ones_are_not(shared_market):
    tickers = ["NVDA", "SPY", "VOO", "GOOG", "QQQ", "DIA", "IWM", "XLE", "XLF", "XLK", "GLD", "BTC-USD"]
    market = shared_market_of(shared_market, study(tickers, "2020-11-01"))
    incomplete = {ticker for rule, ticker, *_ in rules(market) if rule == "dividends_incomplete"}
    assert incomplete == {"NVDA", "SPY", "VOO", "GOOG", "QQQ"}


def test_price_index_that_begins_after_the_first_session_is_refused():
    asset = history("A", weekdays("2024-01-03", "2024-01-08"))
    with pytest.raises(
        InputError, match=r"price_index: .*on or before the first session, 2024-01-03, but it begins on 2024-01-04"
    ):
        build_market(study(["A"], "2024-01-01"), {"A": asset}, None, prices_by_date({"2024-01-04": 1.0}))


# Satellites

SATELLITES = {"satellite_universe": {"S": {}, "T": {}}}


def satellite_prices_of(market):
    return [(row["ticker"], str(row["session"]), row["close"]) for row in market.satellite_prices.to_pylist()]


def test_tickers_of_satellites_lie_on_the_sessions_of_the_universe():
    core = history("A", weekdays("2024-01-03", "2024-01-09"))
    # One begins before the core and ends after it, with a bar on a Saturday; one begins later.
    bars = dict(sorted((weekdays("2023-12-01", "2024-02-01", 50.0) | {"2024-01-06": 70.0}).items()))
    long = history("S", bars, dividends={"2024-01-04": 0.5})
    late = history("T", weekdays("2024-01-08", "2024-01-09", 20.0))
    alone = market_of(study(["A"], "2024-01-02"), core)
    market = market_of(study(["A"], "2024-01-02", **SATELLITES), core, long, late)

    assert version(market) == version(alone)
    assert market.prices.equals(alone.prices)
    assert satellite_prices_of(market) == [
        ("S", "2024-01-03", 50.0),
        ("S", "2024-01-04", 50.0),
        ("S", "2024-01-05", 50.0),
        ("S", "2024-01-08", 50.0),
        ("T", "2024-01-08", 20.0),
        ("S", "2024-01-09", 50.0),
        ("T", "2024-01-09", 20.0),
    ]
    of_saturday = market.satellite_prices.to_pylist()[3]
    assert (of_saturday["open"], of_saturday["high"]) == (70.0, 70.0)
    assert [row["dividend"] for row in market.satellite_prices.to_pylist()] == [0, 0.5, 0, 0, 0, 0, 0]


def test_version_of_the_satellites_prices_is_apart_from_that_of_the_others():
    core = history("A", FORTNIGHT)
    asked = study(["A"], "2024-01-02", satellite_universe={"S": {}})
    one, other = (market_of(asked, core, history("S", FORTNIGHT | {"2024-01-05": price})) for price in (99.0, 98.0))
    assert version(one) == version(other)
    assert version_of_satellites(one) != version_of_satellites(other)


def test_study_without_satellites_has_no_prices_of_them():
    market = market_of(study(["A"], "2024-01-02"), history("A", FORTNIGHT))
    assert market.satellite_prices.num_rows == 0
    assert market.satellite_prices.schema == market.prices.schema


def test_benchmark_that_satellites_trade_is_in_both_tables():
    asked = study(["A"], "2024-01-02", benchmark="S", satellite_universe={"S": {}})
    market = market_of(asked, history("A", FORTNIGHT), history("S", FORTNIGHT))
    assert set(prices_of(market, "S")) == set(FORTNIGHT)
    assert [row[1] for row in satellite_prices_of(market)] == list(FORTNIGHT)


def test_prices_of_satellites_are_judged_like_others():
    jump = history("S", FORTNIGHT | {"2024-01-08": 40.0})
    found = rules(market_of(study(["A"], "2024-01-02", satellite_universe={"S": {}}), history("A", FORTNIGHT), jump))
    assert ("jump", "S", "2024-01-08", "2024-01-08") in found


def test_late_ticker_of_satellites_is_no_late_benchmark_and_no_late_start():
    late = history("S", weekdays("2024-02-15", "2024-02-29"))
    asked = study(["A"], "2024-01-02", satellite_universe={"S": {}})
    found = rules(market_of(asked, history("A", weekdays("2024-01-02", "2024-02-29")), late))
    assert not {rule for rule, *_ in found} & {"late_start", "benchmark_late", "benchmark_early"}


@pytest.mark.parametrize(
    ("satellite", "expected"),
    [
        (history("S", weekdays("2024-03-01", "2024-03-04")), "satellite_universe: S: expected bars within the study's"),
        (history("S", FORTNIGHT, currency="EUR"), "S: quoted in EUR: expected USD, the study's currency"),
        (history("S", {f"2024-01-{day:02}": 1.0 for day in (2, 9, 16, 23, 30)}), "S: a bar every 7 days, the median"),
    ],
)
def test_ticker_of_satellites_that_no_study_can_use_is_refused(satellite, expected):
    asked = study(["A"], "2024-01-02", satellite_universe={"S": {}})
    with pytest.raises(InputError, match=re.escape(expected)):
        market_of(asked, history("A", FORTNIGHT), satellite)
