"""Sessions, and how bars and amounts of other dates come to them."""

import datetime as dt

import numpy as np
import pytest

from sd_core.market.sessions import intersection, merge_amounts, merge_bars, session_after, union


def dates(*days: str) -> np.ndarray:
    return np.array(days, dtype="datetime64[D]")


# 2024-01-05 is a Friday.
FRIDAY_AND_MONDAY = dates("2024-01-05", "2024-01-08")


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


@pytest.mark.parametrize(
    ("last", "following"),
    [
        ("2022-12-30", dt.date(2023, 1, 3)),  # the New Year's Day of 2023 was a Sunday, kept on Monday
        ("2024-03-28", dt.date(2024, 4, 1)),  # Good Friday
        ("2022-12-28", dt.date(2022, 12, 29)),
    ],
)
def test_session_after_the_last_is_that_of_the_exchange(last, following):
    assert session_after("XNYS", dates("2022-12-27", last)) == following


@pytest.mark.parametrize(("days", "following"), [(21, dt.date(2024, 1, 22)), (0, None)])
def test_session_after_the_assets_own_is_known_in_a_market_of_seven_days_alone(days, following):
    every_day = np.datetime64("2024-01-01") + np.arange(21)
    sessions = every_day if days else every_day[np.is_busday(every_day)]
    assert session_after("union", sessions) == following


def test_session_after_the_end_of_a_calendar_is_unknown():
    assert session_after("XHKG", dates("2060-01-02", "2060-01-05")) is None
