"""Sessions, and how bars and amounts of other dates come to them."""

import datetime as dt

import exchange_calendars
import numpy as np
import pandas as pd
import pytest

from sd_core.errors import InputError
from sd_core.market.sessions import calendar_sessions, intersection, merge_amounts, merge_bars, union


def dates(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")


# 2024-01-05 is a Friday.
FRIDAY_AND_MONDAY = dates("2024-01-05", "2024-01-08")


# The counts are the exchange's own: 2001 lost four days in September, 2012 two to a hurricane.
@pytest.mark.parametrize(("year", "count"), [(2001, 248), (2012, 250)])
def test_new_york_has_the_sessions_of_its_history(year, count):
    assert len(calendar_sessions("XNYS", dt.date(year, 1, 1), dt.date(year, 12, 31))) == count


def test_calendar_includes_both_ends_of_the_range():
    # Good Friday 2024 is 29 March; Easter Monday is a session in New York.
    found = calendar_sessions("XNYS", dt.date(2024, 3, 28), dt.date(2024, 4, 1))
    assert found.tolist() == [dt.date(2024, 3, 28), dt.date(2024, 4, 1)]


@pytest.mark.parametrize(("day", "count"), [(dt.date(2024, 1, 5), 1), (dt.date(2024, 1, 6), 0)])
def test_calendar_of_a_single_day_holds_it_only_if_the_exchange_trades(day, count):
    assert len(calendar_sessions("XNYS", day, day)) == count


def test_calendar_of_a_weekend_is_empty():
    assert len(calendar_sessions("XNYS", dt.date(2024, 1, 6), dt.date(2024, 1, 7))) == 0


@pytest.mark.parametrize(
    ("name", "start"), [("XXXX", dt.date(2020, 1, 1)), ("XSHG", dt.date(1980, 1, 1))], ids=["unknown", "too early"]
)
def test_calendar_that_the_library_does_not_know_is_refused_by_name(name, start):
    with pytest.raises(InputError, match=f"sessions: {name}: expected a calendar known from {start}"):
        calendar_sessions(name, start, dt.date(2024, 1, 1))


def test_long_words_of_the_library_are_shortened(monkeypatch):
    # As of Tel Aviv's calendar, whose refusal lists every Sunday that it knows.
    sundays = [f"Timestamp('{day} 13:40:00+0000', tz='UTC')" for day in pd.date_range("2010", "2024", freq="W-SUN")]

    def refuse(*_, **__):
        raise ValueError(f"Special dates [{', '.join(sundays)}]\nare no sessions")

    monkeypatch.setattr(exchange_calendars, "get_calendar", refuse)
    with pytest.raises(InputError) as refused:
        calendar_sessions("XTAE", dt.date(2010, 1, 1), dt.date(2024, 1, 1))
    stated, _, reason = str(refused.value).partition(": ValueError: ")
    assert stated == "sessions: XTAE: expected a calendar known from 2010-01-01 to 2024-01-01"
    assert reason.startswith("Special dates [Timestamp('2010-01-03")
    assert reason.endswith(" …")
    assert len("ValueError: " + reason) <= 200
    assert "\n" not in reason


def test_intersection_and_union_of_three_assets():
    assets = [
        dates("2024-01-01", "2024-01-02", "2024-01-04"),
        dates("2024-01-02", "2024-01-03", "2024-01-04"),
        dates("2024-01-02", "2024-01-04", "2024-01-05"),
    ]
    assert intersection(assets).tolist() == [dt.date(2024, 1, day) for day in (2, 4)]
    assert union(assets).tolist() == [dt.date(2024, 1, day) for day in (1, 2, 3, 4, 5)]


def test_weekend_bars_merge_into_monday():
    bars = np.array(
        [
            [10, 11, 9, 10],  # Friday
            [10, 15, 9, 14],  # Saturday: the highest high
            [14, 14, 7, 8],  # Sunday: the lowest low
            [8, 12, 8, 12],  # Monday
        ],
        dtype=float,
    )
    days = dates("2024-01-05", "2024-01-06", "2024-01-07", "2024-01-08")
    assert merge_bars(days, bars, FRIDAY_AND_MONDAY).tolist() == [[10, 11, 9, 10], [10, 15, 7, 12]]


def test_bars_of_dates_without_session_alone_still_make_the_next_one():
    merged = merge_bars(dates("2024-01-06"), np.array([[1.0, 4.0, 0.5, 2.0]]), FRIDAY_AND_MONDAY)
    assert np.isnan(merged[0]).all()
    assert merged[1].tolist() == [1.0, 4.0, 0.5, 2.0]


def test_bars_after_the_last_session_wait():
    days = dates("2024-01-08", "2024-01-09")
    merged = merge_bars(days, np.array([[1.0, 1.0, 1.0, 1.0], [9.0, 9.0, 9.0, 9.0]]), FRIDAY_AND_MONDAY)
    assert merged[1].tolist() == [1.0, 1.0, 1.0, 1.0]


def test_no_bars_at_all_leave_every_session_empty():
    assert np.isnan(merge_bars(dates(), np.empty((0, 4)), FRIDAY_AND_MONDAY)).all()


def test_amounts_between_sessions_add_up_on_the_next_and_later_ones_wait():
    days = dates("2024-01-05", "2024-01-06", "2024-01-08", "2024-01-09")
    assert merge_amounts(days, np.array([1.0, 2.0, 4.0, 8.0]), FRIDAY_AND_MONDAY).tolist() == [1.0, 6.0]


def test_no_amounts_are_zero_on_every_session():
    assert merge_amounts(dates(), np.empty(0), FRIDAY_AND_MONDAY).tolist() == [0.0, 0.0]
