"""Calendars against bars: closed days that a calendar does not know, and bars of days on which no one traded."""

import numpy as np
import pytest
from support.price_histories import history, study, weekdays

from sd_core.market import closed_days
from sd_core.market.build import build_market

# New York's exchange was closed on Thursday 2024-07-04, on 2024-06-19, and on weekends.
SESSIONS = np.array(
    [day for day in weekdays("2024-06-10", "2024-07-12") if day not in ("2024-06-19", "2024-07-04")],
    dtype="datetime64[D]",
)
# Each bar has a range and a close of its own, so that none repeats another.
BARS = {str(day): [100 + i, 101 + i, 99 + i, 100.5 + i] for i, day in enumerate(SESSIONS)}


def repeated(bars, *days):
    """Add bars of no trade: all four prices are the close of the bar before."""
    for day in days:
        before = max(other for other in bars if other < day)
        bars = dict(sorted({**bars, day: [bars[before][3]] * 4}.items()))
    return bars


def without(bars, *days):
    return {day: bar for day, bar in bars.items() if day not in days}


def found(findings):
    return [(f.ticker, f.rule, str(f.first_session), str(f.last_session), f.sessions) for f in findings]


def dates_of(one):
    return [f"{day:%Y-%m-%d}" for day in one.bars.index]


def test_flat_bar_of_a_closed_day_is_left_out_and_reported():
    one = history("A", repeated(BARS, "2024-07-04"))
    assert dates_of(closed_days.without_repeated_bars(one, SESSIONS)) == list(BARS)
    [finding] = closed_days.repeated_bars(one, SESSIONS, "XNYS")
    assert found([finding]) == [("A", "repeated_bar", "2024-07-04", "2024-07-04", 1)]
    assert finding.detail == (
        "A has bars without trade, which repeat the close before, on days without a session of XNYS: 2024-07-04. "
        "They are left out."
    )
    assert not list(closed_days.bars_without_session(one, SESSIONS, "XNYS"))


def test_a_row_of_repeated_bars_is_left_out_as_a_whole_and_shown_in_part():
    weekends = ["2024-06-15", "2024-06-16", "2024-06-22", "2024-06-23", "2024-06-29", "2024-06-30", "2024-07-06"]
    one = history("A", repeated(BARS, *weekends))
    assert dates_of(closed_days.without_repeated_bars(one, SESSIONS)) == list(BARS)
    [finding] = closed_days.repeated_bars(one, SESSIONS, "XNYS")
    assert (finding.sessions, str(finding.last_session)) == (7, "2024-07-06")
    assert "2024-06-15, 2024-06-16, 2024-06-22, 2024-06-23, 2024-06-29 and 2 more" in finding.detail


def test_repeated_bars_of_every_weekend_make_no_market_of_seven_days():
    weekends = [str(day) for day in np.arange(SESSIONS[0], SESSIONS[-1]) if not np.is_busday(day)]
    one = history("A", repeated(BARS, *weekends))
    assert dates_of(closed_days.without_repeated_bars(one, SESSIONS)) == list(BARS)


def test_flat_bar_of_a_session_is_kept():
    bars = BARS | {"2024-07-05": [BARS["2024-07-03"][3]] * 4}
    assert dates_of(closed_days.without_repeated_bars(history("A", bars), SESSIONS)) == list(BARS)


def test_bar_with_a_price_of_its_own_on_a_closed_day_is_kept_and_reported():
    one = history("A", dict(sorted((BARS | {"2024-07-04": [117.0, 118.0, 116.0, 117.5]}).items())))
    assert "2024-07-04" in dates_of(closed_days.without_repeated_bars(one, SESSIONS))
    [finding] = closed_days.bars_without_session(one, SESSIONS, "XNYS")
    assert found([finding]) == [("A", "bar_without_session", "2024-07-04", "2024-07-04", 1)]
    assert finding.detail == (
        "A has bars on days without a session of XNYS: 2024-07-04. They count on the next session; `sessions: union` "
        "makes sessions of them."
    )


