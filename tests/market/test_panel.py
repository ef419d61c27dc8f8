"""What a panel says of its sessions."""

import exchange_calendars
import numpy as np
import pytest

from sd_core.market.arrays import Dates
from sd_core.market.panel import periods_per_year


def days(first: str, last: str) -> Dates:
    return np.arange(np.datetime64(first), np.datetime64(last))


def sessions_of(exchange: str) -> Dates:
    return exchange_calendars.get_calendar(exchange, start="2021-01-04", end="2022-12-30").sessions.to_numpy()


def test_market_of_seven_days_has_365_sessions_a_year() -> None:
    assert periods_per_year(days("2020-01-01", "2024-01-01")) == 365
    assert periods_per_year(days("2021-01-08", "2021-01-12")) == 365  # from a Friday to a Monday


# The Saudi exchange meets from Sunday to Thursday.
@pytest.mark.parametrize("exchange", ["XNYS", "XSAU"])
def test_exchange_that_rests_two_days_a_week_has_252(exchange: str) -> None:
    assert periods_per_year(sessions_of(exchange)) == 252


def test_special_session_on_a_weekend_changes_no_year() -> None:
    special = np.array(["2021-10-09", "2021-10-10"], dtype="datetime64[D]")
    assert periods_per_year(np.sort(np.append(sessions_of("XNYS").astype("datetime64[D]"), special))) == 252


def test_union_with_an_asset_of_seven_days_has_365_and_an_intersection_252() -> None:
    all_days, stocks = days("2021-01-01", "2023-01-01"), sessions_of("XNYS").astype("datetime64[D]")
    assert periods_per_year(np.union1d(all_days, stocks)) == 365
    assert periods_per_year(np.intersect1d(all_days, stocks)) == 252


def test_sessions_of_weeks_and_months_are_counted_by_their_distance() -> None:
    # A Gregorian year has 365.2425 days; metrics.md takes 365.25 everywhere.
    assert periods_per_year(days("2010-01-01", "2020-01-01")[::7]) == pytest.approx(365.25 / 7)
    assert periods_per_year(days("2010-01-01", "2020-01-01")[::14]) == pytest.approx(365.25 / 14)
    months = np.arange(np.datetime64("2010-01"), np.datetime64("2020-01")).astype("datetime64[D]")
    assert [periods_per_year(months[::step]) for step in (1, 3, 12)] == [12, 4, 1]


def test_week_of_holidays_makes_no_sessions_of_weeks() -> None:
    stocks = sessions_of("XNYS").astype("datetime64[D]")
    assert periods_per_year(np.delete(stocks, slice(100, 110))) == 252
    assert periods_per_year(stocks[[0, 9, 18, 27]]) == 252  # three gaps are too few to know