def test_asset_that_trades_every_day_disagrees_with_no_calendar():
    every_day = np.arange(SESSIONS[0], SESSIONS[-1] + 1)
    coin = history("C", {str(day): [i + 1, i + 2, i + 0.5, i + 1.5] for i, day in enumerate(every_day)})
    assert not list(closed_days.bars_without_session(coin, SESSIONS, "XNYS"))
    assert not list(closed_days.repeated_bars(coin, SESSIONS, "XNYS"))
    # Nor does it say whether an exchange was open.
    missing = history("A", without(BARS, "2024-06-24"))
    assert found(closed_days.sessions_without_bar([missing, coin], SESSIONS, "XNYS")) == [
        (None, "session_without_bar", "2024-06-24", "2024-06-24", 1)
    ]


def test_sessions_on_which_no_asset_traded_are_reported_with_their_dates():
    one, other = (history(ticker, without(BARS, "2024-06-24", "2024-07-01")) for ticker in "AB")
    [finding] = closed_days.sessions_without_bar([one, other], SESSIONS, "XNYS")
    assert found([finding]) == [(None, "session_without_bar", "2024-06-24", "2024-07-01", 2)]
    assert finding.detail == (
        "No asset of an exchange traded on these sessions of XNYS: 2024-06-24, 2024-07-01. If it was closed, "
        "`sessions: intersection` leaves such days out."
    )


def test_session_on_which_one_asset_traded_is_one():
    one, other = history("A", without(BARS, "2024-06-24")), history("B", BARS)
    assert not list(closed_days.sessions_without_bar([one, other], SESSIONS, "XNYS"))


def test_bar_that_repeats_the_close_is_no_trade_where_bars_have_a_range():
    bars = repeated(without(BARS, "2024-06-24"), "2024-06-24")
    assert found(closed_days.sessions_without_bar([history("A", bars)], SESSIONS, "XNYS")) == [
        (None, "session_without_bar", "2024-06-24", "2024-06-24", 1)
    ]
    closes = {str(day): 100.0 for day in SESSIONS}
    assert not list(closed_days.sessions_without_bar([history("A", closes)], SESSIONS, "XNYS"))


@pytest.mark.parametrize(("missing", "findings"), [(5, 1), (6, 0)])
def test_more_than_a_week_without_a_bar_is_a_hole_and_said_there(missing, findings):
    one = history("A", without(BARS, *list(BARS)[8 : 8 + missing]))
    assert len(list(closed_days.sessions_without_bar([one], SESSIONS, "XNYS"))) == findings


def test_overnight_gap_after_a_closed_day_is_the_open_of_the_session():
    # By hand: without the bar of 4 July, the session of the 5th opens at 90, which no one could sell above before.
    bars = {
        "2024-07-01": [100, 101, 99, 100],
        "2024-07-02": [100, 101, 99, 100],
        "2024-07-03": [100, 101, 99, 100],
        "2024-07-04": [100, 100, 100, 100],
        "2024-07-05": [90, 92, 89, 91],
        "2024-07-08": [91, 92, 90, 91],
    }
    market = build_market(study(["A"], "2024-07-01"), {"A": history("A", bars)}, None)
    [row] = [row for row in market.prices.to_pylist() if str(row["session"]) == "2024-07-05"]
    assert [row[name] for name in ("open", "high", "low", "close")] == [90, 92, 89, 91]
    assert [finding["rule"] for finding in market.price_findings.to_pylist()] == ["repeated_bar"]


def test_sessions_of_the_assets_own_dates_know_no_closed_day():
    bars = repeated(BARS, "2024-07-04")
    market = build_market(study(["A"], "2024-06-10", sessions="union"), {"A": history("A", bars)}, None)
    assert "2024-07-04" in [str(day) for day in market.sessions["session"].to_pylist()]
    assert not market.price_findings.num_rows
